"""Temporary files of a killed run go at the next start; nobody else's do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from builders.session_holder import held_elsewhere

from inspection.records import Battery, Lot
from inspection.session.creating import create_session
from inspection.session.leftovers import clear_killed
from inspection.session.lock import HOLDER_NAME
from inspection.session.store import SessionStore

LOT = Lot(Path("/lot"), (Battery("001", "001", None),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with create_session(tmp_path, lot=LOT, language="en", config={}, device="cpu") as store:
        (store.evidence_dir / "001").mkdir()
        (store.evidence_dir / "001" / "ct_z_0004_image.jpg").write_bytes(b"picture")
        return store.folder


def half_written(folder: Path) -> list[Path]:
    names = (".session.json.0a1b2c3d.tmp", "evidence/001/.maps.npz.0a1b2c3d.tmp")
    for name in names:
        (folder / name).write_bytes(b"half")
    return [folder / name for name in names]


def test_what_a_killed_run_left_goes_at_the_next_start(folder):
    with held_elsewhere(folder) as other:
        left = half_written(folder)
        other.kill()
        assert clear_killed(folder.parent) == [folder.name]
    assert not any(path.exists() for path in left)
    assert not (folder / HOLDER_NAME).exists()
    assert (folder / "evidence" / "001" / "ct_z_0004_image.jpg").exists()
    # The next start has nothing left to clear.
    assert clear_killed(folder.parent) == []


def test_what_a_living_process_writes_stays(folder):
    with held_elsewhere(folder):
        left = half_written(folder)
        assert clear_killed(folder.parent) == []
        assert all(path.exists() for path in left)


def test_opening_a_session_clears_its_evidence_as_well(folder):
    left = half_written(folder)
    SessionStore.open(folder, read_only=True).close()
    assert all(path.exists() for path in left)
    SessionStore.open(folder).close()
    assert not any(path.exists() for path in left)


def test_a_folder_of_sessions_that_is_not_there_is_no_fault(folder):
    shutil.rmtree(folder.parent)
    assert clear_killed(folder.parent) == []

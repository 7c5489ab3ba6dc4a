"""A session that another process writes is not resumed, and what was found wrong is printed."""

from __future__ import annotations

import json
import platform

import pytest
from builders.session_holder import held_elsewhere

from app.__main__ import app
from inspection.console import run
from inspection.lot.scan import scan_lot
from inspection.session.creating import create_session
from inspection.synthetic import SyntheticLot, write_lot


@pytest.fixture(scope="module")
def lot(tmp_path_factory):
    spec = SyntheticLot(batteries=1, slices=3, views=1, canvas=128, seed=5)
    return write_lot(tmp_path_factory.mktemp("lots") / "lot", spec)


@pytest.fixture
def folder(lot, tmp_path):
    with create_session(
        tmp_path, lot=scan_lot(lot), language="en", config={}, device="cpu"
    ) as store:
        return store.folder


def resume(lot, folder, *more: str) -> int:
    where = ("--session-dir", str(folder.parent), "--resume", folder.name, "--language", "en")
    return run(app, "station", ["inspect", str(lot), *where, *more])


def test_a_session_that_is_being_written_is_refused_with_who_writes_it(lot, folder, capsys):
    before = (folder / "session.json").read_bytes()
    with held_elsewhere(folder):
        assert resume(lot, folder) == 2
    told = capsys.readouterr().err
    assert "is being written by" in told
    assert platform.node() in told
    assert (folder / "session.json").read_bytes() == before


def test_what_was_found_wrong_is_printed_on_resuming(lot, folder, capsys):
    path = folder / "session.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["batteries"][0] |= {"state": "done", "kind": "normal"}
    path.write_text(json.dumps(record), encoding="utf-8")
    resume(lot, folder, "--systems", "vlm")
    assert "the row of battery 001 was altered" in capsys.readouterr().err

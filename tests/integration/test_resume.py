"""`station inspect --resume` under other models, over changed images, and with a lot that left."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from app.__main__ import app
from app.folders import model_folders
from inspection.console import run
from inspection.modelstore.bundle import load_bundle
from inspection.modelstore.bundle_writing import rewrite_bundle
from inspection.session.store import SessionStore
from inspection.synthetic import SyntheticLot, write_lot


def station(*arguments: str | Path) -> int:
    return run(app, "station", [str(argument) for argument in arguments])


@pytest.fixture
def lot(tmp_path):
    spec = SyntheticLot(batteries=2, slices=4, views=2, canvas=160, seed=31, defects=0.5)
    return write_lot(tmp_path / "lot", spec)


@pytest.fixture
def inspect(lot, tmp_path):
    """Inspect with a copy of the bundled models, into one folder of sessions."""
    models = tmp_path / "models"
    for slot in ("ct_cnn", "rgb_ae"):
        shutil.copytree(model_folders(None).holding(slot) / slot, models / slot)
    policy = model_folders(None).with_policy / "inspector.yaml"
    shutil.copy(policy, models)

    def inspect(*more: str | Path) -> int:
        where = ("--session-dir", tmp_path / "s", "--models", models, "--systems", "ensemble")
        return station("inspect", lot, *where, "--language", "en", *more)

    return inspect


def session(tmp_path) -> Path:
    (folder,) = (tmp_path / "s").iterdir()
    return folder


def digests(folder: Path) -> list[str]:
    with SessionStore.open(folder, read_only=True) as store:
        results = [store.load_battery(row.battery_id) for row in store.record.batteries]
        return [r.judged_by["ensemble"].models["ct_cnn"] for r in results if r is not None]


@pytest.mark.long
def test_other_models_judge_the_rest_only_where_that_is_asked_for(inspect, lot, tmp_path, capsys):
    images = {p: p.read_bytes() for p in lot.rglob("*.[jp][pn]g") if "002_" in p.name}
    for path in images:
        path.write_bytes(b"")
    assert inspect() == 1
    for path, content in images.items():
        path.write_bytes(content)
    folder = session(tmp_path)
    written = (folder / "session.json").read_bytes()
    bundle = load_bundle(tmp_path / "models" / "ct_cnn")
    other = rewrite_bundle(bundle, {}, name="another")
    capsys.readouterr()

    assert inspect("--resume", folder.name) == 2
    told = capsys.readouterr().err
    assert "ct_cnn" in told
    assert "--with-new-models" in told
    assert (folder / "session.json").read_bytes() == written

    assert inspect("--resume", folder.name, "--with-new-models") == 0
    assert "ct_cnn" in capsys.readouterr().err
    assert digests(folder) == [bundle.sha256, other.sha256]


def test_images_that_changed_since_are_named(inspect, lot, tmp_path, capsys):
    assert inspect() == 0
    image = next(path for path in sorted(lot.rglob("*.png")) if "001" in path.as_posix())
    os.utime(image, ns=(1, 1))
    capsys.readouterr()
    assert inspect("--resume", session(tmp_path).name) == 0
    assert image.name in capsys.readouterr().err


@pytest.mark.parametrize("damage", [b"{", b"", None])
def test_a_damaged_battery_file_is_set_aside_and_its_battery_inspected_again(
    inspect, tmp_path, damage, capsys
):
    assert inspect() == 0
    folder = session(tmp_path)
    file = folder / "batteries" / "002.json"
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage)
    assert inspect("--resume", folder.name) == 0, capsys.readouterr().err
    with SessionStore.open(folder, read_only=True) as store:
        assert [row.state for row in store.record.batteries] == ["done", "done"]
        assert store.load_battery("002") is not None
    kept = [path.read_bytes() for path in (folder / "batteries" / "set_aside").glob("*")]
    assert kept == ([] if damage is None else [damage])

"""Three real lanes over a lot, then compared: small models of the true classes, no network."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from builders.ensemble_models import copy_ensemble
from builders.tiny_vlg import write_bert, write_original
from builders.tiny_vlm import write_tiny_vlm

from app.__main__ import app
from inspection.console import run
from inspection.modelstore.installed import register_folder
from inspection.synthetic import SyntheticLot, write_lot

FAMILIES = {"vlm": "qwen2_vl", "bert": "bert", "vlg": "groundingdino"}

pytestmark = pytest.mark.usefixtures("no_network")


def station(*arguments: str | Path) -> int:
    return run(app, "station", [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """Return the ensemble's demo models with a small VLM and VLG beside them."""
    folder = tmp_path_factory.mktemp("models") / "models"
    copy_ensemble(folder)
    write_tiny_vlm(folder / "vlm")
    write_original(folder / "vlg", write_bert(folder / "bert"))
    for slot, family in FAMILIES.items():
        register_folder(
            folder / slot, slot, name=f"tiny {slot}", family=family, source="test", licence="none"
        )
    return folder


@pytest.mark.long
def test_three_lanes_are_compared_on_the_same_images(models, tmp_path, capsys):
    lot = write_lot(tmp_path / "lot", SyntheticLot(batteries=1, slices=4, views=2, seed=5))
    sessions = tmp_path / "sessions"
    inspect = ("inspect", lot, "--models", models, "--session-dir", sessions, "--language", "en")
    assert station(*inspect, "--device", "cpu", "--sample", "7", "--json") == 0
    folder = sessions / json.loads(capsys.readouterr().out)["run_id"]

    assert station("compare", folder, "--json", "--language", "en") == 0
    (session,) = json.loads(capsys.readouterr().out)["sessions"]
    assert session["systems"] == ["ensemble", "vlm", "vlg"]
    counts = {figures["images"] for figures in session["figures"].values()}
    assert counts == {sum(len(battery["images"]) for battery in session["batteries"])}
    assert all(figures["labelled"] for figures in session["figures"].values())
    assert not [remark for remark in session["remarks"] if "favours" in remark]
    assert {battery["chosen"] for battery in session["batteries"]} == {"sample"}

    out = tmp_path / "out"
    assert station("report", folder, "--out", out, "--language", "ko") == 0
    raw = (out / "comparison.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(raw)))
    states = {row[f"{system}_state"] for row in rows for system in ("ensemble", "vlm", "vlg")}
    assert states == {"done"}
    assert "시스템 비교" in (out / "report.html").read_text(encoding="utf-8")
    answers = json.loads((out / "result.json").read_text(encoding="utf-8"))["images"]
    assert sum(image["vlm"] is not None for image in answers) == len(rows)
    assert all(image["vlg"] is not None for image in answers if image["vlm"] is not None)

"""A site adds a class: it is labelled, trained, exported, judged, reported and compared."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders.small_models import write_small_models

import app.__main__
import training.__main__
from inspection.console import run
from inspection.lot.scan import scan_lot
from inspection.modelstore.bundle import load_bundle
from inspection.records import ImageRef
from inspection.synthetic import SyntheticLot, write_lot

SITE = """
classes:
  cell_delamination:
    modality: ct
    battery_type: cell
    kind: delamination
    severity: CRITICAL
    name: {en: "Cell, delamination", ko: "셀 층 박리"}
    cause: {en: "Layers that came apart.", ko: "전극층 분리."}
    action: {en: "Quarantine the cell.", ko: "셀을 격리합니다."}
    labels: [delamination]
    words: {en: 'delaminat\\w*', ko: '박리'}
    phrases: [delamination]
"""
SMALL = {
    "training.epochs": 4,
    "warmup.epochs": 0,
    "training.batch_size": 8,
    "training.workers": 1,
    "preprocess.width": 32,
    "preprocess.height": 64,
    "split": "{train: 0.5, val: 0.5, test: 0}",
}


def trainer(*arguments: object) -> int:
    return run(training.__main__.app, "trainer", [str(argument) for argument in arguments])


def station(*arguments: object) -> int:
    return run(app.__main__.app, "station", [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight batteries; fourteen slices of each cell are labelled as delamination."""
    spec = SyntheticLot(batteries=8, slices=16, views=1, canvas=160, seed=3, defects=0.0)
    root = write_lot(tmp_path_factory.mktemp("lots") / "lot", spec, workers=1)
    labelled = 0
    for battery in scan_lot(root).batteries:
        if battery.battery_type == "cell":
            for ref in battery.ct[1:15]:
                paint(ref)
                labelled += 1
    assert labelled >= 40, labelled
    return root


def paint(ref: ImageRef) -> None:
    pixels = cv2.imdecode(np.frombuffer(ref.path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    rows, columns = np.nonzero(pixels > 60)
    left, right = int(columns.min()), int(columns.max())
    top, bottom = int(rows.min()), int(rows.max())
    first, last = top + (bottom - top) // 3, top + (bottom - top) // 2
    pixels[first:last, left:right] = 255
    ref.path.write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())
    assert ref.label_path is not None
    label = json.loads(ref.label_path.read_text("utf-8"))
    points = [left, first, right, first, right, last, left, last]
    label["defects"] = [{"id": 1, "name": "Delamination", "points": points}]
    label["image_info"]["is_normal"] = False
    ref.label_path.write_text(json.dumps(label), "utf-8")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # A site that a command was given counts for the rest of its process.
    monkeypatch.setenv("STATION_SITE", "")
    monkeypatch.setenv("STATION_LANGUAGE", "en")
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "site.yaml").write_text(SITE, "utf-8")
    return folder


@pytest.mark.long
def test_a_class_of_the_site_goes_all_the_way_without_a_change_of_the_program(
    lot, site, tmp_path, capsys, monkeypatch
):
    here = ("--site", site)
    assert trainer("check", lot, "--json", "--no-pixels", *here) == 0
    kinds = {row["kind"] for row in json.loads(capsys.readouterr().out)["findings"]}
    assert "label_defect_unknown" not in kinds
    settings = [f"{key}={value}" for key, value in SMALL.items()]
    settings.append(f"cache.folder={tmp_path / 'cache'}")
    command = [part for setting in settings for part in ("--set", setting)]
    command += ["--data", lot, "--out", tmp_path / "run", *here]
    assert trainer("train", "configs/demo_cnn.yaml", *command) == 0
    models = write_small_models(tmp_path / "models")
    assert trainer("export", tmp_path / "run", "--out", models, "--force", *here) == 0
    assert "cell_delamination" in load_bundle(models / "ct_cnn").manifest.labels
    assert trainer("evaluate", models, "--data", lot, "--json", *here) == 0
    capsys.readouterr()

    sessions = tmp_path / "sessions"
    command = ["inspect", lot, "--models", models, "--session-dir", sessions, *here]
    assert station(*command, "--systems", "ensemble", "--json") == 0
    session = json.loads(capsys.readouterr().out)
    folder = sessions / session["run_id"]
    images = [
        image
        for path in (folder / "batteries").glob("*.json")
        for image in json.loads(path.read_text("utf-8"))["images"]
    ]
    judged = [image for image in images if image["modality"] == "ct"]
    assert all("cell_delamination" in image["probabilities"] for image in judged)
    assert any(row["defect_type"] == "cell_delamination" for row in session["batteries"])

    # Beside a model that was trained before there was the class.
    older = write_small_models(tmp_path / "older")
    cell = next(row["battery_id"] for row in session["batteries"] if row["defect_type"])
    command = ["inspect", lot, "--models", older, "--session-dir", sessions, *here]
    assert station(*command, "--systems", "ensemble", "--battery", cell, "--json") == 0
    other = sessions / json.loads(capsys.readouterr().out)["run_id"]
    monkeypatch.setenv("COLUMNS", "200")
    for language, name in (("en", "Cell, delamination"), ("ko", "셀 층 박리")):
        out = tmp_path / language
        report = ("report", folder, "--formats", "html,csv", "--out", out)
        assert station(*report, "--language", language, *here) == 0
        assert name in (out / "report.html").read_text("utf-8")
        assert "cell_delamination" in (out / "batteries.csv").read_text("utf-8-sig")
        capsys.readouterr()
        assert station("compare", other, folder, "--language", language, *here) == 0
        assert name in capsys.readouterr().out

    # A station without that class says so, in one sentence, and judges nothing with it.
    monkeypatch.setenv("STATION_SITE", "")
    capsys.readouterr()
    assert station("models", "verify", "--models", models) == 1
    assert "cell_delamination" in capsys.readouterr().out
    assert trainer("evaluate", models, "--data", lot, "--json") == 2
    assert "tells apart cell_delamination" in capsys.readouterr().err
    command = ["inspect", lot, "--models", models, "--session-dir", tmp_path / "other"]
    assert station(*command, "--systems", "ensemble", "--battery", cell, "--json") == 0
    told = capsys.readouterr()
    assert "The model ct_cnn tells apart cell_delamination" in told.err
    assert json.loads(told.out)["batteries"][0]["kind"] == "review"

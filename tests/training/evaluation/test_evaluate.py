"""Evaluation of the demo models on a small lot: figures, truths, parts of a split, commands."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from builders.small_models import write_small_models
from sklearn.metrics import f1_score, roc_auc_score

from inspection.classes import class_table
from inspection.config import load_inspector
from inspection.errors import BundleError, ConfigError
from inspection.lot.scan import scan_lot
from inspection.lot.truth import ImageTruth
from inspection.modelstore.bundle import find_bundle
from inspection.modelstore.folders import ModelFolders
from inspection.records import Battery
from inspection.run.lanes import build_lane
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings
from training.__main__ import app
from training.data.split_files import PARTS
from training.evaluation.config import load_evaluation
from training.evaluation.evaluate import (
    Data,
    Evaluation,
    evaluate,
    judge,
    select_data,
)
from training.evaluation.judge import battery_truth, judge_alone


def run(*arguments: str) -> int:
    from inspection.console import run as run_app

    return run_app(app, "trainer", [*arguments])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = SyntheticLot(batteries=8, slices=6, views=2, canvas=128, seed=11, defects=0.5)
    return write_lot(tmp_path_factory.mktemp("lots") / "line", spec, workers=1)


@pytest.fixture(scope="module")
def found(models: Path, lot: Path) -> Evaluation:
    return evaluate(models, Data((lot,)))


def figures_of(models: Path, lot: Path) -> dict[str, Any]:
    return evaluate(models, Data((lot,))).figures


@pytest.fixture
def part_of(lot: Path, tmp_path: Path) -> Path:
    """A copy of the lot that a test may spoil."""
    return Path(shutil.copytree(lot, tmp_path / "line"))


def test_figures_are_those_of_the_images(found):
    figures = found.figures["models"]["ct_cnn"]
    images = found.images("ct_cnn")
    assert figures["images"] == len(images) == 48
    labels = [class_table().ct.index(image.truth.name) for image in images]
    predicted = [class_table().ct.index(image.pred_label) for image in images]
    present = sorted(set(labels))
    expected = f1_score(labels, predicted, labels=present, average="macro", zero_division=0)
    assert figures["macro_f1"] == pytest.approx(expected)
    bounds = figures["intervals"]["macro_f1"]
    assert bounds["low"] <= figures["macro_f1"] <= bounds["high"]

    truth = np.array([image.truth.is_defect for image in images])
    scores = [image.score for image in images]
    assert figures["defect"]["auroc"] == pytest.approx(roc_auc_score(truth, scores))
    assert figures["defect"]["defects"] == truth.sum() > 0
    assert set(figures["macro_f1_per_axis"]) == {"x", "y", "z"}
    assert set(figures["macro_f1_per_type"]) == {"cell", "module"}
    assert 0 <= figures["calibration"]["ece_after"] <= 1
    assert figures["localisation"]["defects"] >= truth.sum()

    views = found.figures["models"]["rgb_ae"]
    assert views["views"]["n"] == 16
    assert views["threshold_record"]["method"] == "mean_std"
    json.dumps(found.figures, allow_nan=False)


def test_verdicts_are_the_stations(found, models, lot):
    policy = load_inspector()
    chooser = ImageChooser(policy.sampling, lot, with_ensemble=True)
    settings = LaneSettings(ModelFolders((models,)), lot, policy, chooser, "cpu")
    lane = build_lane("ensemble", settings)
    lane.load()
    try:
        for row in found.judged[:2]:
            battery = next(b for b in scan_lot(lot).pairs if b.battery_id == row.battery.battery_id)
            result = lane.inspect(battery, threading.Event(), lambda _: None)
            assert result.verdict == row.verdict
            assert [i.pred_score for i in result.images] == [i.pred_score for i in row.results]
    finally:
        lane.close()


def test_battery_figures_agree_with_the_lots_own_truth(found, lot):
    truth = json.loads((lot / "truth.json").read_text(encoding="utf-8"))
    figures = found.figures["batteries"]
    defective = {name for name, row in truth.items() if row["internal"] or row["external"]}
    assert (figures["batteries"], figures["defective"]) == (8, len(defective))
    assert figures["without_truth"] == 0
    counted = sum(sum(kinds.values()) for kinds in figures["kinds_by_truth"].values())
    assert counted == 8
    assert figures["escapes"] == len(figures["escaped_batteries"])
    for name in figures["escaped_batteries"]:
        assert name.removeprefix("line/") in defective
    for row in found.judged:
        assert row.visibilities == {
            d["visibility"]
            for d in truth[row.battery.battery_id]["internal"]
            + truth[row.battery.battery_id]["external"]
        }


def test_provenance_names_models_and_policy(found):
    for slot, bundle in found.bundles.items():
        assert found.figures["provenance"][slot]["sha256"] == bundle.sha256
    assert found.figures["policy"]["method"] == found.policy.method


def test_unlabelled_images_hide_the_batterys_truth(models, part_of):
    labels = sorted(part_of.rglob("CT_*.json"))
    victim = labels[0].stem.split("_")[3]
    for path in labels:
        if path.stem.split("_")[3] == victim:
            path.unlink()
    exterior = json.loads((part_of / "truth.json").read_text(encoding="utf-8"))[victim]["external"]
    figures = figures_of(models, part_of)
    assert figures["models"]["ct_cnn"]["unknown"] == 6
    # Where a defect is labelled on a view the battery is defective all the same.
    assert figures["batteries"]["without_truth"] == (0 if exterior else 1)


def test_a_damaged_image_is_listed_and_stops_nothing(models, part_of):
    victim = sorted(part_of.rglob("CT_*.jpg"))[0]
    victim.write_bytes(victim.read_bytes()[:200])
    figures = figures_of(models, part_of)
    assert figures["models"]["ct_cnn"]["failed"] == 1
    assert figures["models"]["ct_cnn"]["images"] == 47
    assert figures["batteries"]["batteries"] == 8


def test_what_a_battery_truly_is():
    battery = Battery("1", "1", "1")
    normal, unknown = ImageTruth("cell_normal"), ImageTruth()
    pore, dirt = ImageTruth("cell_porosity"), ImageTruth("pollution")
    assert battery_truth([normal, normal], battery) == "normal"
    assert battery_truth([normal, pore, unknown], battery) == "internal"
    assert battery_truth([normal, dirt], battery) == "external"
    assert battery_truth([dirt, pore], battery) == "both"
    assert battery_truth([normal, unknown], battery) is None
    assert battery_truth([], battery) is None


def test_one_model_alone_gives_no_verdicts(models, lot, tmp_path):
    shutil.copytree(models / "rgb_ae", tmp_path / "rgb_ae")
    figures = figures_of(tmp_path, lot)
    assert set(figures["models"]) == {"rgb_ae"}
    assert "batteries" not in figures
    with pytest.raises(ConfigError, match="no_such"):
        figures_of(tmp_path / "no_such", lot)


def test_a_lot_of_one_modality_has_the_figures_of_its_model(models, tmp_path):
    spec = SyntheticLot(batteries=3, slices=3, views=0, canvas=128, seed=3, defects=0.7)
    ct_only = write_lot(tmp_path / "ct", spec, workers=1)
    figures = figures_of(models, ct_only)
    assert set(figures["models"]) == {"ct_cnn"}
    assert "batteries" not in figures
    assert run("evaluate", str(models), "--data", str(ct_only), "--out", str(tmp_path / "o")) == 0
    for label in ct_only.rglob("*.json"):
        if label.name != "truth.json":
            label.unlink()
    with pytest.raises(ConfigError, match="labelled"):
        figures_of(models, ct_only)


def test_the_search_needs_both_models(models, lot, tmp_path):
    shutil.copytree(models / "rgb_ae", tmp_path / "rgb_ae")
    with pytest.raises(BundleError, match="ct_cnn"):
        judge(tmp_path, Data((lot,)), load_inspector(), "cpu")


def test_an_altered_model_is_refused(models, lot, tmp_path):
    shutil.copytree(models / "ct_cnn", tmp_path / "ct_cnn")
    manifest = tmp_path / "ct_cnn" / "bundle.json"
    text = manifest.read_text(encoding="utf-8")
    altered = text.replace('"display_scale": 1.0', '"display_scale": 2.0')
    manifest.write_text(altered, encoding="utf-8")
    with pytest.raises(BundleError, match="altered"):
        figures_of(tmp_path, lot)


def test_the_policy_beside_the_models_counts(models, lot, tmp_path):
    copied = shutil.copytree(models, tmp_path / "models")
    policy = "inspector: {method: voting, aggregation: {slice_threshold: 0.999}}\n"
    (copied / "inspector.yaml").write_text(policy, encoding="utf-8")
    figures = figures_of(copied, lot)
    assert figures["policy"]["method"] == "voting"
    assert figures["models"]["ct_cnn"]["threshold"] == 0.999


# -- parts of a split ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def split(lot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("split") / "split"
    assert run("split", str(lot), "--out", str(folder), "--train", "0.5", "--val", "0.25") == 0
    return folder


def test_a_part_of_a_split_is_judged_alone(models, split):
    sizes = []
    for part in PARTS:
        data = select_data([], split, part)
        judged, _ = judge(models, data, load_inspector(), "cpu")
        sizes.append({row.battery.battery_id for row in judged})
        assert data.name == f"line ({part})"
    assert sum(map(len, sizes)) == 8
    assert len(set.union(*sizes)) == 8


def test_wrong_use_is_named(split):
    with pytest.raises(ConfigError, match="--data"):
        select_data([], None, "test")
    with pytest.raises(ConfigError, match="train, val, test"):
        select_data([], split, "tests")


# -- commands --------------------------------------------------------------------------------


def test_evaluate_prints_f1_first_and_json_alone(models, lot, capsys):
    assert run("evaluate", str(models), "--data", str(lot)) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[0] for line in lines]
    assert names.index("batteries.f1") < names.index("batteries.escape_rate")
    assert names.index("ct_cnn.macro_f1") < names.index("ct_cnn.defect.accuracy")
    assert run("evaluate", str(models), "--data", str(lot), "--json") == 0
    assert json.loads(capsys.readouterr().out)["lot"] == "line"


def test_fuse_writes_a_policy_that_evaluate_reads(models, lot, tmp_path, capsys):
    policy, grid = tmp_path / "inspector.yaml", tmp_path / "evaluation.yaml"
    few = load_evaluation().model_dump(mode="json")
    few["fusion"]["rule_based"] = {k: v[:2] for k, v in few["fusion"]["rule_based"].items()}
    few["fusion"]["aggregation"] = {k: v[:2] for k, v in few["fusion"]["aggregation"].items()}
    grid.write_text(json.dumps(few), encoding="utf-8")
    arguments = ["fuse", str(models), "--data", str(lot), "--method", "rule_based"]
    assert run(*arguments, "--config", str(grid), "--out", str(policy)) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-2].startswith("now")
    assert load_inspector(policy).method == "rule_based"
    assert run("evaluate", str(models), "--data", str(lot), "--policy", str(policy), "--json") == 0
    assert json.loads(capsys.readouterr().out)["policy"]["method"] == "rule_based"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["evaluate", "{models}"], "--data"),
        (["evaluate", "{models}", "--data", "{tmp}/none"], "none"),
        (["evaluate", "{models}", "--data", "{lot}", "--config", "{tmp}/no.yaml"], "no.yaml"),
        (["evaluate", "{models}", "--normal", "good"], "--data once"),
        (
            ["fuse", "{models}", "--data", "{lot}", "--out", "{tmp}/i.yaml", "--method", "vote"],
            "vote",
        ),
    ],
)
def test_mistakes_are_one_line_and_exit_2(arguments, named, models, lot, tmp_path, capsys):
    places = {"models": models, "lot": lot, "tmp": tmp_path}
    assert run(*(argument.format(**places) for argument in arguments)) == 2
    said = capsys.readouterr().err.strip()
    assert named in said
    assert "\n" not in said


def test_the_configuration_refuses_unknown_keys(tmp_path):
    path = tmp_path / "evaluation.yaml"
    content = load_evaluation().model_dump(mode="json") | {"bootstraps": {}}
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ConfigError, match="bootstraps"):
        load_evaluation(path)


def test_a_plain_folder_is_judged_by_its_subfolders(models, tmp_path, capsys):
    rng = np.random.default_rng(0)
    for name, count in (("good", 3), ("blowhole", 2)):
        (tmp_path / "tiles" / name).mkdir(parents=True)
        for number in range(count):
            path = tmp_path / "tiles" / name / f"{number}.jpg"
            pixels = rng.integers(60, 200, (40, 60, 3), dtype=np.uint8)
            path.write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())
            if name != "good":
                mask = np.zeros((40, 60), np.uint8)
                mask[10:20, 10:20] = 255
                path.with_suffix(".png").write_bytes(cv2.imencode(".png", mask)[1].tobytes())
    arguments = ["evaluate", str(models), "--data", str(tmp_path / "tiles"), "--normal", "good"]
    assert run(*arguments, "--masks", "same-stem", "--json", "--out", str(tmp_path / "out")) == 0
    printed = json.loads(capsys.readouterr().out)
    found = printed["models"]["rgb_ae"]
    assert found["images"]["n"] == 5
    assert found["by_folder"]["blowhole"]["n"] == 2
    assert 0 <= found["pixels"]["auroc"] <= 1
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text("utf-8")) == printed


# -- thresholds ------------------------------------------------------------------------------


def test_a_new_threshold_leaves_a_sound_bundle(models, lot, tmp_path, capsys):
    folder = Path(shutil.copytree(models / "rgb_ae", tmp_path / "rgb_ae"))
    images = judge_alone(find_bundle(tmp_path, "rgb_ae"), lot)
    normal = [image.score for image in images if not image.truth.is_defect]
    arguments = ["threshold", str(folder), "--data", str(lot)]
    assert run(*arguments, "--method", "percentile", "--percentile", "90") == 0
    printed = float(capsys.readouterr().out)
    record = find_bundle(tmp_path, "rgb_ae").threshold
    assert record is not None
    assert record.threshold == pytest.approx(np.percentile(normal, 90))
    assert printed == pytest.approx(record.threshold, rel=1e-5)
    assert (record.method, record.num_samples) == ("percentile", len(normal))
    assert [path.name for path in tmp_path.iterdir()] == ["rgb_ae"]


def test_a_lot_without_defects_has_no_best_f1_and_changes_nothing(models, tmp_path, capsys):
    folder = Path(shutil.copytree(models / "rgb_ae", tmp_path / "rgb_ae"))
    spec = SyntheticLot(batteries=2, slices=3, views=1, canvas=128, seed=1, defects=0.0)
    good = write_lot(tmp_path / "good", spec, workers=1)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert run("threshold", str(folder), "--data", str(good), "--method", "f1_max") == 2
    assert "defect" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

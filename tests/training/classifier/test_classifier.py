"""The trainer's classifier side: configuration, data, augmentation, a whole small training."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from inspection.classes import class_table
from inspection.errors import ConfigError
from inspection.images.preprocess import load_image, to_model_input
from inspection.images.stack_grey import GreyPolicy, StackWindows
from inspection.lot.scan import scan_lot
from inspection.modelstore.bundle import load_bundle
from inspection.paths import config_path
from inspection.records import ImageRef
from inspection.results import Peak
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.ensemble.cnn import CnnPredictor
from training.__main__ import app
from training.classifier.classifier import read_sides
from training.classifier.config import CnnConfig
from training.classifier.dataset import (
    Slice,
    SliceBatches,
    SliceImages,
    read_slices,
    split_batteries,
)
from training.config import read_training_config
from training.data.image_cache import ImageCache
from training.data.split_files import read_split
from training.data.splits import Split
from training.data.stack_windows import find_windows
from training.data.transforms import letterbox, normalise
from training.evaluation.evaluate import Data, evaluate
from training.evaluation.metrics import (
    calibrate_temperature,
    classification_figures,
    defect_indices,
    points_at_defect,
)
from training.loop.distributed import Processes
from training.loop.runs import TrainingRun

SMALL = [
    "preprocess.width=32",
    "preprocess.height=64",
    "warmup.epochs=1",
    "warmup.crop=32",
    "training.epochs=2",
    "training.batch_size=4",
    "warmup.batch_size=4",
    "architecture.output_stride=16",
]


@pytest.fixture(scope="session")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = SyntheticLot(batteries=12, slices=3, views=0, canvas=128, seed=5, defects=0.75)
    return write_lot(tmp_path_factory.mktemp("lots") / "lot", spec, workers=1)


@pytest.fixture
def config() -> CnnConfig:
    read = read_training_config(config_path("cnn.yaml"), SMALL)
    assert isinstance(read, CnnConfig)
    return read


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))


def stacks_of(slices: list[Slice]) -> list[tuple[str, ImageRef]]:
    return [(item.battery, item.ref) for item in slices]


def images_of(slices: list[Slice], config: CnnConfig, folder: Path) -> SliceImages:
    windows = find_windows(stacks_of(slices), {s.battery for s in slices}, None)[0]
    return SliceImages(slices, config, ImageCache(folder, 1 << 30), windows)


def run(*arguments: str) -> int:
    from inspection.console import run as run_app

    return run_app(app, "trainer", [*arguments])


# -- configuration ---------------------------------------------------------------------------


def test_overrides_reach_the_configuration(config: CnnConfig) -> None:
    assert (config.preprocess.width, config.training.epochs) == (32, 2)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("training.epoch=3", "training.epoch"),
        ("training.epochs=0", "training.epochs"),
        ("training.epochs=many", "training.epochs"),
        ("model=forest", "model"),
        ("training.epochs", "--set"),
        ("name.first=x", "--set"),
        ("split.train=0.9", "sum to 1"),
        ("architecture.in_channels=3", "channels"),
    ],
)
def test_a_wrong_key_or_value_is_named(override: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_training_config(config_path("cnn.yaml"), [override])
    assert named in str(caught.value)


def test_runs_are_named_by_what_matters() -> None:
    overrides = ["training.learning_rate=0.0001", "training.batch_size=32"]
    read = read_training_config(config_path("cnn.yaml"), overrides)
    assert isinstance(read, CnnConfig)
    assert read.run_name == "resnet18_lr1e-4_bs32_wd1e-4"


# -- data ------------------------------------------------------------------------------------


def test_slices_carry_class_and_polygons(lot: Path) -> None:
    slices = read_slices([lot])
    assert len(slices) == 36
    truth = json.loads((lot / "truth.json").read_text(encoding="utf-8"))
    wanted = sum(len(d["numbers"]) for battery in truth.values() for d in battery["internal"])
    defective = [item for item in slices if item.label in defect_indices()]
    assert len(defective) == wanted > 0
    assert all(item.polygons for item in defective)


def test_no_battery_is_on_two_sides(lot: Path) -> None:
    slices = read_slices([lot])
    parts = split_batteries(slices, Split(train=0.6, val=0.2, test=0.2), seed=1)
    owners = [{item.battery for item in part} for part in parts]
    assert sum(map(len, parts)) == len(slices)
    assert not owners[0] & owners[1] | owners[0] & owners[2] | owners[1] & owners[2]
    assert parts == split_batteries(slices, Split(train=0.6, val=0.2, test=0.2), seed=1)


def test_one_battery_cannot_be_split(lot: Path) -> None:
    first = read_slices([lot])[0].battery
    slices = [item for item in read_slices([lot]) if item.battery == first]
    with pytest.raises(ConfigError, match="too few"):
        split_batteries(slices, Split(), seed=0)


def test_the_cache_holds_what_the_station_sees(
    lot: Path, config: CnnConfig, tmp_path: Path
) -> None:
    spec = config.preprocess
    slices = read_slices([lot])
    images = images_of(slices, config, tmp_path)
    reference = find_windows(stacks_of(slices), {s.battery for s in slices}, None)[1]
    windows = StackWindows(GreyPolicy("auto", reference))
    batteries = {battery.battery_id: battery for battery in scan_lot(lot).batteries}
    for index, item in list(enumerate(slices))[:3]:
        size, window = (spec.width, spec.height), windows.of(batteries[item.ref.battery_id]).window
        image = load_image(item.ref.path, modality="ct", fit=size, window=window)
        expected = to_model_input(image, spec)
        found, _ = images.read(index)
        np.testing.assert_array_equal(normalise(found.pixels, spec), expected.array)
        assert (found.content, found.roi) == (expected.content, image.roi)


def test_polygons_follow_the_defect_into_the_input(
    lot: Path, config: CnnConfig, tmp_path: Path
) -> None:
    slices = [item for item in read_slices([lot]) if item.label in defect_indices()][:4]
    images = images_of(slices, config, tmp_path)
    for index in range(len(images)):
        found, polygons = images.read(index)
        content = found.content
        points = np.concatenate(polygons)
        assert (points >= (content.x - 0.5, content.y - 0.5)).all()
        assert (points <= (content.x + content.w + 0.5, content.y + content.h + 0.5)).all()


# -- figures ---------------------------------------------------------------------------------


def test_figures_of_a_known_confusion() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2])
    predicted = [0, 0, 1, 0, 2, 2]
    probabilities = np.full((6, 5), 0.02) + np.eye(5)[predicted] * 0.9
    figures = classification_figures(labels, probabilities)
    assert figures["classes"]["cell_porosity"]["recall"] == 0.5
    assert figures["classes"]["cell_normal"]["precision"] == pytest.approx(2 / 3)
    assert figures["macro_f1"] == pytest.approx((0.8 + 2 / 3 + 1.0) / 3)
    assert figures["confusion"]["rows"][1][0] == 1


def test_a_peak_near_the_polygon_points_at_it() -> None:
    square = np.array([[100, 100], [110, 100], [110, 140], [100, 140]], np.float32)
    for x, hit in ((105, True), (117, True), (119, False)):
        assert points_at_defect(Peak(x=x, y=120, value=1.0), [square]) is hit


def test_overconfident_logits_are_cooled() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 400)
    logits = np.eye(5)[labels] * 2 + rng.normal(size=(400, 5))
    assert calibrate_temperature(logits * 4, labels) == pytest.approx(
        4 * calibrate_temperature(logits, labels), rel=0.06
    )


# -- a whole training ------------------------------------------------------------------------


ALONE = Processes(0, 1, torch.device("cpu"))


def test_batches_are_the_same_for_the_same_seed(
    lot: Path, config: CnnConfig, tmp_path: Path
) -> None:
    images = images_of(read_slices([lot]), config, tmp_path)
    for kind in ("whole", "crops"):
        first, again = (
            list(getattr(SliceBatches(images, config, ALONE), kind)(0)) for _ in range(2)
        )
        other = list(getattr(SliceBatches(images, config, ALONE), kind)(1))
        for one, two in zip(first, again, strict=True):
            np.testing.assert_array_equal(one.inputs, two.inputs)
            np.testing.assert_array_equal(one.heat, two.heat)
        assert any((one.inputs != two.inputs).any() for one, two in zip(first, other, strict=True))
        for batch in first:
            hot = batch.heat.reshape(len(batch.labels), -1).max(axis=1) > 0
            np.testing.assert_array_equal(hot, np.isin(batch.labels, defect_indices()))
        # Two processes share the very same batches, and the threads that prepare them may vary.
        faster = config.model_copy(
            update={"training": config.training.model_copy(update={"workers": 4})}
        )
        halves = [
            list(getattr(SliceBatches(images, faster, Processes(r, 2, ALONE.device)), kind)(0))
            for r in range(2)
        ]
        for whole, even, odd in zip(first, *halves, strict=True):
            np.testing.assert_array_equal(whole.inputs[0::2], even.inputs)
            np.testing.assert_array_equal(whole.labels[1::2], odd.labels)


@pytest.mark.long
def test_training_twice_gives_the_same_usable_bundle(
    lot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = [part for item in SMALL for part in ("--set", item)]
    digests, logs = [], []
    for name in ("first", "second"):
        out = tmp_path / name
        arguments = ["train", str(config_path("cnn.yaml")), "--data", str(lot), "--out", str(out)]
        assert run(*arguments, "--val", str(lot), *overrides) == 0
        bundle = load_bundle(out / "ct_cnn", "ct_cnn")
        digests.append(bundle.manifest.files)
        saved = yaml.safe_load((out / "config.yaml").read_text(encoding="utf-8"))
        assert saved["training"]["epochs"] == 2
        with (out / "log.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert [row["epoch"] for row in rows] == ["1", "2"]
        assert set(rows[0]) == {
            "epoch", "train_loss", "val_loss", "val_f1", "val_accuracy", "val_recall",
        }  # fmt: skip
        assert sorted(path.name for path in out.iterdir()) == [
            "checkpoints", "config.yaml", "ct_cnn", "log.csv", "tensorboard",
        ]  # fmt: skip
        logs.append((out / "log.csv").read_bytes())
    assert digests[0] == digests[1]
    assert logs[0] == logs[1]

    predictor = CnnPredictor(bundle)
    output = predictor.predict(np.zeros((1, 1, 64, 32), np.float32))
    assert output.probabilities.shape == (1, len(class_table().ct))

    start = str(tmp_path / "first" / "ct_cnn")
    arguments = ["train", str(config_path("cnn.yaml")), "--data", str(lot), "--val", str(lot)]
    arguments += [*overrides, "--out", str(tmp_path / "third"), "--init", start]
    assert run(*arguments) == 0
    continued = load_bundle(tmp_path / "third" / "ct_cnn", "ct_cnn").manifest
    assert continued.training["init"] == load_bundle(Path(start), "ct_cnn").sha256
    assert continued.files != digests[0]
    capsys.readouterr()
    elsewhere = ("--out", str(tmp_path / "fourth"))
    assert run(*arguments, *elsewhere, "--set", "architecture.output_stride=32") == 2
    assert "architecture" in capsys.readouterr().err

    assert run("evaluate", str(tmp_path / "first"), "--data", str(lot), "--json") == 0
    figures = json.loads(capsys.readouterr().out)["models"]["ct_cnn"]
    assert figures["images"] == 36
    assert figures["batteries"] == 12
    assert set(figures["macro_f1_per_axis"]) == {"x", "y", "z"}
    assert sum(map(sum, figures["confusion"]["rows"])) == 36
    assert 0 <= figures["macro_f1"] <= 1


def test_mistakes_end_with_one_line_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(config_path("cnn.yaml"))
    out = str(tmp_path / "out")
    for arguments in (
        ["train", config, "--data", str(tmp_path / "none"), "--out", out],
        ["train", str(tmp_path / "none.yaml"), "--data", str(tmp_path), "--out", out],
        ["train", config, "--data", str(tmp_path), "--out", out, "--set", "training.epoch=3"],
        ["evaluate", str(tmp_path), "--data", str(tmp_path)],
        ["train", config],
        ["fly"],
    ):
        assert run(*arguments) == 2
        said = capsys.readouterr().err
        assert len(said.strip().splitlines()) == 1
        assert said.startswith("trainer: ")


def test_an_empty_models_folder_is_named(lot: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no model"):
        evaluate(tmp_path, Data((lot,)))


def test_letterboxed_pixels_are_the_preprocess_without_its_normalisation(
    lot: Path, config: CnnConfig
) -> None:
    item = read_slices([lot])[0]
    image = load_image(item.ref.path, modality="ct")
    pixels, content = letterbox(image, config.preprocess)
    expected = to_model_input(image, config.preprocess)
    np.testing.assert_array_equal(normalise(pixels, config.preprocess), expected.array)
    assert content == expected.content


def test_a_lot_smaller_than_a_batch_is_refused(
    lot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", str(config_path("cnn.yaml")), "--data", str(lot), "--val", str(lot)]
    assert run(*arguments, "--out", str(tmp_path), "--set", "training.batch_size=64") == 2
    assert "too few labelled CT slices" in capsys.readouterr().err


def test_a_split_says_what_is_trained_and_validated_on(
    lot: Path, config: CnnConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("split", str(lot), "--out", str(tmp_path / "split")) == 0
    split = read_split(tmp_path / "split")
    train, val = read_sides(config, TrainingRun(out=tmp_path / "run", split=split))
    assert {item.ref.source for item in train} == split.sources("train", "ct")
    assert {item.ref.source for item in val} == split.sources("val", "ct")
    assert not {item.battery for item in train} & {item.battery for item in val}

    overrides = [part for item in (*SMALL, "warmup.epochs=0") for part in ("--set", item)]
    out = tmp_path / "run"
    arguments = ["train", str(config_path("cnn.yaml")), "--split", str(tmp_path / "split")]
    assert run(*arguments, "--out", str(out), *overrides) == 0
    recorded = load_bundle(out / "ct_cnn", "ct_cnn").manifest.training
    assert (recorded["split"], recorded["data"]) == (split.id, ["lot"])
    capsys.readouterr()
    assert run("train", str(config_path("cnn.yaml")), "--out", str(tmp_path / "none")) == 2
    assert "nothing to train on" in capsys.readouterr().err

"""A tiny training, end to end: lots in, a folder that the station's own predictor loads out."""

from __future__ import annotations

import csv
import threading

import numpy as np
import pytest

from inspection.errors import ConfigError
from inspection.images.preprocess import ImageData
from inspection.modelstore.installed import altered_files, installed_model
from inspection.modelstore.vlg_folder import read_vlg_folder
from inspection.paths import config_path
from inspection.records import Rect
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.vlg.config import load_vlg_config
from inspection.systems.vlg.model import VlgPredictor
from training.config import read_training_config
from training.loop.runs import Run
from training.model_description import describe_folder
from training.vlg.task import VlgTask, train_vlg

TINY = (
    "network.short_side=64",
    "network.long_side=96",
    "network.embed_dim=8",
    "network.depths=[1, 1]",
    "network.heads=[1, 2]",
    "network.window=4",
    "network.width=32",
    "network.feedforward=32",
    "network.attention_heads=2",
    "network.queries=6",
    "network.text_layers=1",
    "training.epochs=2",
    "training.warmup.epochs=1",
    "training.warmup.crop=[48, 48]",
    "training.warmup.samples=8",
    "training.samples=8",
    "training.batch_size=4",
    "training.judged_normals=3",
    "training.precision=float32",
)


@pytest.fixture(scope="module")
def lot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lots") / "lot"
    write_lot(folder, SyntheticLot(batteries=6, slices=3, views=2, canvas=128, seed=5, defects=1.0))
    return folder


def config(*overrides):
    return read_training_config(config_path("demo_vlg.yaml"), [*TINY, *overrides])


def rows(out):
    with (out / "log.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_training_gives_a_folder_that_the_station_loads(lot, tmp_path):
    out = tmp_path / "run"
    folder = train_vlg(config(), Run(out=out, data=(lot,), val=lot))
    model = installed_model(folder, "vlg")
    assert (model.demo, model.family, model.name) == (True, "grounding-dino", "demo-vlg")
    assert list(altered_files(folder, model)) == []
    assert [row["epoch"] for row in rows(out)] == ["1", "2"]

    read = read_vlg_folder(folder, model.family)
    assert read.trained_sides == (64, 96)
    queries = load_vlg_config()
    predictor = VlgPredictor(read, None, "cpu")
    pixels = np.full((120, 50), 90, np.uint8)
    answers = predictor.raw(
        ImageData(pixels, Rect(0, 0, 50, 120), (50, 120)),
        queries.phrases("ct"),
        queries.limits.as_trained(*read.trained_sides),
        cancel=threading.Event(),
    )
    assert [answer.boxes.shape for answer in answers] == [(6, 4)]

    (folder / "model_card.md").write_text("figures", encoding="utf-8")
    run = Run(out=out, data=(lot,), val=lot)
    describe_folder(folder, "vlg", family=model.family, name=model.name, demo=True, run=run)
    assert "model_card.md" in installed_model(folder, "vlg").files


def test_a_resumed_training_ends_as_an_unbroken_one(lot, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train_vlg(config(), Run(out=whole, data=(lot,), val=lot))
    last = rows(whole)[-1]

    class Stop(Exception):
        pass

    judge = VlgTask.judge
    calls = []

    def stops(task):
        calls.append(1)
        if len(calls) == 2:
            raise Stop
        return judge(task)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VlgTask, "judge", stops)
        with pytest.raises(Stop):
            train_vlg(config(), Run(out=broken, data=(lot,), val=lot))
    train_vlg(config(), Run(out=broken, data=(lot,), val=lot, resume=True))
    assert rows(broken)[-1] == last


def test_a_training_goes_on_from_a_folder(lot, tmp_path):
    first = train_vlg(config("training.epochs=1"), Run(out=tmp_path / "a", data=(lot,), val=lot))
    still = config("training.epochs=1", "training.learning_rate=1e-12")
    run = Run(out=tmp_path / "b", data=(lot,), val=lot, init=first)
    train_vlg(still, run)
    with pytest.raises(ConfigError):
        train_vlg(
            config("network.width=64"), Run(out=tmp_path / "c", data=(lot,), val=lot, init=first)
        )


def test_a_lot_to_validate_on_is_needed(lot, tmp_path):
    with pytest.raises(ConfigError):
        train_vlg(config(), Run(out=tmp_path / "run", data=(lot,)))

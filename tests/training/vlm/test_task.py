"""A tiny training, end to end: lots in, a folder that the station's own predictor answers with."""

from __future__ import annotations

import csv
import shutil
import threading

import numpy as np
import pytest
import torch
from builders.tiny_vlm_training import tiny_config, tiny_lot, tiny_teacher
from transformers import Qwen2VLProcessor

from inspection.errors import ConfigError
from inspection.images.preprocess import load_content
from inspection.modelstore.installed import altered_files, installed_model
from inspection.modelstore.vlm_folder import read_vlm_folder
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.vlm.config import Prompts, load_vlm_config
from inspection.systems.vlm.model import VlmPredictor
from training.data.examples import read_examples
from training.loop.runs import Run
from training.vlm.lessons import lesson_of
from training.vlm.task import train_vlm


@pytest.fixture(scope="module")
def lot(tmp_path_factory):
    return tiny_lot(tmp_path_factory.mktemp("lots") / "lot")


@pytest.fixture(scope="module")
def trained(lot, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    return train_vlm(tiny_config(), Run(out=out, data=(lot,), val=lot))


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def test_the_folder_is_a_demo_model_that_the_station_runs(trained, lot):
    model = installed_model(trained, "vlm")
    assert model.demo
    assert (model.family, model.licence) == ("qwen2_vl", "Apache-2.0")
    assert lot.name in model.source
    assert not list(altered_files(trained, model))
    folder = read_vlm_folder(trained)
    assert folder.trained_pixels == (12544, 37632)
    ref = read_examples([lot], 37632)[0].ref
    picture = load_content(ref.path, modality=ref.modality, max_pixels=37632).pixels
    limits = load_vlm_config().limits.model_copy(
        update={"max_pixels": 37632, "min_pixels": 12544, "max_new_tokens": 24}
    )
    told: list[str] = []
    written = VlmPredictor(folder, "cpu").answer(
        picture, "CT", limits, cancel=threading.Event(), on_text=told.append
    )
    assert 12544 <= written.input_size[0] * written.input_size[1] <= 37632
    assert written.text.startswith(told[-1]) or told[-1].startswith(written.text)


def test_weights_are_stored_in_half_precision(trained):
    assert {tensor.dtype for tensor in weights(trained).values()} == {torch.float16}


def test_an_interrupted_training_ends_as_an_unbroken_one(trained, lot, tmp_path):
    """Interrupted after the decoder has learnt for an epoch, so that all has a state to keep."""

    class Stop(Exception):
        pass

    from training.vlm import task as vlm

    class Stopping(vlm.VlmTask):
        def batches(self, epoch):
            if epoch == 3:
                raise Stop
            return super().batches(epoch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vlm, "VlmTask", Stopping)
        with pytest.raises(Stop):
            train_vlm(tiny_config(), Run(out=tmp_path, data=(lot,), val=lot))
    train_vlm(tiny_config(), Run(out=tmp_path, data=(lot,), val=lot, resume=True))
    first, second = (
        torch.load(folder / "checkpoints" / "last.pt", weights_only=True)
        for folder in (trained.parent, tmp_path)
    )
    assert all(torch.equal(first["model"][name], second["model"][name]) for name in first["model"])
    assert first["state"] == second["state"]


def test_every_epoch_is_logged(trained):
    with (trained.parent / "log.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert {"val_sight", "val_judgement", "val_type", "val_iou"} <= rows[0].keys()


def test_training_goes_on_from_a_folder(trained, lot, tmp_path):
    short = tiny_config(
        "imagined.epochs=0",
        "warmup.epochs=0",
        "training.epochs=1",
        "training.learning_rate=1.0e-9",
        "training.matrix_learning_rate=1.0e-9",
    )
    again = train_vlm(short, Run(out=tmp_path, data=(lot,), val=lot, init=trained))
    before, after = weights(trained), weights(again)
    assert all(torch.allclose(before[n].float(), after[n].float(), atol=1e-3) for n in before)


def test_a_tower_at_rest_stays_as_it_was_and_fits_other_tokens(trained, lot, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(trained, other)
    text = (other / "tokenizer.json").read_text(encoding="utf-8")
    (other / "tokenizer.json").write_text(text.replace('"judgement"', '"judgment"'), "utf-8")
    resting = tiny_config("warmup.epochs=0", "training.tower=false", f"training.tower_from={other}")
    again = train_vlm(resting, Run(out=tmp_path / "run", data=(lot,), val=lot))
    before, after = weights(trained), weights(again)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    tower = {n for n in before if n.startswith("visual.") and ".merger." not in n}
    assert tower
    assert not changed & tower
    assert changed == before.keys() - tower


def test_weights_of_another_size_are_refused(trained, lot, tmp_path):
    other = tiny_config("architecture.vision={width: 64, depth: 1, heads: 1}")
    with pytest.raises(ConfigError) as refused:
        train_vlm(other, Run(out=tmp_path, data=(lot,), val=lot, init=trained))
    assert refused.value.message.code == "init_unusable"


def test_weights_of_other_tokens_are_refused(trained, lot, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(trained, other)
    text = (other / "tokenizer.json").read_text(encoding="utf-8")
    (other / "tokenizer.json").write_text(text.replace('"judgement"', '"judgment"'), "utf-8")
    with pytest.raises(ConfigError) as refused:
        train_vlm(tiny_config(), Run(out=tmp_path / "run", data=(lot,), val=lot, init=other))
    assert refused.value.message.code == "init_unusable"


def test_a_lot_to_validate_on_is_asked_for(lot, tmp_path):
    with pytest.raises(ConfigError) as refused:
        train_vlm(tiny_config(), Run(out=tmp_path, data=(lot,)))
    assert refused.value.message.code == "val_needed"


@pytest.mark.parametrize(
    ("data", "val", "code"),
    [("normal", "lot", "examples_missing_ct"), ("lot", "normal", "val_examples_missing")],
)
def test_lots_without_defects_are_refused(lot, tmp_path, data, val, code):
    spec = SyntheticLot(batteries=2, slices=3, views=2, canvas=128, defects=0.0)
    lots = {"lot": lot, "normal": write_lot(tmp_path / "normal", spec)}
    with pytest.raises(ConfigError) as refused:
        train_vlm(tiny_config(), Run(out=tmp_path / "run", data=(lots[data],), val=lots[val]))
    assert refused.value.message.code == code


@pytest.mark.parametrize(
    "override",
    [
        "architecture.text.looked_at=9",
        "architecture.vision.heads=5",
        "training.stepz=1",
        "training={prior: 0.1, defect_share: 1.0}",
    ],
)
def test_a_wrong_configuration_is_refused(override):
    with pytest.raises(ConfigError) as refused:
        tiny_config(override)
    assert refused.value.message.code == "config_invalid"


@pytest.mark.parametrize("modality", ["ct", "rgb"])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_lesson_asks_what_the_station_asks(lot, trained, language, modality):
    """The tokens before an answer, and the pixels, are those that the station makes."""
    example = next(e for e in read_examples([lot], 37632) if e.modality == modality)
    teacher = tiny_teacher()
    batch = teacher.batch([lesson_of(example, example.pixels, example.boxes, language)])
    processor = Qwen2VLProcessor.from_pretrained(trained, use_fast=True)
    prompt = Prompts(load_vlm_config(), "token_thousandths").of(modality, language)
    content = [{"type": "image"}, {"type": "text", "text": prompt}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    seen = load_content(example.ref.path, modality=modality, max_pixels=37632).pixels
    seen = seen if seen.ndim == 3 else np.repeat(seen[..., None], 3, axis=2)
    asked = processor(
        text=[text], images=[seen], input_data_format="channels_last", return_tensors="pt"
    )
    start = int(batch.asked[0]) + 1
    assert asked["input_ids"][0].tolist() == batch.ids[0, :start].tolist()
    assert torch.equal(asked["pixel_values"], batch.sight.patches)
    taught = teacher.tokenizer.decode(batch.targets)
    assert taught.startswith('{"judgement"')
    assert taught.endswith("}<|im_end|>")

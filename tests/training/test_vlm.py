"""A tiny training, end to end: lots in, a folder that the station's own predictor answers with."""

from __future__ import annotations

import csv
import dataclasses
import shutil
import threading

import numpy as np
import pytest
import torch
from transformers import Qwen2VLProcessor

from inspection.errors import ConfigError
from inspection.images import load_content
from inspection.model_store import altered_files, installed_model
from inspection.models.vlm import VlmPredictor
from inspection.models.vlm_folder import read_vlm_folder
from inspection.paths import config_path
from inspection.synthetic import SyntheticLot, write_lot
from inspection.vlm_config import Prompts, load_vlm_config
from training.config import read_training_config
from training.examples import read_examples
from training.runs import Run
from training.vlm import train_vlm
from training.vlm_lessons import Teacher, cut_out, lesson_of
from training.vlm_texts import texts_for_tokenizer
from training.vlm_tokenizer import learn_tokenizer

TINY = (
    "architecture.vision={width: 32, depth: 1, heads: 1}",
    "architecture.text={width: 32, depth: 2, heads: 2, key_value_heads: 1, intermediate: 32,"
    " looked_at: 1}",
    "architecture.min_pixels=12544",
    "architecture.max_pixels=37632",
    "warmup={epochs: 1, steps: 2, batch_size: 4, side: 56}",
    "training.epochs=2",
    "training.steps=2",
    "training.batch_size=4",
    "training.judged=6",
    "training.precision=float32",
)


@pytest.fixture(scope="module")
def lot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lots") / "lot"
    write_lot(folder, SyntheticLot(batteries=6, slices=3, views=2, canvas=128, seed=5, defects=0.7))
    return folder


@pytest.fixture(scope="module")
def trained(lot, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    return train_vlm(config(), Run(out=out, data=(lot,), val=lot))


@pytest.fixture(scope="module")
def teacher():
    prompts = Prompts(load_vlm_config(), "token_thousandths")
    texts = texts_for_tokenizer([prompts.of(m, n) for m in ("ct", "rgb") for n in ("en", "ko")])
    return Teacher(learn_tokenizer(texts, 4096), config().architecture, prompts)


def config(*overrides):
    return read_training_config(config_path("demo_vlm.yaml"), [*TINY, *overrides])


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

    from training import vlm

    class Stopping(vlm.VlmTask):
        def batches(self, epoch):
            if epoch == 2:
                raise Stop
            return super().batches(epoch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vlm, "VlmTask", Stopping)
        with pytest.raises(Stop):
            train_vlm(config(), Run(out=tmp_path, data=(lot,), val=lot))
    train_vlm(config(), Run(out=tmp_path, data=(lot,), val=lot, resume=True))
    first, second = (
        torch.load(folder / "checkpoints" / "last.pt", weights_only=True)
        for folder in (trained.parent, tmp_path)
    )
    assert all(torch.equal(first["model"][name], second["model"][name]) for name in first["model"])
    assert first["state"] == second["state"]


def test_every_epoch_is_logged(trained):
    with (trained.parent / "log.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert {"val_sight", "val_judgement", "val_type", "val_iou"} <= rows[0].keys()


def test_training_goes_on_from_a_folder(trained, lot, tmp_path):
    short = config("warmup.epochs=0", "training.epochs=1", "training.learning_rate=1.0e-9",
                   "training.matrix_learning_rate=1.0e-9")  # fmt: skip
    again = train_vlm(short, Run(out=tmp_path, data=(lot,), val=lot, init=trained))
    before, after = weights(trained), weights(again)
    assert all(torch.allclose(before[n].float(), after[n].float(), atol=1e-3) for n in before)


def test_weights_of_another_size_are_refused(trained, lot, tmp_path):
    other = config("architecture.vision={width: 64, depth: 1, heads: 1}")
    with pytest.raises(ConfigError) as refused:
        train_vlm(other, Run(out=tmp_path, data=(lot,), val=lot, init=trained))
    assert refused.value.message.code == "init_unusable"


def test_weights_of_other_tokens_are_refused(trained, lot, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(trained, other)
    text = (other / "tokenizer.json").read_text(encoding="utf-8")
    (other / "tokenizer.json").write_text(text.replace('"judgement"', '"judgment"'), "utf-8")
    with pytest.raises(ConfigError) as refused:
        train_vlm(config(), Run(out=tmp_path / "run", data=(lot,), val=lot, init=other))
    assert refused.value.message.code == "init_unusable"


def test_a_lot_to_validate_on_is_asked_for(lot, tmp_path):
    with pytest.raises(ConfigError) as refused:
        train_vlm(config(), Run(out=tmp_path, data=(lot,)))
    assert refused.value.message.code == "val_needed"


@pytest.mark.parametrize(
    ("data", "val", "code"),
    [("normal", "lot", "examples_missing_ct"), ("lot", "normal", "val_examples_missing")],
)
def test_lots_without_defects_are_refused(lot, tmp_path, data, val, code):
    spec = SyntheticLot(batteries=2, slices=3, views=2, canvas=128, defects=0.0)
    lots = {"lot": lot, "normal": write_lot(tmp_path / "normal", spec)}
    with pytest.raises(ConfigError) as refused:
        train_vlm(config(), Run(out=tmp_path / "run", data=(lots[data],), val=lots[val]))
    assert refused.value.message.code == code


@pytest.mark.parametrize(
    "override", ["architecture.text.looked_at=9", "architecture.vision.heads=5", "training.stepz=1"]
)
def test_a_wrong_configuration_is_refused(override):
    with pytest.raises(ConfigError) as refused:
        config(override)
    assert refused.value.message.code == "config_invalid"


@pytest.mark.parametrize("modality", ["ct", "rgb"])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_lesson_asks_what_the_station_asks(teacher, lot, trained, language, modality):
    """The tokens before an answer, and the pixels, are those that the station makes."""
    example = next(e for e in read_examples([lot], 37632) if e.modality == modality)
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


def test_a_cut_out_shows_the_whole_defect_where_it_fits(lot):
    rng = np.random.default_rng(1)
    whole = 0
    for example in (e for e in read_examples([lot], 37632) if e.is_defect):
        height, width = example.pixels.shape[:2]
        size = (example.boxes[0, 2:] - example.boxes[0, :2]) * [width, height]
        part = cut_out(example, 64, rng)
        rows, columns = part.pixels.shape[:2]
        assert max(rows, columns) <= 64
        assert part.kinds == example.kinds
        if (size <= 63).all():
            cut = (part.boxes[0, 2:] - part.boxes[0, :2]) * [columns, rows]
            assert np.allclose(cut, size, atol=0.01)
            whole += 1
    assert whole > 0


def test_even_the_smallest_defect_is_on_a_visual_token(teacher, lot):
    example = next(e for e in read_examples([lot], 37632) if e.modality == "ct" and e.is_defect)
    _, rows, columns = (int(n) // 2 for n in _sight(teacher, example, example.boxes).grids[0])
    corner = np.array([1 / columns, 1 / rows], np.float32)
    tiny = np.concatenate([corner - 0.004, corner + 0.004])[None].astype(np.float32)
    kinds = example.kinds[:1]
    sight = _sight(teacher, dataclasses.replace(example, kinds=kinds), tiny)
    assert sight.kinds.any()


def _sight(teacher, example, boxes):
    return teacher.sight([lesson_of(example, example.pixels, boxes, "en")])


def test_what_a_visual_token_shows_is_where_the_defect_is(teacher, lot):
    example = next(e for e in read_examples([lot], 37632) if e.is_defect)
    sight = teacher.sight([lesson_of(example, example.pixels, example.boxes, "en")])
    _, rows, columns = (int(n) // 2 for n in sight.grids[0])
    shown = sight.kinds.any(dim=1)
    assert shown.any()
    assert not shown.all()
    box = torch.from_numpy(example.boxes[0])
    for token in torch.nonzero(shown).flatten().tolist():
        row, column = divmod(token, columns)
        # Its cell meets the defect, and its offsets lead to the defect's sides.
        assert column < box[2] * columns
        assert column + 1 > box[0] * columns
        assert row < box[3] * rows
        assert row + 1 > box[1] * rows
        centre = torch.tensor([column + 0.5, row + 0.5] * 2)
        sides = (sight.offsets[token] + centre) / torch.tensor([columns, rows, columns, rows])
        assert torch.allclose(sides, box, atol=1e-5)


def test_what_follows_a_confidence_is_taught_for_every_confidence(teacher, lot):
    """What is written after it would else be a guess, and the answer no JSON any more."""
    example = read_examples([lot], 37632)[0]
    lesson = lesson_of(example, example.pixels, example.boxes, "en")
    for confidence in (50, 70, 95):
        batch = teacher.batch([dataclasses.replace(lesson, confidence=confidence)])
        assert f'"confidence": 0.{confidence}, "bboxes"' in teacher.tokenizer.decode(batch.targets)

"""A VLM is taught what the station asks it, and judged by what it answers there."""

from __future__ import annotations

import pytest
import torch
from builders.labelled_pictures import labelled_lot, picture_of
from builders.tiny_vlm import write_tiny_vlm

from inspection.modelstore.vlm_folder import read_vlm_folder
from inspection.systems.vlm.config import Prompts, load_vlm_config
from inspection.systems.vlm.model import VlmPredictor
from training.data.examples import read_examples
from training.vlm.answers import answer_of
from training.vlm.judge import judge_vlm
from training.vlm.lessons import NOT_LEARNT, PARTS, AnswerWeights, Lesson, answer_loss, batch_of

CONFIG = load_vlm_config()
PORE = picture_of("ct", "module_porosity", ["porosity"], [[0.25, 0.25, 0.5, 0.75]], (112, 168))
CLEAN = picture_of("rgb", "normal", size=(168, 112))


@pytest.fixture(scope="module")
def predictors(tmp_path_factory):
    """One that writes thousandths and one that writes pixels."""
    folder = tmp_path_factory.mktemp("vlm")
    return {
        family: VlmPredictor(read_vlm_folder(write_tiny_vlm(folder / family, family)), "cpu")
        for family in ("qwen2_vl", "qwen2_5_vl")
    }


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl"])
def test_a_lesson_asks_what_the_station_asks_and_teaches_the_whole_answer(predictors, family):
    predictor = predictors[family]
    scale = predictor.folder.family.scale
    batch = batch_of([Lesson(PORE, "ko", 75), Lesson(CLEAN, "en")], predictor, CONFIG)
    for row, (example, language) in enumerate([(PORE, "ko"), (CLEAN, "en")]):
        prompt = Prompts(CONFIG, scale).of(example.modality, language)
        asked = predictor.prepare(example.image.pixels, prompt, CONFIG.limits)["input_ids"][0]
        assert torch.equal(batch.inputs["input_ids"][row, : len(asked)], asked)
        learnt = batch.parts[row] != NOT_LEARNT
        assert not learnt[: len(asked)].any()
        assert learnt[len(asked) :].sum() == batch.inputs["attention_mask"][row].sum() - len(asked)
        text = predictor.processor.tokenizer.decode(batch.inputs["input_ids"][row][learnt])
        _, height, width = batch.inputs["image_grid_thw"][row].tolist()
        side = predictor.patch
        size = (width * side, height * side) if scale == "input_pixels" else (1000, 1000)
        confidence = 75 if example is PORE else 90
        pieces = answer_of(example, language, confidence, size)
        assert text == "".join(piece for piece, _ in pieces) + "<|im_end|>"


def test_parts_of_an_answer_are_weighed_apart(predictors):
    predictor = predictors["qwen2_vl"]
    batch = batch_of([Lesson(PORE, "en", 75)], predictor, CONFIG)
    ids, parts = batch.inputs["input_ids"][0], batch.parts[0]
    of_part = {
        part: predictor.processor.tokenizer.decode(ids[parts == PARTS.index(part)])
        for part in PARTS
    }
    assert "defect" in of_part["verdict"]
    assert "module_porosity" in of_part["verdict"]
    assert "75" in of_part["confidence"]
    assert "[250, 250, 500, 750]" in of_part["box"]
    logits = torch.zeros(1, len(ids), len(predictor.processor.tokenizer))
    none = AnswerWeights(0.0, 0.0, 0.0, 0.0)
    assert answer_loss(logits, batch, none) == 0
    boxes = answer_loss(logits, batch, AnswerWeights(0.0, 0.0, 0.0, 2.0))
    count = (parts == PARTS.index("box")).sum()
    assert boxes.item() == pytest.approx(2 * count * torch.tensor(float(logits.shape[2])).log())


def test_learning_lowers_the_loss(tmp_path):
    predictor = VlmPredictor(read_vlm_folder(write_tiny_vlm(tmp_path / "vlm")), "cpu")
    batch = batch_of([Lesson(PORE, "en"), Lesson(CLEAN, "ko")], predictor, CONFIG)
    # The last layer alone: the others' weights are set by hand, far from any that were learnt.
    optimiser = torch.optim.AdamW(predictor.model.lm_head.parameters(), lr=1e-3)
    losses = []
    for _ in range(4):
        loss = answer_loss(predictor.model(**batch.inputs).logits, batch, AnswerWeights())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_judge_compares_answers_with_labels(predictors, tmp_path):
    examples = list(read_examples([labelled_lot(tmp_path / "lot")], 37632))
    defects = [e for e in examples if e.kinds]
    chosen = [
        *[e for e in defects if e.modality == "ct"][:2],
        *[e for e in defects if e.modality == "rgb"][:1],
        *[e for e in examples if not e.kinds][:2],
    ]
    # It calls every slice a porous cell and every view normal.
    found = judge_vlm(predictors["qwen2_vl"], chosen, CONFIG)
    right = [e.modality == ("ct" if e.kinds else "rgb") for e in chosen]
    assert (found.pictures, found.defects, found.readable) == (5, 3, 1.0)
    assert found.judgement == pytest.approx(sum(right) / 5)
    typed = [e.name == "cell_porosity" for e in chosen if e.kinds]
    assert found.defect_type == pytest.approx(sum(typed) / 3)
    assert 0 <= found.mean_best_iou < 1
    assert judge_vlm(predictors["qwen2_vl"], [], CONFIG).judgement is None

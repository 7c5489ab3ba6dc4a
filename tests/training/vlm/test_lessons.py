"""What a VLM is shown and is to answer, token by token."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from builders.tiny_vlm_training import tiny_config, tiny_lot, tiny_teacher

from inspection.records import Rect
from inspection.systems.vlm.answers import read_answer
from inspection.systems.vlm.boxes import BoxFrame
from inspection.systems.vlm.config import Prompts, load_vlm_config
from training.data.examples import read_examples
from training.vlm.lessons import COORDINATE, cut_out, lesson_of
from training.vlm.loss import VlmLoss
from training.vlm.network import build_network, order_numbers
from training.vlm.sight import SightCode
from training.vlm.texts import corners_of


@pytest.fixture(scope="module")
def lot(tmp_path_factory):
    return tiny_lot(tmp_path_factory.mktemp("lots") / "lot")


@pytest.fixture(scope="module")
def teacher():
    return tiny_teacher()


def test_a_coordinate_knows_the_box_that_it_is_of(teacher, lot):
    example = next(e for e in read_examples([lot], 37632) if len(e.boxes) == 1)
    batch = teacher.batch([lesson_of(example, example.pixels, example.boxes, "ko")])
    assert batch.defective.tolist() == [True]
    sides = batch.sides[batch.parts == COORDINATE]
    written = torch.tensor(corners_of(example.boxes[0])) / 1000
    assert torch.allclose(sides, written.expand(4, 4))


def test_a_question_is_read_in_few_tokens_and_answers_are_not_spelt_with_them(teacher, lot):
    prompts = Prompts(load_vlm_config(), "token_thousandths")
    for language in ("en", "ko"):
        question = prompts.of("ct", language)
        tokens = teacher.tokenizer.encode(question)
        assert len(tokens) < 30
        assert teacher.tokenizer.decode(tokens) == question
        example = next(e for e in read_examples([lot], 37632) if e.is_defect)
        batch = teacher.batch([lesson_of(example, example.pixels, example.boxes, language)])
        lines = set(teacher.tokenizer.get_added_vocab().values()) & set(tokens)
        assert lines
        assert not lines & set(batch.targets.tolist())


def test_rare_defects_weigh_less_in_the_judgement_than_in_the_batch(teacher, lot):
    examples = read_examples([lot], 37632)
    lessons = [
        lesson_of(e, e.pixels, e.boxes, "en")
        for e in (next(e for e in examples if e.is_defect == kind) for kind in (True, False))
    ]
    batches = [teacher.batch([lesson]) for lesson in lessons]
    torch.manual_seed(0)
    network = build_network(tiny_config().architecture, teacher.tokenizer)

    def losses(*overrides):
        torch.manual_seed(0)  # the heads begin alike
        loss = VlmLoss(network, tiny_config(*overrides), teacher).eval()
        with torch.inference_mode():
            return [float(loss(batch)) for batch in batches]

    plain = losses("training.defect_share=0.5")
    weighed = losses("training.defect_share=0.5", "training.prior=0.1")
    assert weighed[0] < plain[0]
    assert weighed[1] > plain[1]


def test_an_imagined_picture_asks_and_answers_as_a_real_one(teacher, lot):
    """Same questions, same grids, and answers that the station reads."""
    batch = teacher.imagined(24, 0.5, np.random.default_rng(3))
    rows = [teacher.tokenizer.decode(ids) for ids in batch.ids]
    prompts = Prompts(load_vlm_config(), "token_thousandths")
    assert all(_asked_about(row, prompts) for row in rows)
    sides = batch.sight.grids.prod(dim=1) * 14 * 14
    assert sides.min() > 0.6 * 12544
    assert sides.max() < 1.4 * 37632
    assert not len(batch.sight.patches)
    assert batch.defective.float().mean() > 0.5
    frame = BoxFrame("token_thousandths", Rect(0, 0, 1000, 1000), (28, 28))
    for number, defective in enumerate(batch.defective.tolist()):
        text = teacher.tokenizer.decode(batch.targets[batch.rows == number][:-1])
        (modality,) = _asked_about(rows[number], prompts)
        answer = read_answer(text, modality=modality, frame=frame)
        assert answer.form == "json"
        assert answer.judgement == ("defect" if defective else "normal")
        assert bool(answer.boxes) == defective


def _asked_about(row, prompts):
    return {m for m in ("ct", "rgb") for n in ("en", "ko") if prompts.of(m, n) in row}


def test_imagined_tokens_say_what_their_picture_shows(teacher):
    """Read as the tower's are, they tell defective pictures from normal ones, and where."""
    batch = teacher.imagined(48, 0.5, np.random.default_rng(3)).sight
    code = SightCode(tiny_config().architecture.text.width)
    imagined = batch.imagined
    traits, sides = code.read(code.write(imagined.traits, imagined.sides, imagined.rest))
    ends = (batch.grids.prod(dim=1) // 4).cumsum(dim=0).tolist()[:-1]
    wanted, said = batch.kinds[:, :4] > 0, traits[:, :4] > 0
    for one, other in zip(wanted.tensor_split(ends), said.tensor_split(ends), strict=True):
        assert one.any() == other.any()
    assert not (said & ~wanted).any()
    found = said.any(dim=1)
    assert (sides - batch.offsets)[found].abs().mean() < 0.1


def test_neighbouring_numbers_start_alike(teacher):
    network = build_network(tiny_config().architecture, teacher.tokenizer)
    order_numbers(network, list(teacher.numbers))
    rows = network.lm_head.weight[list(teacher.numbers)].detach()
    alike = torch.nn.functional.cosine_similarity(rows[100], rows, dim=1)
    assert alike.argmax() == 100
    assert alike[[99, 101]].min() > alike[[20, 180]].max()


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

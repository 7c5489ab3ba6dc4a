"""What a VLG is to find, as which words, what its boxes lose, and how they are judged."""

from __future__ import annotations

import pytest
import torch
from builders.labelled_pictures import labelled_lot, picture_of
from builders.tiny_vlg import write_bert, write_transformers

from inspection.modelstore.vlg_folder import read_vlg_folder
from inspection.systems.vlg.config import load_vlg_config
from inspection.systems.vlg.model import VlgPredictor
from training.data.examples import read_examples
from training.vlg.judge import judge_vlg
from training.vlg.loss import LossWeights, Proposals, layers_of, matched, question_loss
from training.vlg.targets import questions_of

INSTALLED = load_vlg_config()
# Pictures that are small to the model too: the same code, in a tenth of the time.
CONFIG = INSTALLED.model_copy(update={"limits": INSTALLED.limits.as_trained(192, 256)})
PORE = picture_of("ct", "module_porosity", ["porosity"], [[0.2, 0.4, 0.3, 0.5]], (200, 260))
CLEAN = picture_of("ct", "module_normal", size=(200, 260))


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vlg")
    written = write_transformers(folder / "vlg", write_bert(folder / "bert"))
    return VlgPredictor(read_vlg_folder(written, "grounding-dino"), None, "cpu")


def test_a_defect_answers_to_every_word_for_its_kind(predictor):
    (question,) = questions_of(PORE, predictor, CONFIG)
    assert question.target.boxes.tolist() == [pytest.approx([0.25, 0.45, 0.1, 0.1])]
    ids = predictor.backend.tokenizer(question.caption)["input_ids"]
    named = question.target.tokens[0].nonzero()[:, 0].tolist()
    words = predictor.backend.tokenizer.decode([ids[place] for place in named])
    assert words == "porosity pore void gas bubble"


def test_what_is_not_asked_for_is_no_target(predictor):
    (question,) = questions_of(PORE, predictor, CONFIG, ["resin overflow"])
    assert len(question.target.boxes) == len(question.target.tokens) == 0
    assert len(questions_of(CLEAN, predictor, CONFIG)[0].target.boxes) == 0


def test_the_last_layer_has_one_box_a_defect_and_earlier_ones_all_that_overlap():
    boxes = torch.tensor([[0.52, 0.5, 0.2, 0.2], [0.5, 0.5, 0.2, 0.2], [0.1, 0.1, 0.1, 0.1]])
    said = Proposals(torch.zeros(3, 3), boxes)
    true, tokens = torch.tensor([[0.5, 0.5, 0.2, 0.2]]), torch.ones(1, 3)
    assert matched(said, true, tokens, alone=True).tolist() == [-1, 0, -1]
    assert matched(said, true, tokens, alone=False).tolist() == [0, 0, -1]
    assert matched(said, true[:0], tokens[:0], alone=True).tolist() == [-1, -1, -1]


def test_the_last_layer_says_what_the_station_reads(predictor):
    (question,) = questions_of(PORE, predictor, CONFIG)
    network, tokenizer = predictor.backend.network, predictor.backend.tokenizer
    with torch.inference_mode():
        last = layers_of(network, tokenizer, question)[-1]
        words, boxes = predictor.backend.answer(question.pixels, question.caption)
    torch.testing.assert_close(last.boxes, boxes)
    torch.testing.assert_close(last.words, words[:, : last.words.shape[1]])


def test_pictures_with_and_without_defects_teach(predictor):
    network, tokenizer = predictor.backend.network, predictor.backend.tokenizer
    (there,), (nothing,) = (questions_of(e, predictor, CONFIG) for e in (PORE, CLEAN))
    doubt, taught = (question_loss(network, tokenizer, q, LossWeights()) for q in (nothing, there))
    assert 0 < doubt.item() < float("inf")
    assert 0 < taught.item() < float("inf")
    (doubt + taught).backward()
    gradients = [p.grad for p in network.bbox_embed.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)
    network.zero_grad()


def test_a_judge_counts_boxes_against_labels(predictor, tmp_path):
    examples = list(read_examples([labelled_lot(tmp_path / "lot")], 40_000))
    chosen = [*[e for e in examples if e.kinds][:2], *[e for e in examples if not e.kinds][:1]]
    found = judge_vlg(predictor, chosen, CONFIG)
    assert found.boxes["images"] == 3
    assert found.boxes["defects"] == sum(len(e.boxes) for e in chosen)
    assert found.false_boxes is not None
    assert judge_vlg(predictor, [], CONFIG).false_boxes is None

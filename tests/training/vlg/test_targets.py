"""What the VLG is asked in training, what it should answer, and where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from inspection.errors import ConfigError
from inspection.paths import config_path
from inspection.records import MODALITIES, ImageRef
from inspection.systems.vlg.config import load_vlg_config
from training.config import read_training_config
from training.data.examples import Example
from training.vlg.batches import Batch, Target, cut, pace, padded, plan, target
from training.vlg.config import (
    CaptionConfig,
    VlgLossConfig,
    VlgNetwork,
    VlgTraining,
    VlgWarmup,
)
from training.vlg.loss import Answer, VlgLoss, found, near, overlaps_of, places_of
from training.vlg.network import build_network, build_tokenizer, scaled
from training.vlg.text import Captions

NETWORK = VlgNetwork(
    short_side=64,
    long_side=96,
    embed_dim=8,
    depths=(1, 1),
    heads=(1, 2),
    window=4,
    width=32,
    feedforward=32,
    attention_heads=2,
    queries=6,
    text_layers=1,
)


@pytest.fixture(scope="module")
def captions():
    queries = load_vlg_config()
    phrases = [phrase for modality in MODALITIES for phrase in queries.phrases(modality)]
    return Captions(queries, build_tokenizer(phrases, 64))


def example(kind=None, *, modality="ct", shape=(90, 40), number=1):
    ref = ImageRef(Path(f"{number}.png"), modality, str(number), None, 0, "module", None, None)
    kinds = (kind,) if kind else ()
    boxes = np.tile(np.array([[0.2, 0.4, 0.3, 0.5]], np.float32), (len(kinds), 1))
    pixels = np.zeros(shape if modality == "ct" else (*shape, 3), np.uint8)
    return Example(ref, pixels, kind or "normal", kinds, boxes)


def test_the_demo_configuration_is_read_and_unknown_keys_are_refused():
    config = read_training_config(config_path("demo_vlg.yaml"))
    assert config.demo
    with pytest.raises(ConfigError):
        read_training_config(config_path("demo_vlg.yaml"), ["network.layers=3"])
    with pytest.raises(ConfigError):
        read_training_config(config_path("demo_vlg.yaml"), ["network.heads=[2]"])
    with pytest.raises(ConfigError):
        read_training_config(config_path("demo_vlg.yaml"), ["captions.parts=0.95"])


def test_any_phrase_can_be_said(captions):
    caption = captions.of(["quite new"])
    unknown = 100
    assert unknown not in caption.ids
    assert len(caption.spans["quite new"]) == len("quitenew")
    assert len(captions.of(["pore"]).spans["pore"]) == 1


def test_a_defect_answers_to_every_word_for_its_kind(captions):
    caption = captions.full("ct")
    tokens = captions.tokens(caption, "porosity")
    expected = [t for p in ("porosity", "pore", "void", "gas bubble") for t in caption.spans[p]]
    assert tokens == expected
    assert captions.tokens(caption, "damaged") == []


def test_captions_lack_what_they_are_to_lack(captions):
    rng = np.random.default_rng(0)
    for _ in range(20):
        lacking = captions.drawn(
            "rgb", ["damaged"], CaptionConfig(parts=0, lacking=1, foreign=0), rng
        )
        assert captions.tokens(lacking, "damaged") == []
        foreign = captions.drawn("ct", [], CaptionConfig(parts=0, lacking=0, foreign=1), rng)
        assert set(foreign.phrases) & set(load_vlg_config().phrases("rgb"))
    whole = captions.drawn("ct", [], CaptionConfig(parts=0, lacking=0, foreign=0), rng)
    assert whole == captions.full("ct")


def test_what_is_not_asked_for_is_no_target(captions):
    pore = example("porosity")
    asked = target(pore.kinds, pore.boxes, captions.full("ct"), captions, 30)
    assert asked.boxes.tolist() == [pytest.approx([0.25, 0.45, 0.1, 0.1])]
    assert asked.tokens.sum() == 5
    other = captions.of(["resin overflow"])
    assert len(target(pore.kinds, pore.boxes, other, captions, 30).boxes) == 0


def test_steps_are_of_one_modality_and_alike_in_shape():
    grey = [example("porosity" if n % 2 else None, shape=(90, 30 + n), number=n) for n in range(40)]
    colour = [example(None if n % 3 else "damaged", modality="rgb", number=n) for n in range(20)]
    training = VlgTraining(samples=40, batch_size=4, defect_share=0.5, rgb_share=0.4)
    steps = plan([*grey, *colour], training, 0)
    assert len(steps) == 10
    assert sum(step[0].modality == "rgb" for step in steps) == 4
    for step in steps:
        assert len({e.modality for e in step}) == 1
        assert sum(e.is_defect for e in step) == 2
    widths = [[e.pixels.shape[1] for e in step if e.is_defect] for step in steps]
    assert max(max(w) - min(w) for w in widths) <= 10
    assert plan([*grey, *colour], training, 0) == steps
    assert plan([*grey, *colour], training, 1) != steps


def test_a_part_of_a_picture_holds_a_defect_where_it_was():
    rng = np.random.default_rng(2)
    pixels = np.zeros((100, 80), np.uint8)
    pixels[40:50, 60:66] = 255
    boxes = np.array([[0.75, 0.4, 0.825, 0.5]], np.float32)
    for _ in range(20):
        part, there, kept = cut(pixels, boxes, (30, 40), rng)
        assert part.shape == (40, 30)
        assert kept.tolist() == [True]
        left, top, right, bottom = np.round(there[0] * [30, 40, 30, 40]).astype(int)
        assert (part[top:bottom, left:right] == 255).all()
        assert (part == 255).sum() == 60
    both = np.concatenate([boxes, [[0, 0, 0.1, 0.1]]]).astype(np.float32)
    assert 1 <= cut(pixels, both, (30, 40), rng)[2].sum() < 2
    large = np.array([[0.1, 0.1, 0.9, 0.9]], np.float32)
    part, there, kept = cut(pixels, large, (60, 80), rng)
    assert there == pytest.approx(np.array([[0, 0, 1, 1]]), abs=1e-6)
    assert cut(pixels, boxes[:0], (30, 40), rng)[0].shape == (40, 30)


def test_the_first_epochs_are_the_warm_up():
    warmup = VlgWarmup(epochs=2, samples=64, batch_size=8)
    training = VlgTraining(samples=40, batch_size=4, warmup=warmup)
    assert [pace(training, epoch) for epoch in range(3)] == [(64, 8), (64, 8), (40, 4)]


def test_places_are_in_the_networks_own_order():
    torch.manual_seed(0)
    model = build_network(NETWORK, 1101)
    places = places_of(NETWORK, 70, 50)
    with torch.inference_mode():
        out = model.model(
            pixel_values=torch.zeros(1, 3, 70, 50), input_ids=torch.tensor([[101, 1040, 1012, 102]])
        )
        _, proposals = model.model.generate_encoder_output_proposals(
            out.encoder_last_hidden_state_vision,
            torch.zeros(1, len(places.centres), dtype=torch.bool),
            [(18, 13), (9, 7)],
        )
    inside = proposals[0].isfinite().all(-1)
    assert len(proposals[0]) == len(places.centres)
    torch.testing.assert_close(proposals[0, inside, :2].sigmoid(), places.centres[inside])


def test_places_near_a_defect_learn_it_and_those_around_are_left_out():
    places = places_of(VlgNetwork(), 416, 160)
    tokens = torch.ones(1, 5, dtype=torch.bool)
    pair = near(places, Target(torch.tensor([[0.5, 0.5, 0.025, 0.1]]), tokens))  # 4 x 42 pixels
    taught = places.centres[pair == 0]
    assert 4 <= len(taught) <= 24
    assert ((taught - 0.5).abs() * torch.tensor([160.0, 416.0])).max() < 16
    assert places.stages[pair == 0].unique().tolist() == [0]
    assert 0 < (pair == -2).sum() < 100
    large = near(places, Target(torch.tensor([[0.5, 0.1, 0.6, 0.2]]), tokens))
    assert places.stages[large == 0].unique().tolist() == [2]
    assert (near(places, Target(torch.zeros(0, 4), tokens[:0])) == -1).all()


def test_the_last_layer_has_one_box_a_defect_and_earlier_ones_all_that_overlap():
    target = Target(torch.tensor([[0.5, 0.5, 0.2, 0.2]]), torch.ones(1, 3, dtype=torch.bool))
    boxes = torch.tensor([[0.52, 0.5, 0.2, 0.2], [0.5, 0.5, 0.2, 0.2], [0.1, 0.1, 0.1, 0.1]])
    answer = Answer(torch.zeros(3, 3), boxes)
    assert found(answer, target, alone=True).tolist() == [-1, 0, -1]
    assert found(answer, target, alone=False).tolist() == [0, 0, -1]
    nothing = Target(torch.zeros(0, 4), torch.zeros(0, 3, dtype=torch.bool))
    assert found(answer, nothing, alone=True).tolist() == [-1, -1, -1]


def test_overlaps_are_those_of_the_paper():
    unit = torch.tensor([[0.5, 0.5, 1.0, 1.0]])
    plain, enclosed = overlaps_of(unit, torch.tensor([[2.5, 0.5, 1.0, 1.0]]))
    assert plain.item() == 0
    assert enclosed.item() == pytest.approx(-1 / 3)
    plain, enclosed = overlaps_of(unit, torch.tensor([[0.75, 0.5, 0.5, 1.0]]))
    assert plain.item() == enclosed.item() == pytest.approx(0.5)


def test_scaled_weights_give_scaled_logits_and_the_same_boxes(captions):
    torch.manual_seed(3)
    model = build_network(NETWORK, 1101).eval()
    with torch.no_grad():
        for layer in model.bbox_embed[0].layers:
            layer.weight.normal_(0, 0.3)
    ids = torch.tensor([captions.full("ct").ids])
    pixels = torch.rand(1, 3, 90, 64)
    with torch.inference_mode():
        before = model(pixel_values=pixels, input_ids=ids)
        after = scaled(model, 1.7)(pixel_values=pixels, input_ids=ids)
    length = ids.shape[1]
    wanted = 1.7 * before.logits[..., :length]
    torch.testing.assert_close(after.logits[..., :length], wanted, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(after.pred_boxes, before.pred_boxes, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("once", [False, True])
def test_a_batch_without_defects_teaches_doubt_and_one_with_them_boxes(captions, once):
    torch.manual_seed(4)
    model = build_network(NETWORK, 1101)
    loss = VlgLoss(model, NETWORK, VlgLossConfig(once=once))
    caption = captions.full("ct")
    ids, mask = padded([caption, captions.of(["pore"])])
    pore = example("porosity")
    there = target(pore.kinds, pore.boxes, caption, captions, ids.shape[1])
    nothing = target((), pore.boxes[:0], caption, captions, ids.shape[1])
    pixels = torch.rand(2, 3, 90, 60)
    doubt = loss(Batch(pixels, ids, mask, (nothing, nothing)))
    assert 0 < doubt.item() < 1
    taught = loss(Batch(pixels, ids, mask, (there, nothing)))
    assert doubt.item() < taught.item() < float("inf")
    taught.backward()
    gradients = [p.grad for p in model.bbox_embed.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)

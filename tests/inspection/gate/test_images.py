"""What the gate says of single pictures, as the model is given them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inspection.config import GateConfig
from inspection.gate.images import ImageGate, measure
from inspection.images.preprocess import ImageData, ModelInput, Preprocess, to_model_input
from inspection.records import Rect
from training.gate.fit import LookedAt, fit_gate

CT = Preprocess(modality="ct", width=48, height=96, channels=1, mean=(0.5,), std=(0.5,))
RGB = Preprocess(modality="rgb", width=96, height=48, channels=3, mean=(0.4,) * 3, std=(0.2,) * 3)
ROI = Rect(0, 0, 200, 400)


def prepared(pixels, spec: Preprocess = CT) -> ModelInput:
    pixels = np.asarray(pixels, np.uint8)
    if spec.channels == 3:
        pixels = np.dstack([pixels] * 3)
    height, width = pixels.shape[:2]
    return to_model_input(ImageData(pixels, Rect(0, 0, width, height), (width, height)), spec)


def grained(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(110, 30, (400, 200)), 0, 255).astype(np.uint8)


def codes(pixels, roi: Rect = ROI, config: GateConfig | None = None, spec=CT, references=None):
    image = prepared(pixels, spec)
    features = {"grid": cv2.resize(image.array[0], (4, 8)).ravel()}
    gate = ImageGate(config or GateConfig(), spec, references)
    (found,) = gate.look(["a.png"], [image], [roi], [features])
    return [message.code for message in found.failed]


def references():
    def looked(first: int) -> LookedAt:
        images = [prepared(grained(seed)) for seed in range(first, first + 64)]
        return LookedAt(
            {"grid": np.stack([cv2.resize(i.array[0], (4, 8)).ravel() for i in images])},
            np.array(["cell_normal"] * 64),
            np.array([measure(i, CT).sharpness for i in images]),
            np.array([f"lot/{n // 8}" for n in range(64)]),
        )

    return fit_gate(looked(0), looked(64), "0" * 64)


@pytest.mark.parametrize("spec", [CT, RGB], ids=["ct", "rgb"])
@pytest.mark.parametrize(
    ("pixels", "roi", "code"),
    [
        (np.full((400, 200), 130) + np.arange(200) % 2, ROI, "gate_flat"),
        (np.where(np.arange(200) > 60, 255, 40) * np.ones((400, 1)), ROI, "gate_saturated"),
        (grained(), Rect(0, 0, 20, 400), "gate_tiny"),
    ],
)
def test_a_picture_that_shows_nothing_is_stopped(pixels, roi, code, spec):
    assert code in codes(pixels, roi, spec=spec)
    assert codes(grained(), spec=spec) == []


def test_what_the_model_has_not_seen_the_like_of_is_stopped():
    known = references()
    assert codes(grained(999), references=known) == []
    assert codes(255 - grained(), references=known) == ["gate_unlike"]
    assert "gate_blurred" in codes(cv2.GaussianBlur(grained(), (0, 0), 6), references=known)


def test_a_check_that_is_switched_off_stops_nothing():
    flat = np.full((400, 200), 130) + np.arange(200) % 2
    assert codes(flat, config=GateConfig.off(), references=references()) == []


def test_only_the_same_picture_has_the_same_digest():
    one, other = grained(), grained()
    other[100:110, 50:60] = 0
    assert measure(prepared(one), CT).digest == measure(prepared(one.copy()), CT).digest
    assert measure(prepared(one), CT).digest != measure(prepared(other), CT).digest


def test_the_reason_quotes_value_and_limit_in_both_languages():
    image = prepared(grained())
    gate = ImageGate(GateConfig(), CT, None)
    (found,) = gate.look(["a.png"], [image], [Rect(0, 0, 20, 400)], [{}])
    for language in ("en", "ko"):
        said = found.failed[0].text(language)
        assert "a.png" in said
        assert "20" in said
        assert "32" in said

"""What of a CT slice is shown before it is judged, and where it could not be."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from inspection.images.display import StackDisplay, dtype_window, load_shown, own_window
from inspection.images.grey import GreyLevels
from inspection.images.preprocess import load_image
from inspection.images.stack_grey import GreyPolicy
from inspection.records import ImageRef
from inspection.results import StackGrey

AUTO = partial(GreyPolicy, "auto", GreyLevels(air=10.0, body=120.0))
STORED = {
    "8 bits": lambda grey: grey.astype(np.uint8),
    "12 of 16 bits": lambda grey: (grey * 16.0).astype(np.uint16),
    "an offset": lambda grey: (12_000 + grey * 78.0).astype(np.uint16),
    "signed": lambda grey: (grey * 20.0 - 1_000).astype(np.int16),
    "float": lambda grey: (grey * 0.0031 - 0.2).astype(np.float32),
}


@pytest.fixture
def stack(tmp_path):
    """Write a few slices of a body in air, stored in one of the ways."""

    def write(how: str) -> list[Path]:
        rng = np.random.default_rng(5)
        paths = []
        for number in range(4):
            grey = rng.normal(12.0, 2.0, (200, 160))
            grey[40:170, 30:130] = rng.normal(120.0, 12.0, (130, 100))
            grey[90:96, 60 + number : 90 + number] = 60.0
            paths.append(tmp_path / f"{how.replace(' ', '_')}_{number}.tif")
            tifffile.imwrite(paths[-1], STORED[how](np.clip(grey, 0, 255)))
        return paths

    return write


def display_of(paths: list[Path], policy=AUTO) -> StackDisplay:
    refs = [
        ImageRef(
            path=path,
            modality="ct",
            battery_id="1",
            axis="z",
            number=number,
            battery_type=None,
            form=None,
            label_path=None,
        )
        for number, path in enumerate(paths)
    ]
    return StackDisplay(refs, policy)


def greys(shown) -> tuple[float, float]:
    """Median of the body, and of the rim of what is shown."""
    pixels = shown.window.apply(shown.stored)
    return float(np.median(pixels[20:-20, 20:-20])), float(np.median(pixels[0]))


@pytest.mark.parametrize("how", STORED)
@pytest.mark.parametrize("policy", [AUTO, GreyPolicy])
def test_a_slice_that_was_not_judged_is_readable_however_it_is_stored(stack, how, policy):
    # With and without a model that says which greys it was trained on.
    paths = stack(how)
    shown = load_shown(paths[0], side=2000, stack=display_of(paths, policy))
    body, air = greys(shown)
    assert body > 90
    assert body - air > 60
    assert shown.seen is None


def test_every_slice_of_a_stack_has_the_same_greys(stack):
    paths = stack("an offset")
    for policy in (AUTO, GreyPolicy):
        display = display_of(paths, policy)
        windows = {load_shown(path, side=2000, stack=display).window for path in paths}
        assert len(windows) == 1


@pytest.mark.parametrize("how", ["8 bits", "an offset"])
def test_a_judged_slice_is_shown_as_the_model_saw_it(stack, how):
    path = stack(how)[0]
    judged = StackGrey(method="fixed", low=11_500.0, high=31_000.0)
    if how == "8 bits":
        judged = StackGrey(method="dtype")
    shown = load_shown(path, side=2000, judged=judged)
    window = None if how == "8 bits" else shown.window
    seen = load_image(path, modality="ct", window=window)
    assert shown.seen == shown.window
    assert shown.roi == seen.roi
    assert np.array_equal(shown.window.apply(shown.stored), seen.pixels)


def test_what_a_judge_refuses_as_black_is_shown_all_the_same(stack):
    paths = stack("12 of 16 bits")
    judged = StackGrey(method="dtype")
    shown = load_shown(paths[0], side=2000, judged=judged, stack=display_of(paths))
    assert greys(shown)[0] > 90
    assert shown.window != shown.seen


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_the_window_of_a_type_drops_the_low_byte_as_the_decoder_does(dtype):
    info = np.iinfo(dtype)
    values = np.arange(info.min, info.max + 1).astype(dtype).reshape(16, -1)
    expected = values if dtype == np.uint8 else (values >> 8) + (128 if info.min else 0)
    assert np.array_equal(dtype_window(values).apply(values), expected)


def test_a_canvas_without_a_picture_is_no_part_of_the_range():
    picture = np.zeros((400, 400), np.uint16)
    picture[:80, :80] = np.linspace(12_000, 30_000, 6_400).reshape(80, 80)
    low, high = own_window([picture])
    assert 11_900 < low < 12_500
    assert 29_500 < high <= 30_000


def test_a_jpeg_is_decoded_at_the_scale_of_the_screen(tmp_path):
    pixels = np.full((2400, 800), 5, np.uint8)
    pixels[200:2200, 100:700] = 130
    cv2.imwrite(str(tmp_path / "s.jpg"), pixels)
    shown = load_shown(tmp_path / "s.jpg", side=500)
    assert 500 <= max(shown.stored.shape) <= 1000
    assert shown.roi.h == pytest.approx(2000, abs=40)

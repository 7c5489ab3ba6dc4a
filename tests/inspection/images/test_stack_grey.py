"""A verdict must not depend on how a stack was stored: levels, windows, and what cannot be had."""

import cv2
import numpy as np
import pytest

from inspection.images.grey import GreyLevels, GreyWindow
from inspection.images.preprocess import load_image
from inspection.images.stack_grey import GreyPolicy, find_stack_grey, levels_of
from inspection.lot.scan import scan_lot
from inspection.records import ImageRef
from inspection.synthetic import SyntheticLot, write_lot

REFERENCE = GreyLevels(6.0, 114.0)
STORED = {
    "12 of 16 bits": lambda grey: (grey * 16.0).astype(np.uint16),
    "13 of 16 bits": lambda grey: (grey * 32.0).astype(np.uint16),
    "14 of 16 bits": lambda grey: (grey * 64.0).astype(np.uint16),
    "16 bits": lambda grey: (grey * 257.0).astype(np.uint16),
    "a reconstruction's offset": lambda grey: (12_000 + grey * 78.0).astype(np.uint16),
    "float": lambda grey: (grey * np.float32(0.0031) - np.float32(0.2)).astype(np.float32),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """The slices of a battery as they were drawn, 8 bits."""
    spec = SyntheticLot(batteries=1, slices=9, views=1, canvas=256, seed=5, defects=1.0)
    (battery,) = scan_lot(write_lot(tmp_path_factory.mktemp("lots") / "lot", spec)).batteries
    return [cv2.imread(str(ref.path), cv2.IMREAD_UNCHANGED) for ref in battery.ct]


def written(folder, pictures, suffix=".tif"):
    folder.mkdir()
    refs = []
    for number, picture in enumerate(pictures):
        path = folder / f"s_{number:03d}{suffix}"
        path.write_bytes(cv2.imencode(suffix, picture)[1].tobytes())
        refs.append(ImageRef(path, "ct", "001", "z", number, "cell", "pouch", None))
    return refs


@pytest.mark.parametrize("how", STORED)
def test_what_the_model_sees_does_not_depend_on_how_the_stack_was_stored(stack, tmp_path, how):
    policy = GreyPolicy("auto", REFERENCE)
    shown = []
    for name, pictures in (("as drawn", stack), (how, [STORED[how](p) for p in stack])):
        slices = written(tmp_path / name, pictures)
        grey = find_stack_grey(slices, policy)
        assert (grey.method, grey.problem) == ("auto", None)
        window = GreyWindow(grey.low, grey.high)
        shown.append([load_image(r.path, modality="ct", window=window) for r in slices])
    for drawn, stored in zip(*shown, strict=True):
        assert stored.roi == drawn.roi
        difference = np.abs(stored.pixels.astype(int) - drawn.pixels)
        assert difference.max() <= 1
        assert difference.mean() < 0.02


def test_air_and_body_become_the_levels_of_the_training(stack, tmp_path):
    slices = written(tmp_path / "dim", [(20 + p * 0.6).astype(np.uint8) for p in stack])
    grey = find_stack_grey(slices, GreyPolicy("auto", REFERENCE))
    window = GreyWindow(grey.low, grey.high)
    read = [cv2.imread(str(ref.path), cv2.IMREAD_UNCHANGED) for ref in slices]
    seen = levels_of([window.apply(stored) for stored in read])
    assert seen.air == pytest.approx(REFERENCE.air, abs=1.0)
    assert seen.body == pytest.approx(REFERENCE.body, abs=1.0)


def test_a_canvas_of_another_value_than_air_is_not_taken_for_air(stack):
    reconstructed = [np.where(p > 0, 12_000 + p * 78.0, 0).astype(np.uint16) for p in stack]
    levels = levels_of(reconstructed)
    assert levels.air == pytest.approx(12_000 + 6.3 * 78, abs=150)


def test_air_that_was_cut_to_one_value_is_still_air(stack):
    cut = [np.where(p < 40, 0, p * np.float32(100)) for p in stack]
    levels, drawn = levels_of(cut), levels_of(stack)
    assert levels.air < 600
    assert levels.body == pytest.approx(drawn.body * 100, rel=0.05)


def test_one_body_has_the_same_levels_as_pictures_and_as_a_volume(tmp_path):
    found = []
    for form in ("jpeg", "tiff-stack"):
        spec = SyntheticLot(batteries=1, views=1, canvas=128, seed=5, bits="8", form=form)
        (battery,) = scan_lot(write_lot(tmp_path / form, spec, workers=1)).batteries
        found.append(find_stack_grey(battery.ct, GreyPolicy("auto", REFERENCE)))
    pictures, volume = found
    # Here planes begin and end in air, and come in another order.
    assert volume.air == pytest.approx(pictures.air, abs=1.0)
    assert volume.body == pytest.approx(pictures.body, rel=0.02)


def test_slices_without_a_body_have_no_window(tmp_path):
    empty = np.full((64, 64), 900, np.uint16)
    empty[5, 5] = 40_000  # a hot pixel
    flat = written(tmp_path / "flat", [empty] * 4)
    grey = find_stack_grey(flat, GreyPolicy("auto", REFERENCE))
    assert grey.problem.code == "grey_not_found"


def test_a_stack_with_hardly_any_values_is_told(stack, tmp_path):
    dark = written(tmp_path / "dark", [(p // 8).astype(np.uint8) for p in stack])
    grey = find_stack_grey(dark, GreyPolicy("auto", REFERENCE))
    assert grey.problem.code == "grey_few_steps"


def test_a_stack_that_is_white_from_some_row_on_is_told(stack, tmp_path):
    white = [p.copy() for p in stack]
    for picture in white:
        picture[len(picture) // 4 :] = 255
    grey = find_stack_grey(written(tmp_path / "white", white), GreyPolicy("auto", REFERENCE))
    assert grey.problem.code == "grey_saturated"


def test_a_single_slice_takes_its_type_and_a_fixed_window_is_taken_as_it_is(stack, tmp_path):
    slices = written(tmp_path / "one", [p.astype(np.uint16) * 257 for p in stack])
    alone = find_stack_grey(slices[:1], GreyPolicy("auto", REFERENCE))
    assert (alone.method, alone.problem.code) == ("dtype", "grey_stack_small")
    fixed = find_stack_grey(slices, GreyPolicy((100.0, 50_000.0), REFERENCE))
    assert (fixed.method, fixed.low, fixed.high) == ("fixed", 100.0, 50_000.0)


def test_signed_values_are_windowed_by_their_own_order():
    window = GreyWindow(-1000.0, 1040.0)
    values = np.array([[-2000, -1000, -200, 1040, 3000]], np.int16)
    assert window.apply(values).tolist() == [[0, 0, 100, 255, 255]]

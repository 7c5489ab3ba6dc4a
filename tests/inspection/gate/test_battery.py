"""What the gate says of a battery's images together."""

from __future__ import annotations

import pytest

from inspection.config import GateConfig
from inspection.gate.battery import battery_checks
from inspection.results import ImageResult


def slice_of(number: int, body: str = "cell", **changes) -> ImageResult:
    shown = {f"{body}_normal": 0.97, f"{body}_porosity": 0.02}
    facts = {"digest": f"{number:04x}", "brightness": 100.0, "unlike": 0.4, "probabilities": shown}
    return ImageResult(
        image=f"ct/s_{number:03d}.png",
        modality="ct",
        axis="z",
        number=number,
        state="done",
        **facts | changes,
    )


def codes(images, battery_type=None, config: GateConfig | None = None):
    said = battery_checks(images, battery_type, config or GateConfig(), {"ct": 0.8, "rgb": 0.8})
    return [message.code for message in said]


def test_an_ordinary_stack_passes():
    assert codes([slice_of(n) for n in range(20)], "cell") == []


@pytest.mark.parametrize(("same", "stopped"), [(3, False), (4, True), (6, True)])
def test_a_scanner_that_hangs_is_told_by_the_pictures_that_repeat(same, stopped):
    images = [slice_of(n, digest="frozen" if n < same else f"{n}") for n in range(12)]
    assert (codes(images) == ["gate_identical_ct"]) is stopped


def test_dark_slices_beyond_the_body_may_be_alike():
    images = [slice_of(n) for n in range(20)]
    images += [slice_of(n, digest="dark", brightness=3.0) for n in range(20, 26)]
    assert codes(images) == []


@pytest.mark.parametrize(
    ("battery_type", "modules", "expected"),
    [
        (None, 2, []),
        (None, 8, ["gate_contradicting_module"]),
        ("cell", 20, ["gate_contradicting_name_module"]),
        ("module", 20, []),
        ("cell", 2, []),
    ],
)
def test_slices_of_another_body_contradict_the_most_or_the_name(battery_type, modules, expected):
    images = [slice_of(n, "module" if n < modules else "cell") for n in range(20)]
    assert codes(images, battery_type) == expected


def test_slices_that_are_not_sure_contradict_nothing():
    unsure = {"cell_normal": 0.5, "module_normal": 0.5}
    images = [slice_of(n, probabilities=unsure) for n in range(20)]
    assert codes(images, "cell") == []


def test_a_stack_is_strange_as_a_whole_although_each_of_its_images_passes():
    assert codes([slice_of(n, unlike=0.9) for n in range(12)]) == ["gate_strange_ct"]
    few = [slice_of(n, unlike=0.9 if n < 4 else 0.4) for n in range(12)]
    assert codes(few) == []


def test_nothing_is_said_where_every_check_is_off():
    images = [slice_of(n, digest="frozen", unlike=0.9) for n in range(12)]
    assert codes(images, "module", GateConfig.off()) == []

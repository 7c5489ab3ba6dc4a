"""What the gate says of batteries beside the others of their lot."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspection.config import GateConfig
from inspection.gate.lot import facts_of, lot_checks
from inspection.records import Battery, ImageRef
from inspection.results import Box, ImageResult


def battery(key: str, *, count: int = 10, side: int = 100, grey: float = 90.0, body="cell"):
    images = [
        ImageResult(
            image=f"{key}/s_{n}.png",
            modality="ct",
            axis="z",
            number=n,
            state="done",
            roi=Box(x=0, y=0, w=side, h=2 * side),
            digest=f"{key}-{n}",
            brightness=grey,
        )
        for n in range(count)
    ]
    ref = ImageRef(Path("a.png"), "ct", key, "z", 0, body, None, None)
    return facts_of(images, Battery(key, key, None, ct=(ref,)))


def usual(count: int = 6, **changes):
    return {f"{n:03d}": battery(f"{n:03d}", **changes) for n in range(count)}


def found(lot, config: GateConfig | None = None):
    said = lot_checks(lot, config or GateConfig())
    return {name: [message.code for message in messages] for name, messages in said.items()}


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        ({"count": 4}, "gate_fewer_ct"),
        ({"side": 40}, "gate_resized_ct"),
        ({"side": 250}, "gate_resized_ct"),
        ({"grey": 160.0}, "gate_brightness_ct"),
    ],
)
def test_what_stands_out_of_the_lot_is_left_to_the_operator(odd, code):
    assert found(usual()) == {}
    assert found({**usual(), "odd": battery("odd", **odd)}) == {"odd": [code]}


def test_the_order_of_the_batteries_does_not_matter():
    lot = {**usual(), "odd": battery("odd", count=4)}
    assert found(lot) == found(dict(reversed(lot.items())))


def test_a_cell_is_compared_with_cells_only():
    modules = {f"m{n}": battery(f"m{n}", side=300, body="module") for n in range(6)}
    assert found({**usual(), **modules}) == {}


def test_pictures_that_two_batteries_share_stop_both():
    lot = {**usual(), "copy": battery("002")}
    assert found(lot) == {"002": ["gate_copied_ct"], "copy": ["gate_copied_ct"]}
    said = lot_checks(lot, GateConfig())["copy"][0]
    assert said.params == {"count": 10, "battery": "002"}


def test_few_batteries_do_not_tell_what_is_usual():
    assert found({**usual(2), "odd": battery("odd", count=4)}) == {}

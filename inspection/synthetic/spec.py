"""What a synthetic lot is asked to be, and which battery gets which defects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from inspection.records import BatteryType

Visibility = Literal["clear", "hard", "faint"]
VISIBILITIES: tuple[Visibility, ...] = ("clear", "hard", "faint")
VISIBILITY_SHARES = (0.7, 0.2, 0.1)
LotForm = Literal["slices", "jpeg", "tiff-stack", "dicom", "raw"]
"""What the CT of a battery is written as: ``slices`` are drawn one by one, each axis for itself;
all others are one body, seen whole or in all its planes."""
Bits = Literal["8", "12", "16"]
REFERENCE_CANVAS = 512
"""Sizes in the renderers are in pixels at this canvas and scale with it."""


class SyntheticLot(BaseModel):
    """A lot to be made: the same values give the same files.

    ``style`` is the number of a look that the demo models do not know (`style_of`). ``slices``
    counts those of ``form`` ``slices`` alone, as ``bits`` is of volumes alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batteries: int = Field(default=74, ge=1, le=999)
    slices: int = Field(default=12, ge=3, le=3000)
    views: int = Field(default=6, ge=0, le=999)
    canvas: int = Field(default=512, ge=128, le=4000)
    seed: int = Field(default=0, ge=0)
    defects: float = Field(default=0.4, ge=0.0, le=1.0)
    form: LotForm = "slices"
    bits: Bits = "16"
    style: int | None = Field(default=None, ge=0)


@dataclass(frozen=True, slots=True)
class BatteryPlan:
    """One battery's fate; ``internal`` and ``external`` name a defect type or are None."""

    number: int
    battery_type: BatteryType
    internal: str | None
    external: str | None
    internal_visibility: Visibility
    external_visibility: Visibility


def plan_lot(spec: SyntheticLot) -> list[BatteryPlan]:
    """Return the batteries of a lot: exact shares, in an order that tells nothing.

    About a third are cells. Of the defective ones 40 % are defective inside only, 35 % outside
    only and 25 % both; pores come in cells and modules, resin overflow in half of the
    defective modules.
    """
    rng = np.random.default_rng([spec.seed, 0])
    count = spec.batteries
    types = _shares(count, {"cell": 1 / 3, "module": 2 / 3}, rng)
    defective = round(count * spec.defects)
    where = _shares(defective, {"inside": 0.40, "outside": 0.35, "both": 0.25}, rng)
    where += ["nowhere"] * (count - defective)
    rng.shuffle(where)
    plans = []
    resin_next = bool(rng.integers(2))
    for number, (battery_type, place) in enumerate(zip(types, where, strict=True), start=1):
        internal = external = None
        if place in ("inside", "both"):
            internal = "porosity"
            if battery_type == "module":
                internal = "resin_overflow" if resin_next else "porosity"
                resin_next = not resin_next
        if place in ("outside", "both"):
            external = str(rng.choice(["pollution", "damaged"]))
        grades = rng.choice(len(VISIBILITIES), size=2, p=VISIBILITY_SHARES)
        plans.append(
            BatteryPlan(
                number=number,
                battery_type="cell" if battery_type == "cell" else "module",
                internal=internal,
                external=external,
                internal_visibility=VISIBILITIES[grades[0]],
                external_visibility=VISIBILITIES[grades[1]],
            )
        )
    return plans


def _shares(count: int, shares: dict[str, float], rng: np.random.Generator) -> list[str]:
    """Return ``count`` names in the given shares, largest remainders rounded up, shuffled."""
    exact = {name: count * share for name, share in shares.items()}
    whole = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: whole[name] - exact[name])
    for name in by_remainder[: count - sum(whole.values())]:
        whole[name] += 1
    names = [name for name, number in whole.items() for _ in range(number)]
    rng.shuffle(names)
    return names

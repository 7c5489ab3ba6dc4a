"""Grey windows of the stacks that a model is trained on, and the levels that all are brought to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property

import numpy as np

from inspection.images.grey import GreyLevels, GreyWindow
from inspection.images.stack_grey import SMALLEST_STACK, levels_of, sample_stack
from inspection.modelstore.bundle import Bundle
from inspection.records import ImageRef

DEEP_LEVELS = GreyLevels(8.0, 112.0)
"""Of a training whose stacks are all deeper than 8 bits: there is room for metal, which is twice
as bright as the mean of a body."""


class DeepStack:
    """The window of a stack of more than 8 bits, where no model says which levels it wants.

    Parameters
    ----------
    slices : of one battery, in its order
    """

    def __init__(self, slices: Sequence[ImageRef]) -> None:
        self._slices = slices

    @cached_property
    def window(self) -> GreyWindow | None:
        """Found when it is first asked for; None where values are what their type says."""
        samples = sample_stack(self._slices)
        if len(samples) < SMALLEST_STACK or all(sample.dtype == np.uint8 for sample in samples):
            return None
        levels = levels_of(samples)
        return levels.window_to(DEEP_LEVELS) if levels else None


def find_windows(
    slices: Iterable[tuple[str, ImageRef]], taught: Collection[str], start: Bundle | None
) -> tuple[dict[str, GreyWindow | None], GreyLevels | None]:
    """Return the window of each battery's stack, and the levels that they bring it to.

    Those are the ones of the model that the training starts from; by default the medians of the
    training stacks of 8 bits, and `DEEP_LEVELS` where there is none.

    Parameters
    ----------
    slices : battery and reference of each, in the order of the stacks
    taught : batteries that are trained on
    start : the model that the training starts from
    """
    stacks: dict[str, list[ImageRef]] = {}
    for battery, ref in slices:
        stacks.setdefault(battery, []).append(ref)
    found = {}
    eight_bits: set[str] = set()
    for battery, stack in stacks.items():
        samples = sample_stack(stack)
        found[battery] = levels_of(samples) if len(samples) >= SMALLEST_STACK else None
        if all(sample.dtype == np.uint8 for sample in samples):
            eight_bits.add(battery)
    known = start.manifest.grey_levels if start is not None else None
    if known is not None:
        reference = GreyLevels(known.air, known.body)
    else:
        rows = {b: levels for b, levels in found.items() if levels and b in taught}
        if not rows:
            return dict.fromkeys(found), None
        reference = DEEP_LEVELS
        # Stored values of more bits are not on the scale of the pictures that a model sees.
        if shallow := [levels for battery, levels in rows.items() if battery in eight_bits]:
            air, body = np.median(np.array(shallow), axis=0)
            reference = GreyLevels(float(air), float(body))
    return {
        battery: levels.window_to(reference) if levels is not None else None
        for battery, levels in found.items()
    }, reference

"""Grey windows of the stacks that a model is trained on, and the levels that all are brought to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from inspection.images.grey import GreyLevels, GreyWindow
from inspection.images.stack_grey import SMALLEST_STACK, levels_of, sample_stack
from inspection.modelstore.bundle import Bundle


def find_windows(
    slices: Iterable[tuple[str, Path]], taught: Collection[str], start: Bundle | None
) -> tuple[dict[str, GreyWindow | None], GreyLevels | None]:
    """Return the window of each battery's stack, and the levels that they bring it to.

    Those are the ones of the model that the training starts from; by default the medians of the
    training stacks.

    Parameters
    ----------
    slices : battery and file of each, in the order of the stacks
    taught : batteries that are trained on
    start : the model that the training starts from
    """
    stacks: dict[str, list[Path]] = {}
    for battery, path in slices:
        stacks.setdefault(battery, []).append(path)
    found = {}
    for battery, paths in stacks.items():
        samples = sample_stack(paths)
        found[battery] = levels_of(samples) if len(samples) >= SMALLEST_STACK else None
    known = start.manifest.grey_levels if start is not None else None
    if known is not None:
        reference = GreyLevels(known.air, known.body)
    else:
        rows = [levels for battery, levels in found.items() if levels and battery in taught]
        if not rows:
            return dict.fromkeys(found), None
        air, body = np.median(np.array(rows), axis=0)
        reference = GreyLevels(float(air), float(body))
    return {
        battery: levels.window_to(reference) if levels is not None else None
        for battery, levels in found.items()
    }, reference

"""Splits by battery: neighbouring slices of one body are near copies, and copies leak."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inspection.errors import ConfigError
from training.config import Split
from training.dataset import Slice


def split_batteries(
    slices: Sequence[Slice], split: Split, seed: int
) -> tuple[list[Slice], list[Slice], list[Slice]]:
    """Return (train, val, test) slices; no battery is in two of them.

    Batteries are dealt per class, so that every class with enough of them is in every part.

    Raises
    ------
    ConfigError
        If there are too few batteries to train and to validate on.
    """
    classes: dict[str, int] = {}
    for item in slices:
        # A battery counts for its rarest class: the defect rather than the slices around it.
        classes[item.battery] = max(classes.get(item.battery, 0), item.label)
    sides: dict[str, int] = {}
    rng = np.random.default_rng(seed)
    for label in sorted(set(classes.values())):
        batteries = sorted(name for name, found in classes.items() if found == label)
        order = [batteries[i] for i in rng.permutation(len(batteries))]
        train_end = round(split.train * len(order))
        val_end = round((split.train + split.val) * len(order))
        for rank, name in enumerate(order):
            sides[name] = 0 if rank < train_end else 1 if rank < val_end else 2
    parts = tuple([item for item in slices if sides[item.battery] == side] for side in range(3))
    if not parts[0] or (split.val > 0 and not parts[1]):
        raise ConfigError("too_few_batteries", found=len(classes))
    return parts

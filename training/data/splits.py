"""Splits by battery: neighbouring slices of one body are near copies, and copies leak."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Self

import numpy as np
from pydantic import model_validator

from inspection.config import Config, Fraction
from training.data.split_files import PARTS, Part

_ROUNDING = 1e-9


class Split(Config):
    """Shares of batteries; a battery is never on two sides."""

    train: Fraction = 0.70
    val: Fraction = 0.15
    test: Fraction = 0.15

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        if abs(self.train + self.val + self.test - 1.0) > 1e-6:
            raise ValueError("train, val and test must sum to 1")
        return self

    def share(self, part: Part) -> float:
        """Return a part's share."""
        return {"train": self.train, "val": self.val, "test": self.test}[part]


def part_sizes(count: int, split: Split) -> dict[Part, int]:
    """Return how many of `count` batteries each part gets, summing to `count`.

    Training is rounded down, and what is left is shared by the other two, the odd one going to
    the test: 74 become 51, 11 and 12. Every part with a share gets at least one where there are
    enough, training first.
    """
    # A product such as 0.29 · 100 falls just short of a whole number.
    train = math.floor(count * split.train + _ROUNDING)
    held_share = split.val + split.test
    held = count - train
    val = math.floor(held * split.val / held_share + _ROUNDING) if held_share > _ROUNDING else 0
    sizes: dict[Part, int] = {"train": train, "val": val, "test": held - val}
    served = [part for part in PARTS if split.share(part) > _ROUNDING][:count]
    for part in served:
        if sizes[part] == 0:
            donors = [p for p in PARTS if sizes[p] > (1 if p in served else 0)]
            giver = max(donors, key=lambda p: sizes[p])
            sizes[giver] -= 1
            sizes[part] += 1
    return sizes


def deal(
    groups: Sequence[Mapping[str, Collection[str]]], split: Split, seed: int
) -> dict[str, Part]:
    """Deal batteries to the parts, every group by itself and every class over all of them.

    A battery counts for the rarest of its classes first: rare classes are dealt while every part
    has room, so that they reach each part where they have a battery for it. What a class lacks
    in a part after one group it gets from the next.

    Parameters
    ----------
    groups : classes of every battery, by battery; each group is split in the shares exactly
    split : the shares
    seed : the same seed deals the same batteries alike

    Returns
    -------
    dict
        The part of every battery.
    """
    rng = np.random.default_rng(seed)
    often = Counter(label for group in groups for labels in group.values() for label in set(labels))
    expected: Counter[str] = Counter()
    dealt: dict[Part, Counter[str]] = {part: Counter() for part in PARTS}
    parts: dict[str, Part] = {}
    for group in groups:
        room = part_sizes(len(group), split)
        # Sorted first: the draw must not depend on the order in which a lot was scanned.
        names = sorted(group)
        names = [names[i] for i in rng.permutation(len(names))]
        expected.update(label for name in names for label in set(group[name]))
        labels = sorted(
            {label for name in names for label in group[name]},
            key=lambda label: (often[label], label),
        )
        for label in labels:
            for name in names:
                if name in parts or label not in group[name]:
                    continue
                # How far each part is behind in this class.
                behind = {
                    part: (
                        dealt[part][label] == 0 and split.share(part) > 0,
                        expected[label] * split.share(part) - dealt[part][label],
                        room[part],
                    )
                    for part in PARTS
                    if room[part]
                }
                part = max(behind, key=behind.__getitem__)
                parts[name] = part
                room[part] -= 1
                dealt[part].update(set(group[name]))
    return parts

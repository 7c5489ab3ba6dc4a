"""Which images of a battery the VLM and the VLG look at: the same ones, chosen once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from inspection.config import Sampling
from inspection.errors import LotError
from inspection.records import Battery, ImageRef, image_name
from inspection.results import ChosenImages

POLL_SECONDS = 0.2
SAMPLE_KEY = "sample"
"""In a session's ``config``: the seed of the sample, or null."""


def sample_of(config: Mapping[str, object]) -> int | None:
    """Return the seed that a session was begun with, None where images are chosen by score."""
    seed = config.get(SAMPLE_KEY)
    return seed if isinstance(seed, int) else None


class ImageChooser:
    """Chooses images for the lanes of one run. Shared by their threads.

    Parameters
    ----------
    sampling : how many, and how long to wait for the ensemble
    lot_root : images are named relative to it
    with_ensemble : True where the ensemble takes part in the run
    seed : draw a sample instead, as a labelled comparison needs: a choice by the ensemble's own
        scores would favour it
    """

    def __init__(
        self,
        sampling: Sampling,
        lot_root: Path,
        *,
        with_ensemble: bool,
        seed: int | None = None,
    ) -> None:
        self._sampling = sampling
        self._lot_root = lot_root
        self._seed = seed
        self._changed = threading.Condition()
        self._with_ensemble = with_ensemble and seed is None
        self._worst: dict[str, tuple[str, ...]] = {}
        self._chosen: dict[str, ChosenImages] = {}

    def set_worst(self, battery_id: str, slices: Sequence[str], views: Sequence[str]) -> None:
        """Take the ensemble's worst images of a battery, worst first."""
        count = self._sampling.worst_per_modality
        with self._changed:
            self._worst[battery_id] = (*slices[:count], *views[:count])
            self._changed.notify_all()

    def set_chosen(self, battery_id: str, chosen: ChosenImages) -> None:
        """Keep to the images that were chosen for a battery in an earlier run."""
        with self._changed:
            self._chosen[battery_id] = chosen

    def stop_waiting(self) -> None:
        """Stop waiting: the ensemble says nothing more."""
        with self._changed:
            self._with_ensemble = False
            self._changed.notify_all()

    def choose(self, battery: Battery, cancel: threading.Event) -> ChosenImages:
        """Return a battery's images; the first lane that asks decides for every lane.

        Waits a limited time for the ensemble; ends early once ``cancel`` is set.
        """
        until = time.monotonic() + self._sampling.wait_seconds
        with self._changed:
            while (
                battery.battery_id not in self._chosen
                and battery.battery_id not in self._worst
                and self._with_ensemble
                and not cancel.is_set()
                and time.monotonic() < until
            ):
                self._changed.wait(POLL_SECONDS)
            if battery.battery_id not in self._chosen:
                self._chosen[battery.battery_id] = self._choose(battery)
            return self._chosen[battery.battery_id]

    def refs(self, battery: Battery, chosen: ChosenImages) -> list[ImageRef]:
        """Return the chosen images themselves, in order.

        Raises
        ------
        LotError
            If one that was chosen in an earlier run is no longer in the lot: what is said of
            another could not be compared.
        """
        by_name = {image_name(ref, self._lot_root): ref for ref in (*battery.ct, *battery.rgb)}
        for name in chosen.images:
            if name not in by_name:
                raise LotError("chosen_image_gone", name=name)
        return [by_name[name] for name in chosen.images]

    def _choose(self, battery: Battery) -> ChosenImages:
        ct = [image_name(ref, self._lot_root) for ref in battery.ct]
        rgb = [image_name(ref, self._lot_root) for ref in battery.rgb]
        wanted = self._sampling.images_per_battery
        # Split evenly, CT first; what one modality lacks goes to the other.
        of_ct = min(len(ct), max((wanted + 1) // 2, wanted - len(rgb)))
        shares = of_ct, min(len(rgb), wanted - of_ct)
        if self._seed is not None:
            draw = random.Random(f"{self._seed}/{battery.battery_id}")
            images = [
                name
                for names, count in zip((ct, rgb), shares, strict=True)
                for name in sorted(draw.sample(names, count), key=names.index)
            ]
            return ChosenImages(method="sample", seed=self._seed, images=images)
        worst = self._worst.get(battery.battery_id, ())
        images = [
            name
            for names, count in zip((ct, rgb), shares, strict=True)
            for name in _worst_and_even(names, count, worst)
        ]
        return ChosenImages(method="worst_and_even" if worst else "even", images=images)


def _worst_and_even(names: Sequence[str], count: int, worst: Iterable[str]) -> list[str]:
    """Return the worst ones, worst first, then evenly spaced ones that differ from them."""
    first = [name for name in worst if name in names][:count]
    left = [name for name in names if name not in first]
    missing = min(count - len(first), len(left))
    # The middle of each of `missing` equal parts: the ends of a scan show air.
    return first + [left[(2 * i + 1) * len(left) // (2 * missing)] for i in range(missing)]

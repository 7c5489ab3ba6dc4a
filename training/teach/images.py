"""Which images a teaching learns from, which it keeps apart, and which it leaves out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from inspection.errors import ConfigError, InspectionError
from inspection.images.body_planes import with_body
from inspection.images.decoding import Decoder
from inspection.lot.chosen import good_images
from inspection.lot.scan import scan_lot
from inspection.messages import Message
from inspection.modelstore.seen import SeenImages, fingerprints
from inspection.modelstore.teaching import FEWEST_BATTERIES, NotTaught, TeachRequest, UsedBattery
from inspection.records import Battery, ImageRef, Lot, Modality, image_name, source_path
from training.autoencoder.views import View
from training.data.prefetch import prefetch

SHARES = {"threshold": 0.2, "judged": 0.2}
"""Of the batteries, for each part that is not learned from."""
FEWEST_TO_JUDGE = 5
"""With fewer batteries none is kept for judging alone."""
MOST_TAUGHT = 1200
"""Images to learn from; of more, evenly spaced ones tell as much."""
MOST_JUDGED = 1200
"""Images to judge; of more, neighbours from the middle of each battery, for runs are judged."""
READERS = 4

OnImage = Callable[[int, int], None]
Images = Mapping[str, tuple[ImageRef, ...]]
Part = Literal["taught", "threshold", "judged"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The images of a teaching.

    Parameters
    ----------
    lot : scanned
    batteries : of the lot, by id; of volumes only the planes that show the body
    taught, threshold, judged, defective : images by battery
    left_out : batteries and images, and why
    """

    lot: Lot
    batteries: Mapping[str, Battery]
    taught: Images
    threshold: Images
    judged: Images
    defective: Images
    left_out: tuple[NotTaught, ...]

    @property
    def used(self) -> tuple[UsedBattery, ...]:
        """The good batteries, those that are learned from first."""
        parts: tuple[tuple[Part, Images], ...] = (
            ("taught", self.taught),
            ("threshold", self.threshold),
            ("judged", self.judged),
        )
        return tuple(
            UsedBattery(battery=name, images=len(refs), part=part)
            for part, images in parts
            for name, refs in images.items()
        )

    @property
    def held_out(self) -> Images:
        """All that is not learned from."""
        return {**self.threshold, **self.judged}


def choose(
    request: TeachRequest, modality: Modality, on_image: OnImage, seen: SeenImages | None = None
) -> Chosen:
    """Return the images of a request that can be read, dealt by battery.

    Parameters
    ----------
    seen : by the model in use: what it knows cannot be what the two are compared on

    Raises
    ------
    LotError
        If the folder is no lot any more.
    ConfigError
        If fewer than three good batteries are left.
    """
    lot = scan_lot(Path(request.lot))
    wanted = {*request.batteries, *request.defective}
    batteries = {b.battery_id: with_body(b) for b in lot.batteries if b.battery_id in wanted}
    shown = Lot(lot.root, tuple(batteries.values()))
    good = good_images(shown, request.batteries, modality)
    left_out = [NotTaught(name=name, reason=reason) for name, reason in good.left_out]
    all_refs = [ref for refs in good.used.values() for ref in refs]
    broken = {}
    for done, (ref, error) in enumerate(prefetch(_tried, all_refs, READERS), start=1):
        if error is not None:
            broken[ref.source] = error
            left_out.append(NotTaught(name=image_name(ref, lot.root), reason=error))
        on_image(done, len(all_refs))
    readable = {
        name: tuple(ref for ref in refs if ref.source not in broken)
        for name, refs in good.used.items()
    }
    readable = {name: refs for name, refs in readable.items() if refs}
    if len(readable) < FEWEST_BATTERIES:
        raise ConfigError("teach_few_batteries", found=len(readable), least=FEWEST_BATTERIES)
    known = {name for name, refs in readable.items() if seen is not None and _known(refs, seen)}
    parts = _dealt(sorted(readable), known, request.seed)
    taught, threshold, judged = (
        {name: refs for name, refs in readable.items() if parts[name] == part}
        for part in ("taught", "threshold", "judged")
    )
    defective = {
        name: battery.rgb if modality == "rgb" else battery.ct
        for name, battery in batteries.items()
        if name in request.defective and name not in readable
    }
    taught = _spaced(taught, MOST_TAUGHT)
    threshold, judged, defective = (
        _neighbours({name: refs for name, refs in images.items() if refs}, MOST_JUDGED)
        for images in (threshold, judged, defective)
    )
    for name, refs in {**taught, **threshold, **judged}.items():
        if len(refs) < len(readable[name]):
            params: dict[str, str | int | float] = {"used": len(refs), "found": len(readable[name])}
            left_out.append(
                NotTaught(name=name, reason=Message(code="teach_enough_images", params=params))
            )
    return Chosen(lot, batteries, taught, threshold, judged, defective, tuple(left_out))


def _dealt(names: Sequence[str], known: Collection[str], seed: int) -> dict[str, Part]:
    """Deal batteries to the parts: neighbouring images of one body are near copies.

    Those that the model in use does not know are judged first.
    """
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    order.sort(key=lambda name: name in known)
    alone = round(SHARES["judged"] * len(names)) if len(names) >= FEWEST_TO_JUDGE else 0
    limits = max(1, round(SHARES["threshold"] * len(names)))
    parts: dict[str, Part] = dict.fromkeys(order, "taught")
    parts |= dict.fromkeys(order[:alone], "judged")
    parts |= dict.fromkeys(order[alone : alone + limits], "threshold")
    return parts


def _known(refs: Sequence[ImageRef], seen: SeenImages) -> bool:
    # Of a battery a model has seen all images, or evenly spaced ones, or those of the middle.
    tried = {source_path(refs[place].source) for place in (0, len(refs) // 2)}
    return not seen.prints.isdisjoint(fingerprints(sorted(tried)))


def views_of(images: Mapping[str, Sequence[ImageRef]]) -> list[View]:
    """Return images by battery as the trainings take them."""
    return [View(ref, name) for name, refs in images.items() for ref in refs]


def _tried(ref: ImageRef) -> tuple[ImageRef, Message | None]:
    """Return why an image cannot be read, None where it can."""
    try:
        Decoder(ref.source, ref.modality).stored(0.25)
    except InspectionError as error:
        return ref, error.message
    return ref, None


def _spaced(
    images: Mapping[str, tuple[ImageRef, ...]], most: int
) -> dict[str, tuple[ImageRef, ...]]:
    """Return so many evenly spaced images in all, about as many of each battery."""
    share = max(1, most // max(1, len(images)))
    return {name: refs[:: -(-len(refs) // share)] for name, refs in images.items()}


def _neighbours(
    images: Mapping[str, tuple[ImageRef, ...]], most: int
) -> dict[str, tuple[ImageRef, ...]]:
    """Return the middle images of each battery and axis, so many in all."""
    found = {}
    share = max(1, most // max(1, len(images)))
    for name, refs in images.items():
        axes = {ref.axis for ref in refs}
        each = max(3, share // len(axes))
        kept: list[ImageRef] = []
        for axis in sorted(axes, key=str):
            stack = [ref for ref in refs if ref.axis == axis]
            first = max(0, (len(stack) - each) // 2)
            kept += stack[first : first + each]
        found[name] = tuple(kept)
    return found

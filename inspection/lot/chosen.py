"""Which images of batteries that somebody calls good can be learned from. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inspection.lot.truth import read_truth
from inspection.messages import Message
from inspection.records import ImageRef, Lot, Modality, image_name


@dataclass(frozen=True, slots=True)
class GoodImages:
    """What is used of some batteries.

    Parameters
    ----------
    used : images by battery
    left_out : battery or image, and why
    """

    used: Mapping[str, tuple[ImageRef, ...]]
    left_out: tuple[tuple[str, Message], ...]


def good_images(lot: Lot, batteries: Sequence[str], modality: Modality) -> GoodImages:
    """Return the images of good batteries, without those that a label calls defective.

    Parameters
    ----------
    lot : scanned
    batteries : ids of good ones
    modality : of the images
    """
    known = {battery.battery_id: battery for battery in lot.batteries}
    used: dict[str, tuple[ImageRef, ...]] = {}
    left_out: list[tuple[str, Message]] = []
    for name in dict.fromkeys(batteries):
        battery = known.get(name)
        if battery is None:
            left_out.append((name, Message(code="teach_battery_gone")))
            continue
        images = battery.rgb if modality == "rgb" else battery.ct
        good = []
        for ref in images:
            truth = read_truth(ref)
            if truth.is_defect:
                reason = Message(code="teach_labelled_defect", params={"name": str(truth.name)})
                left_out.append((image_name(ref, lot.root), reason))
            else:
                good.append(ref)
        if good:
            used[name] = tuple(good)
        elif not images:
            params = {"modality": modality.upper()}
            left_out.append((name, Message(code="teach_no_images", params=params)))
    return GoodImages(used, tuple(left_out))

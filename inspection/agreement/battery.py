"""Three systems' words on the same images of one battery, in one form. Pure.

An abstention (``review``, an image that could not be judged, an answer that could not be read)
is neither normal nor defect: it agrees with nothing and contradicts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from inspection.agreement.cells import Cell, battery_cell, image_cell, silent_cell
from inspection.agreement.overlap import corners_of, overlap
from inspection.messages import Message
from inspection.records import Axis, Modality
from inspection.results import SYSTEMS, AnyImage, BatteryResult, Box, SystemName

Agreement = Literal["agree", "conflict", "open"]
"""``agree``: at least two systems decided, all alike, and none that was asked abstained.
``conflict``: two systems decided differently. ``open``: neither."""
Pair = tuple[SystemName, SystemName]
PAIRS: tuple[Pair, ...] = tuple(combinations(SYSTEMS, 2))


@dataclass(frozen=True, slots=True)
class BoxOverlap:
    """How two systems' boxes on one image overlap, as intersection over union.

    Parameters
    ----------
    best : of the best pair; 0 where none touch
    mean : over pairs matched one to one, the best first; 0 where none touch
    """

    best: float
    mean: float


@dataclass(frozen=True, slots=True)
class ImageComparison:
    """One image with every system's word on it.

    Parameters
    ----------
    image, modality, axis, number : which image; ``image`` is its name in the lot
    size : (width, height) of the source, None where no system read it
    cells : one of each system, in the order of ``SYSTEMS``
    judgement, defect_type : whether the systems agree
    overlaps : of the pairs of systems that both have boxes here
    """

    image: str
    modality: Modality
    axis: Axis | None
    number: int
    size: tuple[int, int] | None
    cells: Mapping[SystemName, Cell]
    judgement: Agreement
    defect_type: Agreement
    overlaps: Mapping[Pair, BoxOverlap]

    @property
    def conflict(self) -> bool:
        """True where the systems contradict each other."""
        return "conflict" in (self.judgement, self.defect_type)


@dataclass(frozen=True, slots=True)
class BatteryComparison:
    """One battery as the three systems see it.

    Parameters
    ----------
    battery_id : the battery
    cells : each system's word on the battery as a whole; the ensemble's is the station's verdict,
        made from all images
    images : those that the VLM and the VLG looked at, in their order
    judgement : whether the systems agree on the battery
    defect_type : whether they agree on the types, by the images: systems that name the internal
        and the external defect of one battery do not contradict each other
    method : how the images were chosen, the same for every system; None where none were
    """

    battery_id: str
    cells: Mapping[SystemName, Cell]
    images: tuple[ImageComparison, ...]
    judgement: Agreement
    defect_type: Agreement
    method: Literal["worst_and_even", "even", "sample"] | None

    @property
    def favours_ensemble(self) -> bool:
        """True where the ensemble's own scores had a say in the choice of images."""
        return self.method == "worst_and_even"

    @property
    def conflict(self) -> bool:
        """True where the systems contradict each other on the battery or on an image of it."""
        own = "conflict" in (self.judgement, self.defect_type)
        return own or any(image.conflict for image in self.images)

    @property
    def compared(self) -> bool:
        """True where the VLM or the VLG took part."""
        return any(self.cells[name].state != "missing" for name in ("vlm", "vlg"))


def compare_battery(
    result: BatteryResult, images: Sequence[str] | None = None
) -> BatteryComparison:
    """Set the systems' words side by side.

    Parameters
    ----------
    result : the battery's whole result
    images : names of the images to compare; by default those that the VLM and the VLG looked at
    """
    said = {name: {image.image: image for image in result.images_of(name)} for name in SYSTEMS}
    if images is None:
        chosen = (name for choice in result.chosen.values() for name in choice.images)
        images = list(dict.fromkeys([*chosen, *said["vlm"], *said["vlg"]]))
    compared = tuple(
        _compare_image(result, name, found)
        for name in images
        if (found := {system: s[name] for system, s in said.items() if name in s})
    )
    cells = {name: battery_cell(result, name) for name in SYSTEMS}
    types = {image.defect_type for image in compared}
    return BatteryComparison(
        battery_id=result.battery_id,
        cells=cells,
        images=compared,
        judgement=_judgements_agree(cells.values()),
        defect_type="conflict" if "conflict" in types else "agree" if "agree" in types else "open",
        method=next((chosen.method for chosen in result.chosen.values()), None),
    )


def in_conflict(result: BatteryResult) -> bool:
    """Return True where systems contradict each other on a battery or on an image of it."""
    # One system alone contradicts nobody.
    spoken = result.vlm is not None or result.vlg is not None
    return spoken and compare_battery(result).conflict


def box_overlap(first: Sequence[Box], second: Sequence[Box]) -> BoxOverlap | None:
    """Return how two systems' boxes overlap, None where either has none."""
    if not first or not second:
        return None
    table = overlap(corners_of(first), corners_of(second))
    best = float(table.max())
    matched = []
    while table.size and table.max() > 0:
        row, column = np.unravel_index(int(table.argmax()), table.shape)
        matched.append(float(table[row, column]))
        table = np.delete(np.delete(table, row, axis=0), column, axis=1)
    return BoxOverlap(best, float(np.mean(matched)) if matched else 0.0)


def _compare_image(
    result: BatteryResult, name: str, found: Mapping[SystemName, AnyImage]
) -> ImageComparison:
    # A system may have judged the battery, but not looked at this image.
    unseen = Message(code="comparison_not_looked_at")
    cells = {
        system: image_cell(system, found[system])
        if system in found
        else silent_cell(result, system) or Cell(system, "missing", reason=unseen)
        for system in SYSTEMS
    }
    known = list(found.values())
    overlaps = {pair: box_overlap(cells[pair[0]].boxes, cells[pair[1]].boxes) for pair in PAIRS}
    # Only the types that are named count: a system that names none has no part in it.
    types = [cell.defect_type for cell in cells.values() if cell.defect_type is not None]
    agreed: Agreement = "agree" if len(types) > 1 else "open"
    return ImageComparison(
        image=name,
        modality=known[0].modality,
        axis=known[0].axis,
        number=known[0].number,
        size=next(((i.width, i.height) for i in known if i.width and i.height), None),
        cells=cells,
        judgement=_judgements_agree(cells.values()),
        defect_type="conflict" if len(set(types)) > 1 else agreed,
        overlaps={pair: shared for pair, shared in overlaps.items() if shared is not None},
    )


def _judgements_agree(cells: Iterable[Cell]) -> Agreement:
    asked = [cell for cell in cells if cell.state != "missing"]
    said = {cell.judgement for cell in asked if cell.decided}
    if len(said) > 1:
        return "conflict"
    every = len(asked) > 1 and all(cell.decided for cell in asked)
    return "agree" if every else "open"

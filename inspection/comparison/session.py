"""The three systems over a whole session: the same images, agreement, and figures by labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection.agreement.battery import BatteryComparison, compare_battery
from inspection.classes import class_table
from inspection.comparison.figures import (
    FEWEST_BATTERIES,
    ComparedImage,
    PairFigures,
    SystemFigures,
    pair_figures,
    pairs_of,
    system_figures,
)
from inspection.errors import InspectionError, SessionError
from inspection.lot.scan import scan_lot
from inspection.lot.truth import ImageTruth, read_truth
from inspection.messages import Message
from inspection.modelstore.catalogue import demo_systems
from inspection.records import ImageRef, image_name
from inspection.results import SYSTEMS, SystemName
from inspection.session.record import LotRecord, SessionRecord
from inspection.session.store import SessionStore


@dataclass(frozen=True, slots=True)
class SessionComparison:
    """A session as the systems compare.

    Parameters
    ----------
    session : its record
    batteries : side by side; those that no system looked at are left out
    systems : that took part
    images : images that every one of them was asked about: the figures are of these
    figures : of each system
    pairs : of each two systems
    remarks : what a reader of the figures has to know
    """

    session: SessionRecord
    batteries: tuple[BatteryComparison, ...]
    systems: tuple[SystemName, ...]
    images: tuple[ComparedImage, ...]
    figures: tuple[SystemFigures, ...]
    pairs: tuple[PairFigures, ...]
    remarks: tuple[Message, ...]

    @property
    def conflicts(self) -> tuple[BatteryComparison, ...]:
        """Batteries on which the systems contradict each other."""
        return tuple(battery for battery in self.batteries if battery.conflict)


@dataclass(frozen=True, slots=True)
class SourceImages:
    """The images of a session's lot by name; ``problem`` says why there are none."""

    refs: Mapping[str, ImageRef]
    problem: Message | None = None


def read_comparison(store: SessionStore) -> SessionComparison:
    """Compare the systems over a session.

    Where only one system took part, its figures are over all of its images.
    """
    batteries, unreadable = _batteries(store)
    if not any(battery.compared for battery in batteries):
        batteries, unreadable = _batteries(store, every_image=True)
    remarks = _counted("comparison_unreadable", unreadable)
    return compare_session(store.record, batteries, source_images(store.record.lot), remarks)


def source_images(lot: LotRecord) -> SourceImages:
    """Find the images of a session's lot, where it still is."""
    if not lot.path:
        # A session rebuilt after damage no longer knows its lot.
        return SourceImages({}, Message(code="comparison_lot_unknown"))
    try:
        scanned = scan_lot(Path(lot.path))
    except InspectionError:
        gone = Message(code="comparison_lot_gone", params={"lot": lot.path})
        return SourceImages({}, gone)
    images = (ref for battery in scanned.batteries for ref in (*battery.ct, *battery.rgb))
    return SourceImages({image_name(ref, scanned.root): ref for ref in images})


def compare_session(
    session: SessionRecord,
    batteries: Sequence[BatteryComparison],
    sources: SourceImages,
    remarks: Sequence[Message] = (),
) -> SessionComparison:
    """Make the figures of batteries that were compared.

    Parameters
    ----------
    session : their session
    batteries : side by side
    sources : the lot's images, for their labels
    remarks : what is known about the batteries already
    """
    systems = tuple(name for name in SYSTEMS if any(_took_part(b, name) for b in batteries))
    asked = [
        (battery.battery_id, image)
        for battery in batteries
        for image in battery.images
        if all(image.cells[name].state != "missing" for name in systems)
    ]
    truths = {
        image.image: read_truth(sources.refs[image.image])
        for _, image in asked
        if image.image in sources.refs
    }
    # A label that contradicts itself has no name, and is of no use for figures.
    usable = {name: truth for name, truth in truths.items() if truth.name is not None}
    images = tuple(
        ComparedImage(battery_id, image, usable.get(image.image)) for battery_id, image in asked
    )
    return SessionComparison(
        session=session,
        batteries=tuple(b for b in batteries if any(_took_part(b, name) for name in systems)),
        systems=systems,
        images=images,
        figures=tuple(system_figures(images, name) for name in systems),
        pairs=tuple(pair_figures(images, pair) for pair in pairs_of(systems)),
        remarks=(*_remarks(session, batteries, systems, images, truths, sources), *remarks),
    )


def _remarks(
    session: SessionRecord,
    batteries: Sequence[BatteryComparison],
    systems: Sequence[SystemName],
    images: Sequence[ComparedImage],
    truths: Mapping[str, ImageTruth],
    sources: SourceImages,
) -> Iterator[Message]:
    """Yield what a reader of the figures has to know; ``truths`` are of every image asked about."""
    # How fair the choice of images is.
    if len(systems) == 1:
        yield Message(code="comparison_one_system")
    elif systems and any(battery.favours_ensemble for battery in batteries):
        yield Message(code="comparison_favours_ensemble")
    elif systems and any(battery.method == "even" for battery in batteries):
        yield Message(code="comparison_not_drawn")

    # What the labels are good for.
    known = [image.truth for image in images if image.truth is not None]
    if not images:
        yield Message(code="comparison_nothing")
    elif sources.problem is not None:
        yield sources.problem
    else:
        inconsistent = sum(truth.labelled and truth.name is None for truth in truths.values())
        if known:
            yield Message(code="comparison_abstentions")
            yield Message(code="comparison_rectangles")
        yield from _counted("comparison_inconsistent", inconsistent)
        if known:
            unlabelled = len(images) - len(known) - inconsistent
            yield from _counted("comparison_unlabelled", unlabelled)
        else:
            yield Message(code="comparison_no_labels")

    # Why the ensemble's F1 over defect types is low on external defects.
    external = class_table().rgb_defects
    if "ensemble" in systems and any(truth.name in external for truth in known):
        yield Message(code="comparison_no_external_types")
    left_out = sum(len(battery.images) for battery in batteries) - len(images)
    yield from _counted("comparison_left_out", left_out)
    if 0 < len({image.battery for image in images}) < FEWEST_BATTERIES:
        yield Message(code="comparison_few_batteries", params={"fewest": FEWEST_BATTERIES})
    demo = [m for m in session.models if m.demo and demo_systems({m.slot}) & set(systems)]
    if demo:
        names = ", ".join(dict.fromkeys(model.name for model in demo))
        yield Message(code="comparison_demo_models", params={"models": names})


def _batteries(
    store: SessionStore, *, every_image: bool = False
) -> tuple[list[BatteryComparison], int]:
    """Return the batteries side by side, and how many cannot be read.

    One result is in memory at a time: a real lot's do not fit together.
    """
    batteries, unreadable = [], 0
    for row in store.record.batteries:
        try:
            result = store.load_battery(row.battery_id)
        except SessionError:
            unreadable += 1
            continue
        if result is not None:
            names = [image.image for image in result.images] if every_image else None
            batteries.append(compare_battery(result, names))
    return batteries, unreadable


def _took_part(battery: BatteryComparison, name: SystemName) -> bool:
    return battery.cells[name].state != "missing"


def _counted(code: str, count: int) -> list[Message]:
    return [Message(code=code, params={"count": count})] if count else []

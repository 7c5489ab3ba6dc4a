"""The three systems over a whole session: the same images, agreement, and figures by labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from inspection.results import SYSTEMS, LotRecord, SessionRecord, SystemName
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
    truths = {image.image: _truth(image.image, sources) for _, image in asked}
    images = tuple(
        ComparedImage(battery_id, image, _usable(truths[image.image]))
        for battery_id, image in asked
    )
    left_out = sum(len(battery.images) for battery in batteries) - len(images)
    return SessionComparison(
        session=session,
        batteries=tuple(b for b in batteries if any(_took_part(b, name) for name in systems)),
        systems=systems,
        images=images,
        figures=tuple(system_figures(images, name) for name in systems),
        pairs=tuple(pair_figures(images, pair) for pair in pairs_of(systems)),
        remarks=(
            *_choice_remarks(batteries, systems),
            *_label_remarks(images, truths, sources),
            *_type_remarks(images, systems),
            *_counted("comparison_left_out", left_out),
            *_few(images),
            *_demo_remarks(session, systems),
            *remarks,
        ),
    )


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


def _truth(name: str, sources: SourceImages) -> ImageTruth:
    ref = sources.refs.get(name)
    return read_truth(ref) if ref is not None else ImageTruth()


def _usable(truth: ImageTruth) -> ImageTruth | None:
    """Return a truth that figures can be made of; a label that contradicts itself is none."""
    return truth if truth.name is not None else None


def _choice_remarks(
    batteries: Sequence[BatteryComparison], systems: Sequence[SystemName]
) -> list[Message]:
    if len(systems) < 2:
        return [Message(code="comparison_one_system")] if systems else []
    if any(battery.favours_ensemble for battery in batteries):
        return [Message(code="comparison_favours_ensemble")]
    if any(battery.method == "even" for battery in batteries):
        return [Message(code="comparison_not_drawn")]
    return []


def _label_remarks(
    images: Sequence[ComparedImage], truths: Mapping[str, ImageTruth], sources: SourceImages
) -> list[Message]:
    if not images:
        return [Message(code="comparison_nothing")]
    if sources.problem is not None:
        return [sources.problem]
    usable = sum(image.truth is not None for image in images)
    inconsistent = sum(t.labelled and t.name is None for t in truths.values())
    counted = _counted("comparison_inconsistent", inconsistent)
    if not usable:
        return [*counted, Message(code="comparison_no_labels")]
    unlabelled = _counted("comparison_unlabelled", len(images) - usable - inconsistent)
    return [
        Message(code="comparison_abstentions"),
        Message(code="comparison_rectangles"),
        *counted,
        *unlabelled,
    ]


def _type_remarks(images: Sequence[ComparedImage], systems: Sequence[SystemName]) -> list[Message]:
    """Return why the ensemble's F1 over defect types is low on external defects."""
    types = class_table().rgb_defects
    external = any(i.truth is not None and i.truth.name in types for i in images)
    untyped = external and "ensemble" in systems
    return [Message(code="comparison_no_external_types")] if untyped else []


def _few(images: Sequence[ComparedImage]) -> list[Message]:
    batteries = len({image.battery for image in images})
    if 0 < batteries < FEWEST_BATTERIES:
        params: dict[str, str | int | float] = {"fewest": FEWEST_BATTERIES}
        return [Message(code="comparison_few_batteries", params=params)]
    return []


def _demo_remarks(session: SessionRecord, systems: Sequence[SystemName]) -> list[Message]:
    names = [
        model.name
        for model in session.models
        if model.demo and demo_systems({model.slot}) & set(systems)
    ]
    params: dict[str, str | int | float] = {"models": ", ".join(dict.fromkeys(names))}
    return [Message(code="comparison_demo_models", params=params)] if names else []


def _counted(code: str, count: int) -> list[Message]:
    return [Message(code=code, params={"count": count})] if count else []

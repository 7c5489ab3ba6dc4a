"""What a report is made of, read once from a session folder that is only looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from inspection.agreement.battery import BatteryComparison, compare_battery
from inspection.comparison.session import (
    SessionComparison,
    SourceImages,
    compare_session,
    source_images,
)
from inspection.errors import ReportError, SessionError
from inspection.gate.checks import CheckCount, count_checks, stopped_by
from inspection.messages import Message
from inspection.results import DEFECT_KINDS, SYSTEMS, BatteryResult, ImageResult, Kind
from inspection.session.audit import AuditEntry
from inspection.session.image_words import ImageWord
from inspection.session.record import BatterySummary, Decision, SessionRecord, final_kind
from inspection.session.seal import SealReport
from inspection.session.store import SessionStore

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""

KINDS: tuple[Kind, ...] = get_args(Kind)
IMAGES_WITH_ANOMALY, IMAGES_WITHOUT = 2, 1
"""Images shown per battery of a modality with and without a finding, worst first."""
FAILED_IMAGES_NAMED = 10
_PICTURES = frozenset({"image", "heatmap", "overlay", "boxes"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One battery of the report.

    Parameters
    ----------
    number : its place in the report, from 1
    summary : its row in ``session.json``
    result : its detailed result, with only the images that are shown; None where unreadable
    problem : why ``result`` is None
    comparison : the systems side by side; None where there is no result
    image_count : images with a record, failed ones included
    failed : the first images that could not be judged
    failed_count : all images that could not be judged
    stopped : images that each check of the gate stopped, and the checks that it did not pass
    """

    number: int
    summary: BatterySummary
    result: BatteryResult | None
    problem: Message | None = None
    comparison: BatteryComparison | None = None
    image_count: int = 0
    failed: tuple[ImageResult, ...] = ()
    failed_count: int = 0
    stopped: tuple[Counter[str], set[str]] | None = None

    @property
    def decision(self) -> Decision | None:
        """The operator's decision in force; an undone one is none."""
        decision = self.summary.decision
        return None if decision is None or decision.action == "undo" else decision

    @property
    def contradicts(self) -> bool:
        """True where the record says normal although nothing vouches for an inspection."""
        if self.summary.kind != "normal":
            return False
        if self.result is not None and "ensemble" in self.result.systems:
            return self.result.systems["ensemble"] != "done"
        return self.summary.state != "done"

    @property
    def station_kind(self) -> Kind:
        """The station's verdict; an unfinished inspection is never normal."""
        return "not_inspected" if self.contradicts else self.summary.kind

    @property
    def final_kind(self) -> Kind:
        """The battery's last word, the operator's over the station's."""
        return final_kind(self.station_kind, self.decision)

    @property
    def final_type(self) -> str | None:
        """The defect type of the last word; the person's where one was named."""
        if self.decision is not None and self.decision.defect_type is not None:
            return self.decision.defect_type
        return self.summary.defect_type

    @property
    def overridden(self) -> bool:
        """True where the operator's verdict is not the station's."""
        decision = self.decision
        return decision is not None and (
            decision.action == "override"
            or decision.kind != self.station_kind
            or self.final_type != self.summary.defect_type
        )

    @property
    def plainly_normal(self) -> bool:
        """True where there is nothing to explain: normal, undisputed, and fully readable."""
        return (
            self.station_kind == self.final_kind == "normal"
            and not self.overridden
            and self.problem is None
        )

    @property
    def anchor(self) -> str:
        """Where links to its own part of the report lead; empty where it has none."""
        return "" if self.plainly_normal else f"battery-{self.number}"


@dataclass(frozen=True, slots=True)
class SessionReport:
    """A session as a report sees it.

    Parameters
    ----------
    folder, session : where it is, and its record
    entries : the reported batteries in the session's order
    audit : all decisions ever taken, in their order
    said_of_images : all words on single images, each with its line of the chain
    seal : what can be vouched for
    changed_after_signing : True where something was decided after the last signature
    problems : what was found wrong with the session's files
    comparison : the systems over these batteries; None where the VLM and the VLG took no part
    sources : the lot's images, for the pictures of the comparison
    """

    folder: Path
    session: SessionRecord
    entries: tuple[Entry, ...]
    audit: tuple[AuditEntry, ...]
    said_of_images: tuple[tuple[int, ImageWord], ...]
    seal: SealReport
    changed_after_signing: bool
    problems: tuple[Message, ...]
    comparison: SessionComparison | None
    sources: SourceImages

    @property
    def station(self) -> Counter[Kind]:
        """Batteries by the station's verdict."""
        return Counter(entry.station_kind for entry in self.entries)

    @property
    def final(self) -> Counter[Kind]:
        """Batteries by their last word, the operator's over the station's."""
        return Counter(entry.final_kind for entry in self.entries)

    @property
    def defects(self) -> int:
        """Batteries whose last word is a defect."""
        return sum(self.final[kind] for kind in DEFECT_KINDS)

    @property
    def confidence(self) -> float | None:
        """Mean confidence of the ensemble over the batteries that have one."""
        said = [entry.result.ensemble for entry in self.entries if entry.result is not None]
        known = [one.confidence for one in said if one is not None and one.confidence is not None]
        return sum(known) / len(known) if known else None

    @property
    def gate(self) -> list[CheckCount]:
        """How often each check of the gate stopped something."""
        return count_checks(entry.stopped for entry in self.entries if entry.stopped is not None)

    @property
    def decided(self) -> dict[str, int]:
        """Batteries by what was decided on them, ``none`` included."""
        found = Counter(e.decision.action if e.decision else "none" for e in self.entries)
        return {action: found[action] for action in ("accept", "decide", "override", "none")}


def read_report(
    store: SessionStore, battery_ids: Sequence[str] | None, step: Callable[[], None]
) -> SessionReport:
    """Read the batteries that the report is about.

    Parameters
    ----------
    store : the session, opened for reading
    battery_ids : only these, in the session's order; None takes all
    step : called after each battery

    Raises
    ------
    ReportError
        If the session has no battery of that id.
    """
    entries = []
    for number, summary in enumerate(selected(store.record, battery_ids), start=1):
        result, problem = _load(store, summary)
        entry = Entry(number, summary, None, problem)
        if result is not None:
            failed = [image for image in result.images if image.state == "failed" or image.gate]
            entry = Entry(
                number,
                summary,
                # The other images of a real lot do not fit in memory.
                result.model_copy(update={"images": _shown_images(result)}),
                comparison=compare_battery(result),
                image_count=len(image_names(result)),
                failed=tuple(failed[:FAILED_IMAGES_NAMED]),
                failed_count=len(failed),
                stopped=stopped_by(result),
            )
        entries.append(entry)
        step()
    compared = [entry.comparison for entry in entries if entry.comparison is not None]
    comparison, sources = None, SourceImages({})
    if any(battery.compared for battery in compared):
        sources = source_images(store.record.lot)
        comparison = compare_session(store.record, compared, sources)
    return SessionReport(
        folder=store.folder,
        session=store.record,
        entries=tuple(entries),
        audit=store.audit,
        said_of_images=store.said_of_images,
        seal=store.seal,
        changed_after_signing=store.changed_after_signing,
        problems=store.problems,
        comparison=comparison,
        sources=sources,
    )


def selected(session: SessionRecord, battery_ids: Sequence[str] | None) -> list[BatterySummary]:
    """Return the rows of the asked batteries in the session's order."""
    if battery_ids is None:
        return list(session.batteries)
    known = {row.battery_id for row in session.batteries}
    for battery_id in battery_ids:
        if battery_id not in known:
            raise ReportError("report_battery_unknown", battery=battery_id)
    wanted = set(battery_ids)
    return [row for row in session.batteries if row.battery_id in wanted]


def read_results(store: SessionStore, battery_ids: Sequence[str] | None) -> Iterator[BatteryResult]:
    """Yield the full results one at a time; a real lot's do not fit in memory together."""
    for summary in selected(store.record, battery_ids):
        result, _ = _load(store, summary)
        if result is not None:
            yield result


def _load(
    store: SessionStore, summary: BatterySummary
) -> tuple[BatteryResult | None, Message | None]:
    """Return the detailed result, or None and why; a battery not reached yet has no problem."""
    try:
        result = store.load_battery(summary.battery_id)
    except SessionError as error:
        return None, error.message
    gone = result is None and summary.state == "done"
    return result, Message(code="report_result_missing") if gone else None


def image_names(result: BatteryResult) -> list[str]:
    """Return the images that any system has a record of, the ensemble's first."""
    said = (image.image for system in SYSTEMS for image in result.images_of(system))
    return list(dict.fromkeys(said))


def _shown_images(result: BatteryResult) -> list[ImageResult]:
    """Return the images with pictures: the worst of each modality, in the engine's order."""
    rank = {name: n for n, name in enumerate([*result.worst_slices, *result.worst_views])}
    pictured = [image for image in result.images if _PICTURES & image.evidence.keys()]
    pictured.sort(key=lambda image: rank.get(image.image, len(rank)))
    shown: list[ImageResult] = []
    for modality in ("ct", "rgb"):
        images = [image for image in pictured if image.modality == modality]
        found = any(image.is_anomaly for image in images)
        shown += images[: IMAGES_WITH_ANOMALY if found else IMAGES_WITHOUT]
    return shown

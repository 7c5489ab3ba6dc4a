"""What a report is made of, read once from a session folder that is only looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection.agreement.battery import BatteryComparison, compare_battery
from inspection.comparison.session import (
    SessionComparison,
    SourceImages,
    compare_session,
    source_images,
)
from inspection.errors import ReportError, SessionError
from inspection.messages import Message
from inspection.results import (
    BatteryResult,
    BatterySummary,
    Decision,
    ImageResult,
    Kind,
    SessionRecord,
    final_kind,
)
from inspection.session.audit import scan_audit
from inspection.session.files import AUDIT_NAME
from inspection.session.store import SessionStore

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""

KINDS: tuple[Kind, ...] = (
    "normal",
    "internal_defect",
    "external_defect",
    "composite_defect",
    "review",
    "not_inspected",
)
DEFECT_KINDS: tuple[Kind, ...] = ("internal_defect", "external_defect", "composite_defect")
IMAGES_WITH_ANOMALY, IMAGES_WITHOUT = 2, 1
"""Images shown per battery of a modality with and without a finding, worst first."""
FAILED_IMAGES_NAMED = 10
_UNLOGGED = "session_decision_unlogged"
_PICTURES = frozenset({"image", "heatmap", "overlay", "boxes"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One battery of the report.

    Parameters
    ----------
    summary : its row in ``session.json``
    result : its detailed result, with only the images that are shown; None where unreadable
    problem : why ``result`` is None
    comparison : the systems side by side; None where there is no result
    image_count : images with a record, failed ones included
    failed : the first images that could not be judged
    failed_count : all images that could not be judged
    """

    summary: BatterySummary
    result: BatteryResult | None
    problem: Message | None
    comparison: BatteryComparison | None
    image_count: int
    failed: tuple[ImageResult, ...]
    failed_count: int

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
    def overridden(self) -> bool:
        """True where the operator's verdict is not the station's."""
        decision = self.decision
        return decision is not None and (
            decision.action == "override" or decision.kind != self.station_kind
        )

    @property
    def plainly_normal(self) -> bool:
        """True where there is nothing to explain: normal, undisputed, and fully readable."""
        return (
            self.station_kind == self.final_kind == "normal"
            and not self.overridden
            and self.problem is None
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """Batteries counted by kind, before and after the operator, and by decision."""

    station: Counter[Kind]
    final: Counter[Kind]
    accepted: int
    overridden: int
    undecided: int

    @property
    def defects(self) -> int:
        """Batteries whose final kind is a defect."""
        return sum(self.final[kind] for kind in DEFECT_KINDS)


@dataclass(frozen=True, slots=True)
class AuditState:
    """How far the decision log can be trusted.

    Parameters
    ----------
    entries : lines that fit the chain
    broken_line : first line that does not, or None
    unconfirmed : batteries whose decision is not in the log
    """

    entries: int
    broken_line: int | None
    unconfirmed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A session as a report sees it.

    Parameters
    ----------
    folder, session : where it is, and its record
    entries : the reported batteries in the session's order
    audit : state of the decision log
    problems : what else was found wrong with the session's files
    comparison : the systems over these batteries; None where the VLM and the VLG took no part
    sources : the lot's images, for the pictures of the comparison
    """

    folder: Path
    session: SessionRecord
    entries: tuple[Entry, ...]
    audit: AuditState
    problems: tuple[Message, ...]
    comparison: SessionComparison | None
    sources: SourceImages

    @property
    def complete_lot(self) -> bool:
        """True where no battery of the session was left out."""
        return len(self.entries) == len(self.session.batteries)

    @property
    def totals(self) -> Totals:
        """Count the batteries of the report."""
        accepted = sum(
            e.decision is not None and e.decision.action == "accept" for e in self.entries
        )
        overridden = sum(
            e.decision is not None and e.decision.action == "override" for e in self.entries
        )
        return Totals(
            station=Counter(e.station_kind for e in self.entries),
            final=Counter(e.final_kind for e in self.entries),
            accepted=accepted,
            overridden=overridden,
            undecided=len(self.entries) - accepted - overridden,
        )


def read_report(
    store: SessionStore, battery_ids: Sequence[str] | None, step: Callable[[], None]
) -> Report:
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
    for summary in selected(store.record, battery_ids):
        entries.append(_entry(store, summary))
        step()
    problems = tuple(p for p in store.problems if p.code != _UNLOGGED)
    compared = [entry.comparison for entry in entries if entry.comparison is not None]
    comparison, sources = None, SourceImages({})
    if any(battery.compared for battery in compared):
        sources = source_images(store.record.lot)
        comparison = compare_session(store.record, compared, sources)
    return Report(
        folder=store.folder,
        session=store.record,
        entries=tuple(entries),
        audit=read_audit(store),
        problems=problems,
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


def read_audit(store: SessionStore) -> AuditState:
    """Check the decision log's chain; the store compared the decisions with the log."""
    scan = scan_audit(store.folder / AUDIT_NAME)
    unlogged = [
        str(problem.params["battery"]) for problem in store.problems if problem.code == _UNLOGGED
    ]
    return AuditState(len(scan.entries), scan.broken_line, tuple(unlogged))


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


def _entry(store: SessionStore, summary: BatterySummary) -> Entry:
    result, problem = _load(store, summary)
    if result is None:
        return Entry(summary, None, problem, None, 0, (), 0)
    failed = [image for image in result.images if image.state == "failed"]
    return Entry(
        summary=summary,
        result=result.model_copy(update={"images": _shown_images(result)}),
        problem=None,
        comparison=compare_battery(result),
        image_count=len(image_names(result)),
        failed=tuple(failed[:FAILED_IMAGES_NAMED]),
        failed_count=len(failed),
    )


def image_names(result: BatteryResult) -> list[str]:
    """Return the images that any system has a record of, the ensemble's first."""
    said = (result.vlm.images if result.vlm else []), (result.vlg.images if result.vlg else [])
    others = [image.image for images in said for image in images]
    return list(dict.fromkeys([*(image.image for image in result.images), *others]))


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

"""What a run prints: a line a battery on stderr while it goes on, a summary at its end."""

from __future__ import annotations

from collections import Counter

from rich.progress import Progress

from app.cli.terminal import say
from inspection.agreement.cells import battery_cell
from inspection.modelstore.catalogue import demo_slots, demo_systems
from inspection.report.words import Words
from inspection.results import SYSTEMS, BatteryResult, SystemName
from inspection.run.events import (
    BatteryChanged,
    LaneUnavailable,
    LotAway,
    LotBack,
    RunEnded,
    RunEvent,
)
from inspection.session.store import SessionStore

SILENT = ("off", "not_installed")
"""States of a system of which a battery's line says nothing: they hold for the whole run."""


class RunOutput:
    """Prints a run's events above its progress bar.

    Parameters
    ----------
    store : the session, whose models say whose words are a demo model's
    batteries : how many the run has
    """

    def __init__(self, bar: Progress, words: Words, store: SessionStore, batteries: int) -> None:
        self._bar = bar
        self._words = words
        self._store = store
        self._task = bar.add_task(say("inspect_progress"), total=batteries)

    def take(self, event: RunEvent) -> None:
        """Print what an event has for the operator."""
        if isinstance(event, LaneUnavailable | LotAway):
            self._print(event.message.text(self._words.language))
        elif isinstance(event, LotBack):
            self._print(say("lot_back"))
        elif isinstance(event, RunEnded) and event.stopped is not None:
            self._print(event.stopped.text_with_hint(self._words.language))
        elif isinstance(event, BatteryChanged) and event.finished:
            demo = demo_systems(demo_slots(self._store.record.models))
            for line in battery_lines(event.result, demo, self._words):
                self._print(line)
            if not event.again:
                self._bar.advance(self._task)

    def _print(self, line: str) -> None:
        # As it is: neither wrapped, nor with its brackets and numbers taken for markup.
        self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)


def battery_lines(
    result: BatteryResult, demo: frozenset[SystemName], words: Words
) -> tuple[str, ...]:
    """Return the verdict with what each system says, and the reasons of a review."""
    verdict = result.verdict
    text = words.kind(verdict.kind, verdict.defect_type).text
    if verdict.defect_type:
        text = f"{text}: {words.defect(verdict.defect_type)}"
    said = []
    for system in SYSTEMS:
        if result.systems.get(system) in SILENT:
            continue
        name = words(f"system_{system}")
        if system in demo:
            name = words("system_demo", system=name)
        cell = battery_cell(result, system)
        what = words(f"judgement_{cell.judgement}" if cell.judgement else "state_failed")
        if cell.defect_type:
            what = f"{what}: {words.defect(cell.defect_type)}"
        if cell.confidence is not None:
            what = f"{what} {cell.confidence:.2f}"
        message = result.system_messages.get(system)
        if message is not None and system != "ensemble":
            what = f"{what} ({message.text(words.language)})"
        said.append(f"{name} {what}")
    line = "  ".join((result.battery_id, text, " · ".join(said)))
    # Of the other verdicts, the reasons stand in the report.
    if verdict.kind not in ("review", "not_inspected") or not verdict.reasons:
        return (line,)
    return line, "     " + " ".join(reason.text(words.language) for reason in verdict.reasons)


def summary_lines(store: SessionStore, words: Words, resume: str | None) -> list[str]:
    """Return how many batteries have which verdict, and what can be done next.

    Parameters
    ----------
    resume : the command that tries again what could not be inspected; None names none
    """
    record = store.record
    counts = Counter(row.kind for row in record.batteries)
    lines = [words("demo_warning")] if any(model.demo for model in record.models) else []
    lines.append(", ".join(f"{words.kind(kind).text}: {n}" for kind, n in sorted(counts.items())))
    lines.append(str(store.folder))
    commands = [
        ("inspect_next_report", f'station report "{store.folder}" --out report'),
        ("inspect_next_compare", f'station compare "{store.folder}"'),
    ]
    if resume is not None and record.status == "failed":
        commands.insert(0, ("inspect_next_resume", resume))
    for code, command in commands:
        lines.append(say(code, command=command))
    return lines

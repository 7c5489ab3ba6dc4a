"""A decision in words, in the language the window is in: what was said, by whom, and why."""

from __future__ import annotations

from pathlib import PurePosixPath

from app.wording import class_text, kind_text, languages, role_text, term, tr
from inspection.people.person import Person, Role
from inspection.reasons import reasons
from inspection.results import Kind
from inspection.session.record import Decision, Region

LONGEST = 240


def verdict_words(kind: Kind, defect_type: str | None) -> str:
    """Return a verdict and the type of its defect, where one is named."""
    named = kind_text(kind)
    return f"{named} · {class_text(defect_type)}" if defect_type else named


def decision_words(decision: Decision) -> str:
    """Return what was decided, in one line."""
    return f"{term(f'decision_{decision.action}')}: {kind_text(decision.kind)}"


def person_words(name: str, role: Role | None) -> str:
    """Return a person, with the role where it is known."""
    return f"{name} ({role_text(role)})" if role else name


def region_words(region: Region) -> str:
    """Return where a region is."""
    name, box = PurePosixPath(region.image).name, region.box
    if box is not None:
        return tr("Box on {image}: {w} × {h} at {x}, {y}").format(
            image=name, w=box.w, h=box.h, x=box.x, y=box.y
        )
    return tr("Polygon on {image}: {count} corners").format(image=name, count=len(region.polygon))


def decision_details(decision: Decision) -> list[str]:
    """Return type, person, time, reason, comment and region of a decision, a line each."""
    second: Person | None = decision.second
    who = person_words(decision.operator, decision.role)
    lines = [class_text(decision.defect_type)] if decision.defect_type else []
    lines.append(f"{who} · {decision.decided_at.astimezone():%Y-%m-%d %H:%M}")
    if second is not None:
        confirmed = person_words(second.name, second.role)
        lines.append(tr("Confirmed by {person}").format(person=confirmed))
    said = [reasons().told(decision.reason, languages.current), decision.comment]
    # A line each, however much was written: the whole of it is in the reports.
    flat = [" ".join(text.split()) for text in said if text]
    lines += [text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…" for text in flat]
    if decision.region is not None:
        lines.append(region_words(decision.region))
    return lines

"""A comparison of two models as lines on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from inspection.messages import Message
from inspection.modelstore.release_records import Comparison, Difference, Measured, Outcomes

DASH = "–"
DIGITS = 12


def lines_of(comparison: Comparison, language: str) -> list[str]:
    """Return what was compared, how it went, and what stands against a release."""

    def say(code: str, **params: str | int | float) -> str:
        return Message(code=code, params=params).text(language)

    new, old = comparison.challenger, comparison.present
    lines = [say("release_new", name=new.name, sha256=new.sha256[:DIGITS], slot=comparison.slot)]
    if old is None:
        lines.append(say("release_none_in_use"))
    else:
        lines.append(say("release_present", name=old.name, sha256=old.sha256[:DIGITS]))
    for measured in (comparison.measured, comparison.golden):
        if measured is None:
            continue
        heading = "release_golden" if measured is comparison.golden else "release_held_out"
        unit = say(f"release_unit_{measured.unit}")
        data, defective, normal = ", ".join(measured.data), measured.defective, measured.normal
        lines.append(say(heading, data=data, unit=unit, defective=defective, normal=normal))
        rows = list(_rows(measured, comparison.confidence))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for name, new_value, old_value, difference in rows:
            cells = f"{new_value:>{widths[1]}}  {old_value:>{widths[2]}}  {difference}"
            lines.append(f"  {say(f'release_figure_{name}')}: {cells}".rstrip())
    lines += [f"! {message.text(language)}" for message in comparison.reservations]
    lines += [f"  {message.text(language)}" for message in comparison.notes]
    return lines


def _rows(measured: Measured, confidence: float) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, new, present and difference of each figure."""

    def of(outcomes: Outcomes | None, count: int, total: int) -> str:
        return DASH if outcomes is None or not total else f"{count}/{total}"

    new, old = measured.challenger, measured.present
    shown = old or new
    for name, total, found in (
        ("escapes", measured.defective, measured.escape),
        ("overkills", measured.normal, measured.overkill),
    ):
        values = of(new, getattr(new, name), total), of(old, getattr(shown, name), total)
        yield name, *values, _difference(found, confidence, percent=True)
    f1 = DASH if new.f1 is None else f"{new.f1:.3f}"
    f1_before = DASH if old is None or old.f1 is None else f"{old.f1:.3f}"
    yield "f1", f1, f1_before, _difference(measured.f1, confidence, percent=False)
    both = measured.defective + measured.normal
    yield "gate_stops", of(new, new.gate, both), of(old, shown.gate, both), ""


def _difference(found: Difference | None, confidence: float, *, percent: bool) -> str:
    if found is None:
        return ""
    factor, digits, unit = (100.0, 1, " %") if percent else (1.0, 3, "")
    value = f"{factor * found.value:+.{digits}f}{unit}"
    if found.low is None or found.high is None:
        return value
    low, high = (f"{factor * bound:+.{digits}f}" for bound in (found.low, found.high))
    return f"{value} ({confidence:.0%}: {low} … {high}{unit})"

"""Wording of the evaluation report, and the tables that its parts are set in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inspection.report.blocks import Card, Cell, Heading, Table, TableColumn
from inspection.report.words import NONE, Words, number


def image_class(name: str | None, words: Words) -> str:
    """Return an image class's name."""
    return words("kind_normal") if name == "normal" else words.defect(name)


def percent(value: float | None) -> str:
    """Return a rate as per cent, or a dash where there is none."""
    return NONE if value is None else f"{value * 100:.1f} %"


def interval(found: Mapping[str, Any] | None, as_percent: bool = False) -> str:
    """Return an interval as ``low – high``, an exact one marked with a star."""
    if found is None:
        return NONE
    star = "*" if found["method"] == "clopper_pearson" else ""
    if as_percent:
        return f"{found['low'] * 100:.1f} – {found['high'] * 100:.1f} %{star}"
    return f"{number(found['low'])} – {number(found['high'])}{star}"


def table_card(
    title: str, head: Sequence[str], rows: Sequence[tuple[Cell, ...]], align: str, note: str = ""
) -> Card:
    """Return a table under its title; ``align`` has ``l`` or ``r`` for each column."""
    columns = tuple(
        TableColumn(name, right=side == "r") for name, side in zip(head, align, strict=True)
    )
    return Card((Heading(title, 4), Table(columns, tuple(rows), note=note)))

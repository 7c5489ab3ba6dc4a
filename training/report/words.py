"""Wording of the evaluation report, and the card that its tables are set in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inspection.report.blocks import Card, Cell, Heading, Table, TableColumn
from inspection.report.words import NONE, Words, number


def image_class(name: str | None, words: Words) -> str:
    """Return an image class's name."""
    # The class table names the normal cell and the normal module of CT; a view is only normal.
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
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    words: Words,
    *,
    left: Sequence[str] = (),
    note: str = "",
) -> Card:
    """Return a table under its title.

    Parameters
    ----------
    title : above it
    head : the words of its columns
    rows : worded cells
    words : the language
    left : columns of text beside the first; the others are figures and set right
    note : below it
    """
    columns = [TableColumn(words(k), right=k not in (head[0], *left)) for k in head]
    return Card([Heading(title, 4), Table(columns, rows, note=note)])

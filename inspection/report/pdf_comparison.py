"""The PDF's comparison of the systems: figures, agreement, and batteries with a column a system."""

from __future__ import annotations

from collections.abc import Sequence

from reportlab.lib.units import mm
from reportlab.platypus import CondPageBreak, PageBreak, Paragraph, Spacer, Table

from inspection.report.pdf_sections import (
    FLUSH,
    GRID,
    WIDTH,
    Flowable,
    field_table,
    picture_flowables,
    picture_size,
)
from inspection.report.pdf_text import (
    BODY,
    BULLET,
    CELL,
    CELL_RIGHT,
    HEADER_CELL,
    HEADER_RIGHT,
    HEADING,
    SMALL,
    STRONG,
    SUBHEADING,
    label_markup,
    markup,
    paragraph,
)
from inspection.report.view import (
    ComparedRow,
    ComparedSection,
    ComparisonView,
    SystemWord,
    TextTable,
)
from inspection.report.words import Words

_FIRST_COLUMN = 0.28


def comparison_flowables(view: ComparisonView | None, words: Words) -> list[Flowable]:
    """Return the comparison from a new page on; nothing where there is none."""
    if view is None:
        return []
    flowables: list[Flowable] = [PageBreak(), paragraph(words("comparison"), HEADING)]
    flowables += [Paragraph(markup(line), BULLET, bulletText="•") for line in view.remarks]
    for table in view.tables:
        flowables += [paragraph(table.title, SUBHEADING), _table(table)]
    flowables.append(paragraph(words("comparison_sections"), HEADING))
    for section in view.sections:
        flowables += _section(section, words)
    if view.note:
        flowables.append(paragraph(view.note, SMALL))
    return flowables


def _table(table: TextTable) -> Flowable:
    others = len(table.columns) - 1
    widths = [WIDTH * _FIRST_COLUMN, *[WIDTH * (1 - _FIRST_COLUMN) / others] * others]
    header_style = HEADER_RIGHT if table.numeric else HEADER_CELL
    cell_style = CELL_RIGHT if table.numeric else CELL
    first, *rest = table.columns
    header = [paragraph(first, HEADER_CELL), *(paragraph(name, header_style) for name in rest)]
    rows = [
        [paragraph(name, CELL), *(paragraph(cell, cell_style) for cell in cells)]
        for name, *cells in table.rows
    ]
    return Table([header, *rows], colWidths=widths, style=GRID, repeatRows=1, splitInRow=1)


def _section(section: ComparedSection, words: Words) -> list[Flowable]:
    name = markup(f"{words('battery')} {section.battery_id}", bold=True)
    line = f'<font size="11">{name}</font>&nbsp;&nbsp;&nbsp;{label_markup(section.label)}'
    flowables: list[Flowable] = [
        CondPageBreak(50 * mm),
        Paragraph(line, STRONG.clone("compared", leading=17)),
    ]
    if section.facts:
        flowables.append(field_table(section.facts, WIDTH, label_share=_FIRST_COLUMN))
    flowables.append(_columns(section.columns))
    if section.note:
        flowables.append(paragraph(section.note, SMALL))
    for row in section.rows:
        flowables += _row(row)
    return [*flowables, Spacer(0, 6 * mm)]


def _row(row: ComparedRow) -> list[Flowable]:
    flowables: list[Flowable] = [
        CondPageBreak(60 * mm if any(word.picture for word in row.columns) else 20 * mm),
        Paragraph(f"{markup(row.title)}&nbsp;&nbsp; {label_markup(row.label)}", BODY),
    ]
    if row.overlaps:
        flowables.append(paragraph(row.overlaps, SMALL))
    pictures = [word.picture for word in row.columns]
    if any(pictures):
        # Without the caption: the system's name stands below.
        cells = [picture_flowables(p, picture_size(p))[:1] if p else "" for p in pictures]
        flowables.append(Table([cells], colWidths=_widths(row.columns), style=FLUSH))
    return [*flowables, _columns(row.columns)]


def _columns(words: Sequence[SystemWord]) -> Flowable:
    """Return each system's word below its name; what a model wrote may run over pages."""
    cells = [
        [
            Paragraph(f"{markup(word.system)}&nbsp; {label_markup(word.label)}", CELL),
            *(paragraph(line, SMALL) for line in word.lines),
            *([paragraph(word.explanation, CELL)] if word.explanation else []),
        ]
        for word in words
    ]
    return Table([cells], colWidths=_widths(words), splitInRow=1, style=FLUSH, spaceAfter=3)


def _widths(words: Sequence[SystemWord]) -> list[float]:
    return [WIDTH / len(words)] * len(words)

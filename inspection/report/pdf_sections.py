"""The PDF's section of one battery: verdict, scores, advice, decision, pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.platypus import (
    CondPageBreak,
    HRFlowable,
    KeepTogether,
    Paragraph,
    Spacer,
    Table,
    flowables,
)

from inspection.report.pdf_text import (
    BAND,
    BODY,
    BULLET,
    LINE,
    SMALL,
    SOFT,
    STRONG,
    SUBHEADING,
    label_markup,
    markup,
    paragraph,
)
from inspection.report.view import Advice, Field, Picture, PictureRow, Section
from inspection.report.words import Words

WIDTH = 178 * mm
"""Of the text on an A4 page."""
_GAP = 4 * mm
_PICTURE_HEIGHT = 40 * mm
_PICTURES_A_ROW = 3
_CAPTION_WIDTH = 28 * mm
_DECISION_FACTS = 4

GRID = [
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("BACKGROUND", (0, 0), (-1, 0), BAND),
    ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
    ("LEFTPADDING", (0, 0), (-1, -1), 4),
    ("RIGHTPADDING", (0, 0), (-1, -1), 4),
    ("TOPPADDING", (0, 0), (-1, -1), 2),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
]
"""Style of a table with a header row."""

Flowable = Any
"""reportlab has no types."""


def section_flowables(section: Section, words: Words) -> list[Flowable]:
    """Return the flowables of one battery."""
    half = (WIDTH - _GAP) / 2
    left = [
        field_table(section.scores, half),
        *_bullets(words("reasons"), section.reasons),
        *_bullets(words("runs"), section.runs),
        *_bullets(words("failed_images"), section.failed_images),
    ]
    right = [*_advice(section.advice, section.advice_note, words)]
    if section.systems:
        right += [paragraph(words("systems"), SUBHEADING), field_table(section.systems, half)]
    columns = Table([[left, "", right]], colWidths=[half, _GAP, half], splitInRow=1, style=FLUSH)
    return [
        CondPageBreak(70 * mm),
        *_heading(section, words),
        *(_note(note) for note in section.notes),
        columns,
        # Below the columns and not inside: an operator's comment may be longer than a page.
        paragraph(words("decision"), SUBHEADING),
        *_decision(section.decision),
        paragraph(words("evidence"), SUBHEADING),
        *_evidence(section.picture_rows, words),
        Spacer(0, 7 * mm),
    ]


def field_table(fields: Sequence[Field], width: float, label_share: float = 0.4) -> Table:
    """Return names and values in two columns; long values wrap and split over pages."""
    rows = [[paragraph(f.label, SMALL), paragraph(f.value)] for f in fields]
    widths = [width * label_share, width * (1 - label_share)]
    return Table(rows, colWidths=widths, hAlign="LEFT", splitInRow=1, style=FLUSH)


FLUSH = [
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("RIGHTPADDING", (0, 0), (-1, -1), 3),
    ("TOPPADDING", (0, 0), (-1, -1), 0.5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 0.5),
]


def _heading(section: Section, words: Words) -> list[Flowable]:
    name = markup(f"{words('battery')} {section.battery_id}", bold=True)
    labels = [label_markup(section.final)]
    if section.severity is not None:
        severity = markup(f"{words('severity')}: {section.severity.text}")
        labels.append(f'<font color="#5a6675">{severity}</font>')
    line = Paragraph(
        f'<a name="{section.anchor}"/><font size="11.5">{name}</font>'
        f"&nbsp;&nbsp;&nbsp;{'&nbsp;&nbsp;&nbsp;'.join(labels)}",
        STRONG.clone("section", leading=17),
    )
    rule = HRFlowable(width="100%", thickness=0.6, color=LINE, spaceBefore=2, spaceAfter=4)
    return [line, paragraph(section.ids, SMALL), rule]


def _note(text: str) -> Flowable:
    return Table(
        [[paragraph(text)]],
        colWidths=[WIDTH],
        style=[
            ("BACKGROUND", (0, 0), (-1, -1), BAND),
            ("LINEBEFORE", (0, 0), (0, -1), 2, SOFT),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
        ],
        spaceAfter=4,
        splitInRow=1,
    )


def _bullets(title: str, lines: Sequence[str]) -> list[Flowable]:
    if not lines:
        return []
    items = [Paragraph(markup(line), BULLET, bulletText="•") for line in lines]
    return [paragraph(title, SUBHEADING), *items]


def _advice(advice: Sequence[Advice], note: str, words: Words) -> list[Flowable]:
    items: list[Flowable] = []
    for item in advice:
        name = markup(item.name, bold=True)
        items += [
            Paragraph(f"{name}&nbsp;&nbsp;{label_markup(item.severity)}", STRONG),
            field_table(
                (Field(words("cause"), item.cause), Field(words("action"), item.action)),
                (WIDTH - _GAP) / 2,
                0.3,
            ),
            Spacer(0, 3),
        ]
    if note:
        items.append(paragraph(note, SMALL))
    return items


def _decision(fields: Sequence[Field]) -> list[Flowable]:
    """Return the decision's facts in one line, and what the operator wrote below."""
    named = [
        f'<font color="#5a6675">{markup(f.label)}</font>&nbsp; {markup(f.value)}' for f in fields
    ]
    facts = "&nbsp;&nbsp;&nbsp; ".join(named[:_DECISION_FACTS])
    return [Paragraph(line, BODY) for line in (facts, *named[_DECISION_FACTS:])]


def _evidence(rows: Sequence[PictureRow], words: Words) -> list[Flowable]:
    if not rows:
        return [paragraph(words("evidence_none"), SMALL)]
    return [_picture_row(row) for row in rows]


def _picture_row(row: PictureRow) -> Flowable:
    sizes = [picture_size(picture) for picture in row.pictures]
    cells = [picture_flowables(*pair) for pair in zip(row.pictures, sizes, strict=True)]
    widths = [max(width, _CAPTION_WIDTH) + _GAP for width, _ in sizes]
    table = Table([cells], colWidths=widths, hAlign="LEFT", style=FLUSH, spaceAfter=3)
    return KeepTogether([paragraph(row.title), table])


class _JpegFlowable(flowables.Flowable):  # type: ignore[misc]
    """A JPEG, embedded as it is.

    reportlab's own image keeps the decoded pixels in a reference cycle, which adds up to
    hundreds of megabytes over a lot.
    """

    def __init__(self, data: bytes, width: float, height: float) -> None:
        super().__init__()
        self.width, self.height = width, height
        self._data = data

    def draw(self) -> None:
        """Draw the picture; called by the page layout."""
        reader = ImageReader(io.BytesIO(self._data))
        self.canv.drawImage(reader, 0, 0, self.width, self.height)
        del reader.jpeg_fh  # the cycle


def picture_size(picture: Picture) -> tuple[float, float]:
    """Return (width, height) on the page, in points."""
    width = (WIDTH - _PICTURES_A_ROW * _GAP) / _PICTURES_A_ROW
    if picture.jpeg is None:
        return width, 0.0
    scale = min(width / picture.jpeg.width, _PICTURE_HEIGHT / picture.jpeg.height)
    return picture.jpeg.width * scale, picture.jpeg.height * scale


def picture_flowables(picture: Picture, size: tuple[float, float]) -> list[Flowable]:
    """Return a picture with its caption, or why there is none."""
    width, height = size
    if picture.jpeg is None:
        note = Table(
            [[paragraph(f"{picture.caption}: {picture.note}", SMALL)]],
            colWidths=[width],
            hAlign="LEFT",
            style=[("BOX", (0, 0), (-1, -1), 0.6, SOFT), ("BACKGROUND", (0, 0), (-1, -1), BAND)],
        )
        return [note]
    return [_JpegFlowable(picture.jpeg.data, width, height), paragraph(picture.caption, SMALL)]

"""A report's blocks as a PDF: A4, the bundled Korean font embedded."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial, singledispatch
from typing import Any

from reportlab.lib.colors import HexColor, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    CondPageBreak,
    HRFlowable,
    KeepTogether,
    PageBreak,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    flowables,
)
from reportlab.platypus import Table as Grid

from inspection.messages import Message
from inspection.report import blocks
from inspection.report.pdf_text import (
    BAND,
    BODY,
    BULLET,
    CARD_HEADING,
    CELL,
    CELL_RIGHT,
    FIGURE,
    FINE,
    HEADER_CELL,
    HEADER_RIGHT,
    HEADING,
    KICKER,
    LINE,
    REGULAR,
    SMALL,
    SOFT,
    STRONG,
    SUBHEADING,
    TITLE,
    TONES,
    load_fonts,
    markup,
    paragraph,
    printable,
    with_labels,
)

WIDTH = 178 * mm
"""Of the text on an A4 page."""
MARGIN = 16 * mm
_FRAME_PADDING = 6
"""Points that reportlab's own frame adds inside the margins."""
_GAP = 4 * mm
_PICTURE_HEIGHT = 40 * mm
_PICTURES_A_ROW = 3
_ROOM = {2: 30, 3: 50, 4: 14}
"""Millimetres that a heading of a level wants on its page, where it does not say so itself."""
_TOTAL_PAGES = "total-pages"

_FLUSH = [
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("RIGHTPADDING", (0, 0), (-1, -1), 3),
    ("TOPPADDING", (0, 0), (-1, -1), 0.5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 0.5),
]
_RULED = [
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
    ("LEFTPADDING", (0, 0), (-1, -1), 4),
    ("RIGHTPADDING", (0, 0), (-1, -1), 4),
    ("TOPPADDING", (0, 0), (-1, -1), 2),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
]

Flowable = Any
"""reportlab has no types."""


def pdf_file(document: blocks.Document) -> bytes:
    """Return the report as a PDF."""
    load_fonts()
    buffer = io.BytesIO()
    template = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=MARGIN - _FRAME_PADDING,
        rightMargin=MARGIN - _FRAME_PADDING,
        topMargin=15 * mm,
        bottomMargin=19 * mm,
        title=f"{document.kicker} – {document.title}",
        author=document.footer,
        subject=document.subject,
        lang=document.language,
    )
    story = [paragraph(document.kicker, KICKER), paragraph(document.title, TITLE)]
    story += _all(document.blocks, WIDTH)
    footer = partial(_draw_footer, document=document)
    template.build(story, onFirstPage=footer, onLaterPages=footer, canvasmaker=_CountingCanvas)
    return buffer.getvalue()


class _CountingCanvas(Canvas):  # type: ignore[misc]
    """Fills in the number of pages, which is known only at the end."""

    def save(self) -> None:
        """Define the form that every footer refers to, then write the file."""
        total = self.getPageNumber() - 1
        self.beginForm(_TOTAL_PAGES)
        self.setFont(REGULAR, 7.2)
        self.setFillColor(SOFT)
        self.drawString(0, 0, str(total))
        self.endForm()
        super().save()


def _draw_footer(canvas: Canvas, template: Any, *, document: blocks.Document) -> None:
    canvas.saveState()
    bottom = 10 * mm
    canvas.setStrokeColor(LINE)
    canvas.setLineWidth(0.5)
    canvas.line(MARGIN, bottom + 11, A4[0] - MARGIN, bottom + 11)
    canvas.setFont(REGULAR, 7.2)
    canvas.setFillColor(SOFT)
    left = printable(f"{document.title} · {document.subject} · {document.footer}")
    line = left = left.replace("\n", " ")
    while canvas.stringWidth(line, REGULAR, 7.2) > 140 * mm:
        left = left[:-1]
        line = left + "…"
    canvas.drawString(MARGIN, bottom, line)
    total_at = A4[0] - MARGIN - 12
    page = Message(code="report_page", params={"page": canvas.getPageNumber()})
    canvas.drawRightString(total_at, bottom, page.text(document.language))
    canvas.translate(total_at, bottom)
    canvas.doForm(_TOTAL_PAGES)
    canvas.restoreState()


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


class _Rows(Grid):  # type: ignore[misc]
    """A table whose rows stay whole, but for those that no page would hold."""

    def split(self, width: float, height: float) -> list[Flowable]:
        """Return the parts of the table; called by the page layout."""
        self._calc(width, height)
        self.splitInRow = int(max(self._rowHeights) > A4[1] / 2)
        return list(super().split(width, height))


# -- blocks --------------------------------------------------------------------------------------


def _all(content: Sequence[blocks.Block], width: float) -> list[Flowable]:
    return [flowable for block in content for flowable in _drawn(block, width)]


@singledispatch
def _drawn(block: blocks.Block, width: float) -> list[Flowable]:
    """Return a block ``width`` points wide; a narrow one stands in a cell, where no page ends."""
    raise NotImplementedError(type(block).__name__)


@_drawn.register(blocks.Heading)
def _(block: blocks.Heading, width: float) -> list[Flowable]:
    found: list[Flowable] = []
    if block.new_page:
        found.append(PageBreak())
    elif width == WIDTH:
        found.append(CondPageBreak((block.room or _ROOM[block.level]) * mm))
    style = {2: HEADING, 3: CARD_HEADING, 4: SUBHEADING}[block.level]
    anchor = f'<a name="{block.anchor}"/>' if block.anchor else ""
    text = with_labels(block.text, block.labels, bold=True, size=11.5 if block.level == 3 else 0)
    found.append(Paragraph(anchor + text, style))
    if block.below:
        found.append(paragraph(block.below, SMALL))
    if block.level == 3:
        found.append(HRFlowable("100%", thickness=0.6, color=LINE, spaceBefore=2, spaceAfter=4))
    return found


@_drawn.register(blocks.Text)
def _(block: blocks.Text, width: float) -> list[Flowable]:
    if block.look in ("plain", "soft"):
        style = SMALL if block.look == "soft" else BODY if width == WIDTH else CELL
        return [Paragraph(with_labels(block.text, block.labels), style)]
    warns = block.look == "warning"
    ink, ground = (HexColor(c) for c in TONES["warning"]) if warns else (SOFT, BAND)
    style = STRONG.clone("warning", textColor=ink) if warns else BODY
    return [
        Grid(
            [[paragraph(block.text, style)]],
            colWidths=[width],
            style=[
                ("BACKGROUND", (0, 0), (-1, -1), ground),
                ("LINEBEFORE", (0, 0), (0, -1), 3 if warns else 2, ink),
                ("LEFTPADDING", (0, 0), (-1, -1), 9),
                ("TOPPADDING", (0, 0), (-1, -1), 3),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
            ],
            spaceBefore=5,
            spaceAfter=5,
            splitInRow=1,
        )
    ]


@_drawn.register(blocks.Bullets)
def _(block: blocks.Bullets, width: float) -> list[Flowable]:
    return [Paragraph(markup(line), BULLET, bulletText="•") for line in block.lines]


@_drawn.register(blocks.Fields)
def _(block: blocks.Fields, width: float) -> list[Flowable]:
    if block.in_line:
        soft = "#" + SOFT.hexval()[2:]
        named = (
            f'<font color="{soft}">{markup(label)}</font>&nbsp; {markup(value)}'
            for label, value in block.fields
        )
        return [Paragraph("&nbsp;&nbsp;&nbsp; ".join(named), BODY)]
    rows = [[paragraph(label, SMALL), paragraph(value)] for label, value in block.fields]
    widths = [width * block.label_share, width * (1 - block.label_share)]
    # A value may be longer than a page.
    return [Grid(rows, colWidths=widths, hAlign="LEFT", splitInRow=1, style=_FLUSH)]


@_drawn.register(blocks.Table)
def _(block: blocks.Table, width: float) -> list[Flowable]:
    columns = block.columns
    equal = [column for column in columns if not column.share]
    rest = (1 - sum(column.share for column in columns)) / max(1, len(equal))
    rows = [
        [_cell(cell, column) for cell, column in zip(row, columns, strict=True)]
        for row in block.rows
    ]
    style = list(_RULED)
    titled = any(column.title for column in columns)
    if titled:
        rows.insert(
            0, [paragraph(c.title, HEADER_RIGHT if c.right else HEADER_CELL) for c in columns]
        )
        style.append(("BACKGROUND", (0, 0), (-1, 0), BAND))
    found = [paragraph(block.title, SUBHEADING)] if block.title else []
    if block.rows:
        widths = [width * (column.share or rest) for column in columns]
        repeated = 1 if titled else 0
        found.append(Grid(rows, colWidths=widths, style=style, repeatRows=repeated))
    return [*found, *([paragraph(block.note, SMALL)] if block.note else [])]


def _cell(cell: blocks.Cell, column: blocks.TableColumn) -> list[Flowable]:
    plain = SMALL if column.small else CELL_RIGHT if column.right else CELL

    def drawn(part: blocks.Part) -> Flowable:
        if isinstance(part, blocks.Label):
            return Paragraph(with_labels("", (part,)), CELL)
        if isinstance(part, blocks.Soft):
            return paragraph(part.text, FINE if column.small else SMALL)
        if isinstance(part, blocks.Link):
            text = markup(part.text, bold=True)
            if part.anchor:
                text = f'<a href="#{part.anchor}" color="{TONES["review"][0]}">{text}</a>'
            return Paragraph(text, STRONG)
        return paragraph(part, plain)

    return [drawn(part) for part in (cell if isinstance(cell, tuple) else (cell,))]


@_drawn.register(blocks.Tiles)
def _(block: blocks.Tiles, width: float) -> list[Flowable]:
    cells = []
    style: list[tuple[Any, ...]] = [
        ("LEFTPADDING", (0, 0), (-1, -1), 8),
        ("TOPPADDING", (0, 0), (-1, -1), 3),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
        ("INNERGRID", (0, 0), (-1, -1), 5, white),
    ]
    for column, tile in enumerate(block.tiles):
        ink, ground = TONES[tile.tone]
        style.append(("BACKGROUND", (column, 0), (column, 0), HexColor(ground)))
        value = Paragraph(f'<font color="{ink}">{markup(tile.value)}</font>', FIGURE)
        name = Paragraph(f'<font color="{ink}">{markup(tile.label)}</font>', SMALL)
        cells.append([value, name])
    widths = [width / len(cells)] * len(cells)
    return [Grid([cells], colWidths=widths, style=style, spaceBefore=4, spaceAfter=2)]


@_drawn.register(blocks.Pictures)
def _(block: blocks.Pictures, width: float) -> list[Flowable]:
    widest = min((WIDTH - _PICTURES_A_ROW * _GAP) / _PICTURES_A_ROW, width)
    found = [paragraph(block.title)] if block.title else []
    for first in range(0, len(block.pictures), _PICTURES_A_ROW):
        row = [_picture(p, widest) for p in block.pictures[first : first + _PICTURES_A_ROW]]
        widths = [own if width < WIDTH else own + _GAP for own, _ in row]
        cells = [[cell for _, cell in row]]
        found.append(Grid(cells, colWidths=widths, hAlign="LEFT", style=_FLUSH, spaceAfter=3))
    return [KeepTogether(found)] if width == WIDTH else found


def _picture(picture: blocks.CaptionedPicture, widest: float) -> tuple[float, list[Flowable]]:
    """Return a picture's width in points, and it with its caption, or why there is none."""
    if not picture.images:
        text = ": ".join(part for part in (picture.caption, picture.note) if part)
        style = [("BOX", (0, 0), (-1, -1), 0.6, SOFT), ("BACKGROUND", (0, 0), (-1, -1), BAND)]
        note = Grid([[paragraph(text, SMALL)]], colWidths=[widest], hAlign="LEFT", style=style)
        return widest, [note]
    drawn = []
    for image in picture.images:
        scale = min(widest / image.width, _PICTURE_HEIGHT / image.height)
        drawn.append(_JpegFlowable(image.data, image.width * scale, image.height * scale))
    caption = [paragraph(picture.caption, SMALL)] if picture.caption else []
    # A narrow picture's caption needs room of its own.
    return max(28 * mm, *(image.width for image in drawn)), [*drawn, *caption]


@_drawn.register(blocks.Signatures)
def _(block: blocks.Signatures, width: float) -> list[Flowable]:
    places = len(block.names)
    inner = (width - _GAP * (places - 1)) / places
    cells: list[Flowable] = []
    style: list[tuple[Any, ...]] = list(_FLUSH)
    for place, name in enumerate(block.names):
        cells += [paragraph(name, SMALL), ""]
        style.append(("LINEABOVE", (2 * place, 0), (2 * place, 0), 0.6, SOFT))
    widths = [inner, _GAP] * places
    return [Spacer(0, 15 * mm), Grid([cells[:-1]], colWidths=widths[:-1], style=style)]


@_drawn.register(blocks.Columns)
def _(block: blocks.Columns, width: float) -> list[Flowable]:
    count = len(block.columns)
    shares = block.shares or [1 / count] * count
    room = width - _GAP * (count - 1)
    cells: list[Flowable] = []
    widths: list[float] = []
    for content, share in zip(block.columns, shares, strict=True):
        cells += [_all(content, room * share), ""]
        widths += [room * share, _GAP]
    style = [*_FLUSH, ("RIGHTPADDING", (0, 0), (-1, -1), 0)]
    # The space above a heading is lost at the top of a cell.
    above = HEADING.spaceBefore if isinstance(block.columns[0][0], blocks.Heading) else 0
    return [
        Grid(
            [cells[:-1]],
            colWidths=widths[:-1],
            splitInRow=1,
            style=style,
            spaceBefore=above,
            spaceAfter=3,
        )
    ]


@_drawn.register(blocks.Card)
def _(block: blocks.Card, width: float) -> list[Flowable]:
    named = isinstance(block.blocks[0], blocks.Heading)
    return [*_all(block.blocks, width), *([Spacer(0, 6 * mm)] if named else [])]


@_drawn.register(blocks.Cards)
def _(block: blocks.Cards, width: float) -> list[Flowable]:
    return _all(block.cards, width)

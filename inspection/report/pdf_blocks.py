"""Each kind of a report's blocks as what reportlab lays out."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from reportlab.lib.colors import HexColor, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.platypus import (
    CondPageBreak,
    HRFlowable,
    KeepTogether,
    PageBreak,
    Paragraph,
    Spacer,
    flowables,
)
from reportlab.platypus import Table as Grid

from inspection.report import blocks, pdf_text
from inspection.report.pdf_text import markup, paragraph, with_labels

WIDTH = 178 * mm
"""Of the text on an A4 page."""
_GAP = 4 * mm
_PICTURE_HEIGHT = 40 * mm
_PICTURES_A_ROW = 3
_ROOM = {2: 30, 3: 50, 4: 14}
"""Millimetres that a heading of a level wants on its page, where it does not say so itself."""


def _padded(left: float, right: float, top: float, bottom: float) -> list[tuple[Any, ...]]:
    """Return the style of cells by the points around what they hold."""
    sides = {"LEFT": left, "RIGHT": right, "TOP": top, "BOTTOM": bottom}
    paddings = [(f"{side}PADDING", (0, 0), (-1, -1), room) for side, room in sides.items()]
    return [("VALIGN", (0, 0), (-1, -1), "TOP"), *paddings]


_FLUSH = _padded(0, 3, 0.5, 0.5)
_RULED = [*_padded(4, 4, 2, 3), ("LINEBELOW", (0, 0), (-1, -1), 0.4, pdf_text.LINE)]
Flowable = Any
"""reportlab has no types."""


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


def laid_out(content: Sequence[blocks.Block], width: float) -> list[Flowable]:
    """Return blocks, `WIDTH` or fewer points wide; narrower ones stand in a cell."""
    return [flowable for block in content for flowable in _drawn(block, width)]


@singledispatch
def _drawn(block: blocks.Block, width: float) -> list[Flowable]:
    # A narrow one stands in a cell, where no page ends.
    raise NotImplementedError(type(block).__name__)


@_drawn.register(blocks.Heading)
def _(block: blocks.Heading, width: float) -> list[Flowable]:
    found: list[Flowable] = []
    if block.new_page:
        found.append(PageBreak())
    elif width == WIDTH:
        # Inside a cell no page can be ended.
        found.append(CondPageBreak((block.room or _ROOM[block.level]) * mm))
    style = {2: pdf_text.HEADING, 3: pdf_text.CARD_HEADING, 4: pdf_text.SUBHEADING}[block.level]
    anchor = f'<a name="{block.anchor}"/>' if block.anchor else ""
    text = with_labels(block.text, block.labels, bold=True, size=11.5 if block.level == 3 else 0)
    found.append(Paragraph(anchor + text, style))
    if block.below:
        found.append(paragraph(block.below, pdf_text.SMALL))
    if block.level == 3:
        rule = HRFlowable("100%", 0.6, color=pdf_text.LINE, spaceBefore=2, spaceAfter=4)
        found.append(rule)
    return found


@_drawn.register(blocks.Text)
def _(block: blocks.Text, width: float) -> list[Flowable]:
    if block.look in ("plain", "soft"):
        style = pdf_text.BODY if width == WIDTH else pdf_text.CELL
        style = pdf_text.SMALL if block.look == "soft" else style
        return [Paragraph(with_labels(block.text, block.labels), style)]
    line, ink, ground, style = 2, pdf_text.SOFT, pdf_text.BAND, pdf_text.BODY
    if block.look == "warning":
        line, (ink, ground) = 3, (HexColor(colour) for colour in pdf_text.TONES["warning"])
        style = pdf_text.STRONG.clone("warning", textColor=ink)
    return [
        Grid(
            [[paragraph(block.text, style)]],
            colWidths=[width],
            style=[
                *_padded(9, 6, 3, 5),
                ("BACKGROUND", (0, 0), (-1, -1), ground),
                ("LINEBEFORE", (0, 0), (0, -1), line, ink),
            ],
            spaceBefore=5,
            spaceAfter=5,
            splitInRow=1,
        )
    ]


@_drawn.register(blocks.Bullets)
def _(block: blocks.Bullets, width: float) -> list[Flowable]:
    return [Paragraph(markup(line), pdf_text.BULLET, bulletText="•") for line in block.lines]


@_drawn.register(blocks.Fields)
def _(block: blocks.Fields, width: float) -> list[Flowable]:
    if block.in_line:
        soft = "#" + pdf_text.SOFT.hexval()[2:]
        named = (
            f'<font color="{soft}">{markup(label)}</font>&nbsp; {markup(value)}'
            for label, value in block.fields
        )
        return [Paragraph("&nbsp;&nbsp;&nbsp; ".join(named), pdf_text.BODY)]
    rows = [[paragraph(label, pdf_text.SMALL), paragraph(value)] for label, value in block.fields]
    widths = [width * block.label_share, width * (1 - block.label_share)]
    # A value may be longer than a page.
    return [Grid(rows, colWidths=widths, hAlign="LEFT", splitInRow=1, style=_FLUSH)]


@_drawn.register(blocks.Table)
def _(block: blocks.Table, width: float) -> list[Flowable]:
    columns = block.columns
    given = sum(column.share for column in columns)
    rest = (1 - given) / max(1, sum(not column.share for column in columns))
    rows = [
        [_cell(cell, column) for cell, column in zip(row, columns, strict=True)]
        for row in block.rows
    ]
    style = list(_RULED)
    titled = any(column.title for column in columns)
    if titled:
        styles = {False: pdf_text.HEADER_CELL, True: pdf_text.HEADER_RIGHT}
        rows.insert(0, [paragraph(column.title, styles[column.right]) for column in columns])
        style.append(("BACKGROUND", (0, 0), (-1, 0), pdf_text.BAND))
    found = [paragraph(block.title, pdf_text.SUBHEADING)] if block.title else []
    if block.rows:
        # A column more may want a share that is not there any more: all get a little less.
        widths = [width * (column.share or rest) / max(1.0, given) for column in columns]
        found.append(_Rows(rows, colWidths=widths, style=style, repeatRows=int(titled)))
    return [*found, *([paragraph(block.note, pdf_text.SMALL)] if block.note else [])]


def _cell(cell: blocks.Cell, column: blocks.TableColumn) -> list[Flowable]:
    plain = pdf_text.CELL_RIGHT if column.right else pdf_text.CELL
    plain = pdf_text.SMALL if column.small else plain

    def drawn(part: blocks.Part) -> Flowable:
        if isinstance(part, blocks.Label):
            return Paragraph(with_labels("", (part,)), pdf_text.CELL)
        if isinstance(part, blocks.Soft):
            return paragraph(part.text, pdf_text.FINE if column.small else pdf_text.SMALL)
        if isinstance(part, blocks.Link):
            text = markup(part.text, bold=True)
            if part.anchor:
                text = f'<a href="#{part.anchor}" color="{pdf_text.TONES["review"][0]}">{text}</a>'
            return Paragraph(text, pdf_text.STRONG)
        return paragraph(part, plain)

    return [drawn(part) for part in (cell if isinstance(cell, tuple) else (cell,))]


@_drawn.register(blocks.Tiles)
def _(block: blocks.Tiles, width: float) -> list[Flowable]:
    cells = []
    style = [*_padded(8, 6, 3, 6), ("INNERGRID", (0, 0), (-1, -1), 5, white)]
    for column, tile in enumerate(block.tiles):
        ink, ground = pdf_text.TONES[tile.tone]
        style.append(("BACKGROUND", (column, 0), (column, 0), HexColor(ground)))
        value = Paragraph(f'<font color="{ink}">{markup(tile.value)}</font>', pdf_text.FIGURE)
        name = Paragraph(f'<font color="{ink}">{markup(tile.label)}</font>', pdf_text.SMALL)
        cells.append([value, name])
    widths = [width / len(cells)] * len(cells)
    return [Grid([cells], colWidths=widths, style=style, spaceBefore=4, spaceAfter=2)]


@_drawn.register(blocks.Pictures)
def _(block: blocks.Pictures, width: float) -> list[Flowable]:
    # As large as three a row, however few there are: battery by battery they compare by eye.
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
        cells = [[paragraph(text, pdf_text.SMALL)]]
        style = [
            ("BOX", (0, 0), (-1, -1), 0.6, pdf_text.SOFT),
            ("BACKGROUND", (0, 0), (-1, -1), pdf_text.BAND),
        ]
        return widest, [Grid(cells, colWidths=[widest], hAlign="LEFT", style=style)]
    drawn = []
    for image in picture.images:
        scale = min(widest / image.width, _PICTURE_HEIGHT / image.height)
        drawn.append(_JpegFlowable(image.data, image.width * scale, image.height * scale))
    caption = [paragraph(picture.caption, pdf_text.SMALL)] if picture.caption else []
    # A narrow picture's caption needs room of its own.
    return max(28 * mm, *(image.width for image in drawn)), [*drawn, *caption]


@_drawn.register(blocks.Signatures)
def _(block: blocks.Signatures, width: float) -> list[Flowable]:
    places = len(block.names)
    inner = (width - _GAP * (places - 1)) / places
    cells: list[Flowable] = []
    style = list(_FLUSH)
    for place, name in enumerate(block.names):
        cells += [paragraph(name, pdf_text.SMALL), ""]
        style.append(("LINEABOVE", (2 * place, 0), (2 * place, 0), 0.6, pdf_text.SOFT))
    widths = [inner, _GAP] * places
    return [Spacer(0, 15 * mm), Grid([cells[:-1]], colWidths=widths[:-1], style=style)]


@_drawn.register(blocks.SideBySide)
def _(block: blocks.SideBySide, width: float) -> list[Flowable]:
    count = len(block.columns)
    shares = block.shares or [1 / count] * count
    room = width - _GAP * (count - 1)
    cells: list[Flowable] = []
    widths: list[float] = []
    for content, share in zip(block.columns, shares, strict=True):
        cells += [laid_out(content, room * share), ""]
        widths += [room * share, _GAP]
    style = [*_FLUSH, ("RIGHTPADDING", (0, 0), (-1, -1), 0)]
    # The space above a heading is lost at the top of a cell.
    above = pdf_text.HEADING.spaceBefore if isinstance(block.columns[0][0], blocks.Heading) else 0
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
    return [*laid_out(block.blocks, width), *([Spacer(0, 6 * mm)] if named else [])]


@_drawn.register(blocks.Cards)
def _(block: blocks.Cards, width: float) -> list[Flowable]:
    return laid_out(block.cards, width)

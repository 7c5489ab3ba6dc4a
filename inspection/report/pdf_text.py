"""Text, colours and paragraph styles of the PDF."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from itertools import groupby
from xml.sax.saxutils import escape

from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph

from inspection.paths import resource_path
from inspection.report.blocks import Label, Tone

REGULAR, BOLD = "StationGothic", "StationGothic-Bold"
INK, SOFT, LINE, BAND = (HexColor(c) for c in ("#1b2430", "#5a6675", "#d9dee5", "#f0f2f5"))
TONES: dict[Tone, tuple[str, str]] = {
    "critical": ("#a6201a", "#fdecea"),
    "warning": ("#8a4b00", "#fff3de"),
    "success": ("#17653a", "#e6f4ec"),
    "review": ("#234f9d", "#e8effb"),
    "neutral": ("#46515f", "#eaedf1"),
}
"""Text and background; every pair has a contrast over 5:1."""

BODY = ParagraphStyle("body", fontName=REGULAR, fontSize=8.5, leading=12.5, textColor=INK)
SMALL = ParagraphStyle("small", BODY, fontSize=7.2, leading=10, textColor=SOFT)
FINE = ParagraphStyle("fine", SMALL, fontSize=6.6, leading=9)
CELL = ParagraphStyle("cell", BODY, fontSize=7.8, leading=11)
CELL_RIGHT = ParagraphStyle("cell-right", CELL, alignment=2)
STRONG = ParagraphStyle("strong", BODY, fontName=BOLD)
HEADER_CELL = ParagraphStyle("header", SMALL, fontName=BOLD)
HEADER_RIGHT = ParagraphStyle("header-right", HEADER_CELL, alignment=2)
BULLET = ParagraphStyle(
    "bullet",
    BODY,
    leftIndent=13,
    bulletIndent=1,
    bulletFontName=REGULAR,
    bulletFontSize=8.5,
    spaceAfter=1.5,
)
HEADING = ParagraphStyle("heading", STRONG, fontSize=13, leading=18, spaceBefore=14, spaceAfter=5)
SUBHEADING = ParagraphStyle("subheading", HEADER_CELL, fontSize=8, spaceBefore=7, spaceAfter=2)
CARD_HEADING = ParagraphStyle("card", STRONG, leading=17)
TITLE = ParagraphStyle("title", STRONG, fontSize=24, leading=31)
KICKER = ParagraphStyle("kicker", STRONG, fontSize=9.5, leading=13, textColor=SOFT)
FIGURE = ParagraphStyle("figure", STRONG, fontSize=20, leading=25)


@functools.cache
def load_fonts() -> tuple[frozenset[int], frozenset[int]]:
    """Set reportlab up, once, and return the characters of the regular and the bold font."""
    # ASCII armour for pictures: a fifth more bytes, for mail systems of the nineties.
    rl_config.useA85 = 0
    covered = []
    for name, style in ((REGULAR, "Regular"), (BOLD, "Bold")):
        font = TTFont(name, resource_path("fonts", f"StationGothic-{style}.ttf"))
        pdfmetrics.registerFont(font)
        covered.append(frozenset(font.face.charToGlyph))
    pdfmetrics.registerFontFamily(
        REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD
    )
    return covered[0], covered[1]


def printable(text: str) -> str:
    """Return ``text`` with only characters that the regular font has.

    Korean names from a Mac come decomposed and are composed first. A character that the font
    lacks becomes its plain form, its base letter, or its code point in brackets: never an empty
    box, and never nothing.
    """
    covered, _ = load_fonts()

    def drawable(char: str) -> str:
        category = unicodedata.category(char)
        if char == "\n":
            return char
        if char == "\t" or (category == "Zs" and ord(char) not in covered):
            return " "
        if category in ("Cc", "Cf"):
            return ""
        if ord(char) in covered:
            return char
        for form in (unicodedata.normalize("NFKC", char), unicodedata.normalize("NFKD", char)[:1]):
            if all(ord(part) in covered for part in form):
                return form
        return f"[U+{ord(char):04X}]"

    return "".join(drawable(char) for char in unicodedata.normalize("NFC", text))


def markup(text: str, *, bold: bool = False) -> str:
    """Return ``text`` escaped for a paragraph; what the bold font lacks is set in the regular."""
    clean = printable(text)
    if not bold:
        return escape(clean).replace("\n", "<br/>")
    _, strong = load_fonts()
    parts = []
    for covered, run in groupby(clean, key=lambda char: ord(char) in strong or char == "\n"):
        piece = escape("".join(run)).replace("\n", "<br/>")
        parts.append(piece if covered else f'<font name="{REGULAR}">{piece}</font>')
    return "".join(parts)


def paragraph(text: str, style: ParagraphStyle = BODY) -> Paragraph:
    """Return a paragraph of plain text."""
    return Paragraph(markup(text, bold=style.fontName == BOLD), style)


def with_labels(text: str, labels: Sequence[Label], *, bold: bool = False, size: float = 0) -> str:
    """Return a text with coloured labels behind it; a ``size`` in points is the text's alone."""
    parts = [markup(text, bold=bold)] if text else []
    if size:
        parts = [f'<font size="{size}">{part}</font>' for part in parts]
    for label in labels:
        ink, ground = TONES[label.tone]
        # One label stays on one line.
        name = markup(label.text, bold=True).replace(" ", "&nbsp;")
        parts.append(
            f'<font name="{BOLD}" color="{ink}" backColor="{ground}">&nbsp;{name}&nbsp;</font>'
        )
    return "&nbsp;&nbsp; ".join(parts)

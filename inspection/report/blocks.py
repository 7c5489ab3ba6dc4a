"""What a report is made of: worded blocks, which every laid-out format draws in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from inspection.messages import Language

Tone = Literal["critical", "warning", "success", "review", "neutral"]


@dataclass(frozen=True, slots=True)
class Label:
    """A short text with a colour; the text alone tells everything."""

    text: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Link:
    """A text that leads to the heading with that anchor."""

    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Soft:
    """A text that steps back behind the others."""

    text: str


Part = str | Label | Link | Soft
Cell = Part | tuple[Part, ...]
"""What a table holds: one part, or several below each other."""


@dataclass(frozen=True, slots=True)
class CodedImage:
    """A picture ready to embed; ``kind`` is ``jpeg`` or ``png``, sizes are in pixels."""

    data: bytes
    width: int
    height: int
    kind: Literal["jpeg", "png"] = "jpeg"


@dataclass(frozen=True, slots=True)
class Heading:
    """A title of a chapter (2), a card (3) or a part of one (4).

    Parameters
    ----------
    labels : behind the title
    below : a line under it
    anchor : where links to it lead
    new_page : a printed page begins with it
    room : millimetres that a printed page has to have left for what it heads
    """

    text: str
    level: Literal[2, 3, 4] = 2
    labels: Sequence[Label] = ()
    below: str = ""
    anchor: str = ""
    new_page: bool = False
    room: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph, with labels behind it."""

    text: str
    look: Literal["plain", "soft", "note", "warning"] = "plain"
    labels: Sequence[Label] = ()


@dataclass(frozen=True, slots=True)
class Bullets:
    """Sentences, one a line."""

    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Fields:
    """Names and values; ``in_line`` sets short ones behind each other on paper."""

    fields: Sequence[tuple[str, str]]
    label_share: float = 0.4
    in_line: bool = False


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column's title and how it is set; ``share`` is of the width, 0 takes a part of the rest."""

    title: str
    share: float = 0.0
    right: bool = False
    small: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of worded cells; columns without any title have no header."""

    columns: Sequence[TableColumn]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    note: str = ""

    @property
    def texts(self) -> list[list[str]]:
        """The cells as plain text, for a terminal or a window."""
        return [
            [
                " ".join(
                    part if isinstance(part, str) else part.text
                    for part in (cell if isinstance(cell, tuple) else (cell,))
                )
                for cell in row
            ]
            for row in self.rows
        ]


@dataclass(frozen=True, slots=True)
class Tile:
    """A headline number."""

    label: str
    value: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Tiles:
    """Headline numbers side by side."""

    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class CaptionedPicture:
    """A picture, or several views of one thing; ``note`` says why where there is no image."""

    caption: str
    images: Sequence[CodedImage]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures side by side."""

    pictures: Sequence[CaptionedPicture]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Signatures:
    """Places to sign, one for each name."""

    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Blocks in columns; ``shares`` of the width, equal ones where there are none."""

    columns: Sequence[Sequence[Block]]
    shares: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """Blocks that belong together."""

    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Cards:
    """Cards that fill two columns of a screen; one after the other on paper."""

    cards: Sequence[Card]


Block = (
    Heading
    | Text
    | Bullets
    | Fields
    | Table
    | Tiles
    | Pictures
    | Signatures
    | SideBySide
    | Card
    | Cards
)


@dataclass(frozen=True, slots=True)
class ReportPage:
    """A whole report in one language, made of blocks.

    Parameters
    ----------
    kicker : what kind of report it is
    title, subject : what it is about, and its number
    footer : who wrote it
    """

    language: Language
    kicker: str
    title: str
    subject: str
    blocks: Sequence[Block]
    footer: str

"""Values between 0 and 1 as bars."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import tokens
from app.tones import Tone
from app.wording import DASH, score_text, tr

ROW = 23
VALUE = 52
AUTOENCODER_MARK = 0.5
"""An autoencoder's score has its threshold here, whatever the model's own."""
_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_RIGHT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
_ELIDE = Qt.TextElideMode.ElideRight


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: ``value`` 0 to 1 or None, ``mark`` the place of a threshold, ``text`` at its end."""

    name: str
    value: float | None
    tone: Tone
    text: str
    mark: float | None = None
    strong: bool = False


def autoencoder_bar(score: float) -> Bar:
    """Return the bar of the CT autoencoder's score, 0 to 1."""
    name = tr("CT autoencoder")
    tone: Tone = "review" if score > AUTOENCODER_MARK else "success"
    return Bar(name, score, tone, score_text(score, 3), mark=AUTOENCODER_MARK)


class Bars(QWidget):
    """Bars below each other, names on the left and values on the right.

    Parameters
    ----------
    name_share : part of the width that names take
    """

    def __init__(self, name_share: float = 0.38) -> None:
        super().__init__()
        self.bars: tuple[Bar, ...] = ()
        self._share = name_share
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_bars(self, bars: tuple[Bar, ...]) -> None:
        """Show bars, from the top down."""
        self.bars = bars
        self.setFixedHeight(max(1, len(bars)) * ROW)
        self.setAccessibleName(", ".join(f"{bar.name} {bar.text}" for bar in bars))
        self.update()

    def sizeHint(self) -> QSize:
        """Qt: how large it would like to be."""
        return QSize(260, max(1, len(self.bars)) * ROW)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: paint."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = tokens()
        names = self.width() * self._share
        for number, bar in enumerate(self.bars):
            top = number * ROW
            font = painter.font()
            font.setBold(bar.strong)
            painter.setFont(font)
            painter.setPen(QColor(colours.text if bar.strong else colours.muted))
            name = painter.fontMetrics().elidedText(bar.name, _ELIDE, int(names) - 8)
            painter.drawText(QRectF(0, top, names - 8, ROW), _LEFT, name)
            groove = QRectF(names, top + ROW / 2 - 3.5, self.width() - names - VALUE, 7)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.hover))
            painter.drawRoundedRect(groove, 3.5, 3.5)
            if bar.value is not None and bar.value > 0:
                filled = QRectF(groove)
                # As wide as its round ends at least: a small value is still to be seen.
                filled.setWidth(max(7.0, groove.width() * min(1.0, bar.value)))
                painter.setBrush(colours.tone(bar.tone))
                painter.drawRoundedRect(filled, 3.5, 3.5)
            if bar.mark is not None:
                x = groove.left() + groove.width() * min(1.0, bar.mark)
                painter.setPen(QPen(QColor(colours.text), 1.5))
                painter.drawLine(int(x), int(groove.top()) - 4, int(x), int(groove.bottom()) + 4)
            painter.setPen(QColor(colours.text))
            room = QRectF(self.width() - VALUE, top, VALUE, ROW)
            painter.drawText(room, _RIGHT, bar.text or DASH)
        painter.end()

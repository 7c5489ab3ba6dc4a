"""A verdict or state as a mark, a word and a colour; a mark each, for those who see no colour."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import tokens
from app.tones import Tone

PADDING = 8
MARK = 9
CORNERS: dict[Tone, tuple[tuple[float, float], ...]] = {
    "warning": ((0.5, 0), (1, 1), (0, 1)),
    "critical": ((0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)),
}
"""A triangle and a diamond, in parts of the mark's width and height."""


def draw_mark(painter: QPainter, area: QRectF, tone: Tone, colour: QColor) -> None:
    """Draw a tone's mark: disc, triangle, diamond, ring, or a dash."""
    painter.save()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    x, y, w, h = area.x(), area.y(), area.width(), area.height()
    if tone in ("success", "accent"):
        painter.drawEllipse(area)
    elif tone in CORNERS:
        corners = [QPointF(x + w * right, y + h * down) for right, down in CORNERS[tone]]
        painter.drawPolygon(QPolygonF(corners))
    elif tone == "review":
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 2))
        painter.drawEllipse(area.adjusted(1, 1, -1, -1))
    else:
        painter.drawRoundedRect(QRectF(x, y + h / 2 - 1, w, 2), 1, 1)
    painter.restore()


def draw_chip(painter: QPainter, area: QRectF, text: str, tone: Tone, *, solid: bool) -> None:
    """Draw a chip into ``area``; a solid one has a tinted ground."""
    colour = tokens().tone(tone)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    left = area.x()
    if solid:
        ground = QColor(colour)
        ground.setAlpha(38)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(area, 5, 5)
        left += PADDING
    mark = QRectF(left, area.center().y() - MARK / 2, MARK, MARK)
    draw_mark(painter, mark, tone, colour)
    room = QRectF(mark.right() + 6, area.y(), area.right() - mark.right() - 8, area.height())
    painter.setPen(colour)
    elided = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(room.width()))
    painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, elided)
    painter.restore()


class Chip(QWidget):
    """A chip as a widget.

    Parameters
    ----------
    solid : with a tinted ground
    points : text size, None for the window's
    """

    def __init__(self, *, solid: bool = True, points: float | None = None) -> None:
        super().__init__()
        self.text = ""
        self._tone: Tone = "neutral"
        self._solid = solid
        self._points = points
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def show_state(self, text: str, tone: Tone) -> None:
        """Show a word in a tone."""
        self.text, self._tone = text, tone
        self.setToolTip(text)
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Qt: how large it would like to be."""
        metrics = QFontMetrics(self._font())
        width = metrics.horizontalAdvance(self.text) + MARK + 6 + 4
        height = metrics.height() + (10 if self._solid else 4)
        return QSize(width + (2 * PADDING if self._solid else 0), height)

    def minimumSizeHint(self) -> QSize:
        """Qt: how large it would like to be."""
        return QSize(48, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: paint."""
        painter = QPainter(self)
        painter.setFont(self._font())
        draw_chip(painter, QRectF(self.rect()), self.text, self._tone, solid=self._solid)
        painter.end()

    def _font(self) -> QFont:
        font = QFont(self.font())
        # A word without a ground is text among others.
        font.setBold(self._solid)
        if self._points is not None:
            font.setPointSizeF(self._points)
        return font

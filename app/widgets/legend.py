"""The heat-map's colours on their fixed scale."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

# Samples of the inferno map, as heat-maps are coloured.
STOPS = (
    (0.0, "#000004"),
    (0.13, "#1f0c48"),
    (0.25, "#56106e"),
    (0.38, "#89226a"),
    (0.5, "#bb3754"),
    (0.63, "#e35933"),
    (0.75, "#f98e09"),
    (0.88, "#f6cb41"),
    (1.0, "#fcffa4"),
)


class HeatLegend(QWidget):
    """A bar from 0 to 1 with the edge of a region, 0.5, marked. The same for every image."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFixedSize(54, 138)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: paint."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(8, 9, 11, 205))
        painter.drawRoundedRect(self.rect(), 5, 5)
        bar = QRectF(9, 11, 11, self.height() - 22)
        gradient = QLinearGradient(bar.bottomLeft(), bar.topLeft())
        for at, colour in STOPS:
            gradient.setColorAt(at, QColor(colour))
        painter.setBrush(gradient)
        painter.drawRect(bar)
        font = QFont(self.font())
        font.setPointSizeF(8)
        painter.setFont(font)
        painter.setPen(QColor("#f2f4f7"))
        for value in (0.0, 0.5, 1.0):
            y = bar.bottom() - value * bar.height()
            painter.drawLine(int(bar.right()), int(y), int(bar.right()) + 4, int(y))
            room = QRectF(bar.right() + 7, y - 8, 26, 16)
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, f"{value:.1f}")
        painter.end()

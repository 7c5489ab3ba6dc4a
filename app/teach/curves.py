"""The curves of a run, each on a scale of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.theme import tokens

LEGEND = 190


class Curves(QWidget):
    """Draws what a run writes into its log, an epoch after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumHeight(140)
        self.curves: dict[str, Sequence[float]] = {}

    def show_curves(self, curves: Mapping[str, Sequence[float]]) -> None:
        """Show other curves."""
        self.curves = dict(curves)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Qt: draw."""
        colours = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(colours.surface))
        shades = (
            colours.accent,
            colours.critical,
            colours.success,
            colours.review,
            colours.warning,
        )
        ground = QRectF(self.rect()).adjusted(8, 8, -LEGEND, -8)
        for place, (name, values) in enumerate(self.curves.items()):
            shade = QColor(shades[place % len(shades)])
            painter.setPen(QPen(shade, 2))
            low, high = min(values), max(values)
            points = [
                QPointF(
                    ground.left() + ground.width() * (n + 0.5) / len(values),
                    ground.bottom()
                    - ground.height() * ((value - low) / (high - low) if high > low else 0.5),
                )
                for n, value in enumerate(values)
            ]
            painter.drawPolyline(points)
            for point in points[-1:]:
                painter.drawEllipse(point, 3, 3)
            spot = QRectF(ground.right() + 10, 8 + 18 * place, LEGEND - 14, 18)
            painter.drawText(spot, Qt.AlignmentFlag.AlignLeft, f"{name}  {values[-1]:.4g}")
        painter.end()

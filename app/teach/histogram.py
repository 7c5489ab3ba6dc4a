"""Scores as a histogram with the threshold as a line, which can be moved."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.theme import tokens
from inspection.modelstore.teaching import ScoredBattery, ScoredView

BINS = 40
FOOT = 20
"""Pixels under the bars, for the numbers."""
STEP = 0.005
"""Of the range, by a key."""


class Histogram(QWidget):
    """Good images upwards, and decided defects in their own colour over them.

    Parameters
    ----------
    movable : whether the threshold can be moved, by mouse and by the arrow keys
    """

    moved = Signal(float)

    def __init__(self, *, movable: bool) -> None:
        super().__init__()
        self._movable = movable
        self._good: list[float] = []
        self._bad: list[float] = []
        self.threshold: float | None = None
        self.span = (0.0, 1.0)
        self.setMinimumHeight(96)
        if movable:
            self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            self.setCursor(Qt.CursorShape.SplitHCursor)

    def show_scores(
        self, good: Sequence[float], bad: Sequence[float], threshold: float | None
    ) -> None:
        """Show other scores."""
        self._good, self._bad = list(good), list(bad)
        self.threshold = threshold
        values = [*good, *bad, *([] if threshold is None else [threshold])]
        if values:
            low, high = min(values), max(values)
            room = (high - low) * 0.15 or max(high, 1e-6)
            self.span = max(0.0, low - room / 4), high + room
        self.update()

    def set_threshold(self, threshold: float) -> None:
        """Move the line."""
        self.threshold = max(threshold, 1e-9)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Qt: draw."""
        colours = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QRectF(0, 0, self.width(), self.height() - FOOT)
        painter.fillRect(self.rect(), QColor(colours.surface))
        low, high = self.span
        parts = ((self._good, colours.success), (self._bad, colours.critical))
        counts = [self._counts(scores, low, high) for scores, _ in parts]
        tallest = max(1, *(max(part) for part in counts))
        width = ground.width() / BINS
        for part, (_, colour) in zip(counts, parts, strict=True):
            shade = QColor(colour)
            shade.setAlpha(190)
            for place, count in enumerate(part):
                if count:
                    height = (ground.height() - 4) * count / tallest
                    bar = QRectF(place * width + 1, ground.bottom() - height, width - 2, height)
                    painter.fillRect(bar, shade)
        painter.setPen(QPen(QColor(colours.border), 1))
        painter.drawLine(ground.bottomLeft(), ground.bottomRight())
        painter.setPen(QColor(colours.muted))
        foot = QRectF(2, ground.bottom(), ground.width() - 4, FOOT)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, f"{low:.3g}")
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight, f"{high:.3g}")
        if self.threshold is not None:
            x = (self.threshold - low) / (high - low) * ground.width()
            focus = self._movable and self.hasFocus()
            pen = QPen(QColor(colours.accent if self._movable else colours.text), 3 if focus else 2)
            pen.setStyle(Qt.PenStyle.SolidLine if self._movable else Qt.PenStyle.DashLine)
            painter.setPen(pen)
            x = min(max(x, 1.0), ground.width() - 1)
            painter.drawLine(QPointF(x, 0), QPointF(x, ground.bottom()))
            painter.setPen(QColor(colours.text))
            words = QRectF(x - 60, ground.bottom(), 120, FOOT)
            words.moveLeft(min(max(words.left(), 40.0), ground.width() - 160))
            painter.drawText(words, Qt.AlignmentFlag.AlignHCenter, f"{self.threshold:.4g}")
        painter.end()

    @staticmethod
    def _counts(scores: Sequence[float], low: float, high: float) -> list[int]:
        counts = [0] * BINS
        for score in scores:
            counts[min(BINS - 1, max(0, int((score - low) / (high - low) * BINS)))] += 1
        return counts

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt: the line comes to the pointer."""
        self._move_to(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt: the line follows the pointer."""
        self._move_to(event.position().x())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt: the arrow keys move the line; with Shift in larger steps."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if steps is None or not self._movable or self.threshold is None:
            super().keyPressEvent(event)
            return
        low, high = self.span
        larger = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        self.set_threshold(self.threshold + steps * larger * STEP * (high - low))
        self.moved.emit(self.threshold)

    def _move_to(self, x: float) -> None:
        if not self._movable or self.threshold is None:
            return
        low, high = self.span
        share = min(1.0, max(0.0, x / max(1, self.width())))
        self.set_threshold(low + share * (high - low))
        self.moved.emit(self.threshold)


def scores_of(rows: Sequence[ScoredView | ScoredBattery], *, present: bool) -> list[float]:
    """Return the scores of one of the two models; images that it could not judge have none."""
    if not present:
        return [row.score for row in rows]
    return [row.present for row in rows if row.present is not None]

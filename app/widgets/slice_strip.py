"""All images of one axis, or all views, as a coloured strip: see where it burns, click to go."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.lot.review import ShownImage
from app.theme import tokens
from app.tones import Tone, image_tone
from app.widgets.chip import draw_mark
from app.wording import class_text, gate_text, score_text

HEIGHT = 26
HEAD = 30
MARK = 7
LOW = 0.22
FULL = 2.0
"""A full bar, as a multiple of the image's threshold."""

_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft

Column = tuple[QRectF, Tone]


class SliceStrip(QWidget):
    """A bar per image: its colour is the class, its height the defect score.

    Parameters
    ----------
    head : what stands before the strip, an axis's letter
    """

    chosen = Signal(int)

    def __init__(self, head: str) -> None:
        super().__init__()
        self._head = head
        self._images: tuple[ShownImage, ...] = ()
        self._cached: tuple[float, list[Column]] | None = None
        self._at: int | None = None
        self._active = False
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)

    def show_images(self, images: tuple[ShownImage, ...]) -> None:
        """Show the images of this strip, in order."""
        self._images = images
        self._cached = None
        self.setVisible(bool(images))
        self.update()

    def set_current(self, index: int | None, *, active: bool) -> None:
        """Mark the image that is shown; ``active`` strips are the axis in view."""
        self._at, self._active = index, active
        self.update()

    def sizeHint(self) -> QSize:
        """Qt: how large it would like to be."""
        return QSize(240, HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: paint."""
        painter = QPainter(self)
        colours = tokens()
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        font = painter.font()
        font.setBold(self._active)
        painter.setFont(font)
        painter.drawText(QRectF(0, 0, HEAD - 8, HEIGHT), _LEFT, self._head)
        area = self._area()
        painter.fillRect(area, QColor(colours.raised))
        count = len(self._images)
        width = area.width() / count if count else 0.0
        for bar, tone in self._columns(area, width):
            colour = colours.tone(tone)
            painter.fillRect(bar, colour)
            if tone not in ("success", "neutral") and width >= MARK + 4:
                place = QRectF(bar.center().x() - MARK / 2, area.top() + 2, MARK, MARK)
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                if bar.height() > area.height() * 0.6:
                    colour = QColor(colours.bg)
                draw_mark(painter, place, tone, colour)
        if self._at is not None and count:
            shade = QColor(colours.text if self._active else colours.muted)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(shade, 2 if self._active else 1))
            frame = QRectF(area.left() + self._at * width, 1, max(width, 3.0), HEIGHT - 2)
            painter.drawRoundedRect(frame.adjusted(0.5, 0.5, -0.5, -0.5), 2, 2)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt: go to the image under the pointer."""
        index = self._index(event.position().x())
        if index is not None:
            self.chosen.emit(index)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt: name the image under the pointer; go there while the button is down."""
        index = self._index(event.position().x())
        if index is None:
            return
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.chosen.emit(index)
        else:
            image = self._images[index]
            parts = [image.ref.file_name]
            if image.result is not None and image.result.gate:
                parts.append(gate_text(image.result))
            elif image.result is not None and image.result.state == "done":
                parts.append(class_text(image.result.pred_label))
                parts.append(score_text(image.result.pred_score, 4))
            QToolTip.showText(event.globalPosition().toPoint(), "  ·  ".join(parts), self)

    def _index(self, x: float) -> int | None:
        area = self._area()
        if not self._images or area.width() <= 0:
            return None
        at = int((x - area.left()) / area.width() * len(self._images))
        return max(0, min(len(self._images) - 1, at))

    def _area(self) -> QRectF:
        return QRectF(HEAD, 2, max(1, self.width() - HEAD), HEIGHT - 4)

    def _columns(self, area: QRectF, width: float) -> list[Column]:
        """Return the bars, worked out once for a width: painting happens far more often."""
        if self._cached is not None and self._cached[0] == area.width():
            return self._cached[1]
        columns = []
        for left, right, image in self._spans(area, width):
            result = image.result
            if result is None:
                share = LOW / 2
            elif result.state == "failed" or result.gate:
                share = 1.0
            else:
                share = max(LOW, min(1.0, _heat(image) / FULL))
            height = area.height() * share
            bar = QRectF(left, area.bottom() - height, right - left, height)
            columns.append((bar, image_tone(result)))
        self._cached = (area.width(), columns)
        return columns

    def _spans(self, area: QRectF, width: float) -> Iterator[tuple[float, float, ShownImage]]:
        gap = 1.0 if width >= 4 else 0.0
        if width >= 1:
            for n, image in enumerate(self._images):
                yield area.left() + n * width, area.left() + (n + 1) * width - gap, image
            return
        pixels, count = int(area.width()), len(self._images)
        for pixel in range(pixels):
            first = pixel * count // pixels
            last = max(first + 1, (pixel + 1) * count // pixels)
            # Many slices share a pixel: the hottest of them is what must be seen.
            worst = max(self._images[first:last], key=_heat)
            yield area.left() + pixel, area.left() + pixel + 1, worst


def _heat(image: ShownImage) -> float:
    """Return the score as a multiple of the threshold; 0 where there is none."""
    result = image.result
    if result is not None and result.gate:
        # As high as it is shown, so that it is seen among the slices that share its pixel.
        return FULL
    if result is None or result.pred_score is None or not result.threshold:
        return 0.0
    return result.pred_score / result.threshold

"""Level and width of a CT picture on a stage: the right button, the readout, the repainting."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QCursor, QImage, QMouseEvent
from PySide6.QtWidgets import QGraphicsView, QLabel

from app.widgets.grey_display import Grey, GreyDisplay
from app.widgets.grey_image import GreyImage

CHANGED = "◐"
"""Stands where a picture is shown in other greys than the model saw."""
ROOM_FOR_WORDS = 280
"""Pixels of a stage's width; on a narrower one words come with the mouse."""


class Windowing(QObject):
    """Paints a stage's CT picture as the display says, and lets the right button change it.

    On an RGB picture it does nothing.

    Parameters
    ----------
    view : the stage
    display : of the window
    paint : takes the picture's pixels anew
    arrange : puts the stage's labels in place
    """

    # Of the class: while the program ends, a stage may hear of events after its own are gone.
    _grey: GreyImage | None = None
    _begun: tuple[QPoint, tuple[float, float]] | None = None

    def __init__(
        self,
        view: QGraphicsView,
        display: GreyDisplay,
        paint: Callable[[QImage], None],
        arrange: Callable[[], None],
    ) -> None:
        super().__init__(view)
        self._view, self._display = view, display
        self._paint, self._arrange = paint, arrange
        self._painted: tuple[Grey, bool] | None = None
        self._pointed: QPointF | None = None
        self._at_rest = QCursor(Qt.CursorShape.OpenHandCursor)
        self.brief = False
        """Whether level, width and value are told elsewhere."""
        self.readout = QLabel(view)
        self.readout.setProperty("role", "caption")
        self.readout.setTextFormat(Qt.TextFormat.PlainText)
        self.readout.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        # A mouse tells of more places than can be painted: the last one counts.
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(0)
        self._late.timeout.connect(self.refresh)
        display.changed.connect(self._late.start)
        view.viewport().setMouseTracking(True)
        view.viewport().installEventFilter(self)

    @property
    def grey(self) -> GreyImage | None:
        """What is shown of CT."""
        return self._grey

    def show_grey(self, grey: GreyImage | None) -> None:
        """Take the stage's picture; None where it is none of CT."""
        self._grey = grey
        # Painted as it is decoded.
        self._painted = (grey.base, False) if grey is not None else None
        self.refresh()

    def refresh(self) -> None:
        """Paint the picture as the display says now, if anybody sees it."""
        if self._grey is not None and self._view.isVisible():
            wanted = self._display.of(self._grey.base), self._begun is not None
            if wanted != self._painted:
                self._painted = wanted
                self._paint(self._grey.under(wanted[0], quick=wanted[1]))
        self.word()

    def word(self) -> None:
        """Word the readout in the window's language."""
        self.readout.setText(self._words())
        self._arrange()

    def _words(self) -> str:
        picture = self._grey
        if picture is None:
            return ""
        grey = self._display.of(picture.base)
        level, width = self._number(grey.level), self._number(grey.width)
        lines = [
            self.tr("Level {level}").format(level=level),
            self.tr("Width {width}").format(width=width),
        ]
        sign = []
        if self._display.moved or not picture.as_seen:
            sign.append(f"{CHANGED} {self.tr('display only')}")
        if not picture.judged:
            sign.append(self.tr("no verdict"))
        elif not picture.as_seen:
            sign.append(self.tr("made readable"))
        there = picture.at(self._pointed.x(), self._pointed.y()) if self._pointed else None
        if self.brief or (self._view.width() < ROOM_FOR_WORDS and there is None):
            # The box of an answer is not to be covered.
            return CHANGED if sign else ""
        lines += sign
        if there is not None:
            lines.append(self.tr("Value {value}").format(value=self._number(there.stored)))
            if there.seen is not None:
                lines.append(self.tr("the model sees {seen}").format(seen=there.seen))
        return "\n".join(lines)

    def _number(self, value: float) -> str:
        return number_text(value, whole=self._grey is not None and self._grey.whole_numbers)

    # -- the mouse -------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt: look at an event before the stage does."""
        kind = event.type()
        right = isinstance(event, QMouseEvent) and event.button() == Qt.MouseButton.RightButton
        if right and kind == QEvent.Type.MouseButtonRelease and self._begun is not None:
            self._begun = None
            self._view.viewport().setCursor(self._at_rest)
            # All of its pixels, now that it is held.
            self._late.start()
            return True
        if self._grey is None:
            return False
        if kind == QEvent.Type.Leave:
            self._pointed = None
            self.word()
        elif kind == QEvent.Type.MouseMove and isinstance(event, QMouseEvent):
            self._on_moved(event)
        elif right and kind == QEvent.Type.MouseButtonPress and isinstance(event, QMouseEvent):
            self._begun = event.globalPosition().toPoint(), self._display.place
            self._at_rest = self._view.viewport().cursor()
            self._view.viewport().setCursor(Qt.CursorShape.SizeAllCursor)
            return True
        return False

    def _on_moved(self, event: QMouseEvent) -> None:
        self._pointed = self._view.mapToScene(event.position().toPoint())
        if self._begun is not None:
            start, place = self._begun
            way = event.globalPosition().toPoint() - start
            self._display.drag(place, way.x(), way.y())
        self._late.start()


def number_text(value: float, *, whole: bool) -> str:
    """Return a stored value as it is told."""
    return f"{value:.0f}" if whole or abs(value) >= 1000 else f"{value:.4g}"

"""Marked regions on a stage: drawn over the picture, and taken from the mouse."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QCursor, QMouseEvent, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QApplication, QGraphicsPathItem, QGraphicsView

from app.widgets.layers import Layers
from inspection.records import Rect
from inspection.results import Box
from inspection.session.record import Region

REGION_COLOUR = QColor("#ffd84d")
REGION_WIDTH = 2.5
CLOSING = 9
"""Pixels on the screen around the first corner: a click there closes a polygon."""


class RegionMarker(QObject):
    """Draws the regions of a stage's picture, and marks one while that is wanted.

    A drag is a box, clicks are the corners of a polygon; a double click or one on the first
    corner closes it.

    Parameters
    ----------
    view : the stage; its scene is in source pixels
    layers : with the marks of the window
    """

    # Of the class: while the program ends, a stage may hear of events after its own are gone.
    _name: str = ""
    _start: QPointF | None = None

    def __init__(self, view: QGraphicsView, layers: Layers) -> None:
        super().__init__(view)
        self._view, self._layers, self._marks = view, layers, layers.marks
        self._bounds = Rect(0, 0, 1, 1)
        self._at: QPointF | None = None
        self._was_active = False
        self._at_rest = QCursor(Qt.CursorShape.OpenHandCursor)
        self.decided, self.marked = QGraphicsPathItem(), QGraphicsPathItem()
        for item, style in (
            (self.decided, Qt.PenStyle.SolidLine),
            (self.marked, Qt.PenStyle.DashLine),
        ):
            pen = QPen(REGION_COLOUR, REGION_WIDTH, style)
            # As wide on screen at any zoom.
            pen.setCosmetic(True)
            item.setPen(pen)
            view.scene().addItem(item)
        self._marks.changed.connect(self.refresh)
        layers.changed.connect(self.refresh)
        view.viewport().installEventFilter(self)

    def show_picture(self, name: str, bounds: Rect) -> None:
        """Take the stage's picture; without a name there is none."""
        if name != self._name:
            self._start = self._at = None
        self._name, self._bounds = name, bounds
        self.refresh()

    def refresh(self) -> None:
        """Draw what is marked on the picture."""
        marks = self._marks
        if marks.active != self._was_active:
            self._was_active = marks.active
            self._start = self._at = None
            viewport = self._view.viewport()
            if marks.active:
                self._at_rest = viewport.cursor()
            viewport.setCursor(Qt.CursorShape.CrossCursor if marks.active else self._at_rest)
        self.decided.setPath(self._path(marks.decided))
        self.decided.setVisible(self._layers.boxes)
        self.marked.setPath(self._in_work() if marks.active else self._path(marks.marked))

    def _path(self, region: Region | None) -> QPainterPath:
        path = QPainterPath()
        if region is not None and self._name and region.image == self._name:
            if region.box is not None:
                path.addRect(QRectF(region.box.x, region.box.y, region.box.w, region.box.h))
            else:
                path.addPolygon(QPolygonF([QPointF(*corner) for corner in region.polygon]))
                path.closeSubpath()
        return path

    def _in_work(self) -> QPainterPath:
        path = QPainterPath()
        if self._start is not None and self._at is not None:
            path.addRect(QRectF(self._start, self._at).normalized())
        elif self._name and self._marks.image == self._name and self._marks.corners:
            corners = [QPointF(*corner) for corner in self._marks.corners]
            path.addPolygon(QPolygonF([*corners, *([self._at] if self._at else [])]))
            # A single corner is no line yet.
            side = 3 / self._view.transform().m11()
            path.addEllipse(corners[0], side, side)
        return path

    # -- the mouse -------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt: look at an event before the stage does."""
        if not self._name or not isinstance(event, QMouseEvent) or not self._marks.active:
            return False
        kind, place = event.type(), self._view.mapToScene(event.position().toPoint())
        if kind == QEvent.Type.MouseMove:
            self._at = self._inside(place)
            self.refresh()
            # The value under the mouse goes on being told.
            return bool(event.buttons() & Qt.MouseButton.LeftButton)
        if event.button() != Qt.MouseButton.LeftButton:
            return False
        if kind == QEvent.Type.MouseButtonPress:
            self._start, self._at = self._inside(place), None
        elif kind == QEvent.Type.MouseButtonDblClick:
            self._start = None
            self._marks.close_polygon()
        elif kind == QEvent.Type.MouseButtonRelease and self._start is not None:
            start, self._start = self._start, None
            self._end(start, self._inside(place))
        return True

    def _end(self, start: QPointF, end: QPointF) -> None:
        way = self._view.mapFromScene(end) - self._view.mapFromScene(start)
        if way.manhattanLength() >= QApplication.startDragDistance():
            area = QRectF(start, end).normalized().toRect()
            # Beside the picture there is nothing to mark.
            if area.width() > 0 and area.height() > 0:
                box = Box(x=area.x(), y=area.y(), w=area.width(), h=area.height())
                self._marks.mark_box(self._name, box)
            return
        corners = self._marks.corners if self._marks.image == self._name else []
        if len(corners) >= 3:
            first = self._view.mapFromScene(QPointF(*corners[0])) - self._view.mapFromScene(end)
            if first.manhattanLength() <= CLOSING:
                self._marks.close_polygon()
                return
        self._marks.add_corner(self._name, (int(end.x()), int(end.y())))

    def _inside(self, place: QPointF) -> QPointF:
        area = self._bounds
        return QPointF(
            min(max(place.x(), area.x), area.x + area.w),
            min(max(place.y(), area.y), area.y + area.h),
        )

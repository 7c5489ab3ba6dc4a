"""One of three linked planes: its picture, the crosshair of the others, bodies, and the ruler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QEvent, QLineF, QPoint, QPointF, QRect, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen, QPolygonF, QTransform
from PySide6.QtWidgets import QGraphicsView

from app.planes.ruler import Ruler
from app.theme import tokens
from app.tones import Tone
from app.widgets.grey_display import GreyDisplay
from app.widgets.layers import Layers
from app.widgets.picture_view import PictureView
from app.widgets.plane_loader import PlanePicture
from inspection.records import Axis
from inspection.volumes.planes import PLANES, Place, Space

# On the stage, which is dark in both themes.
AXIS_COLOURS: dict[Axis, QColor] = {
    "z": QColor("#b79cff"),
    "y": QColor("#5fd38d"),
    "x": QColor("#ff9f5a"),
}
RULER_COLOUR = QColor("#ffffff")
GAP = 9
"""Pixels around the crosshair's voxel that are left free."""
REACH = 8
"""Pixels around a place of the ruler within which it is taken."""
SMALLEST = QSize(110, 90)
FRAME_WIDTH = 2


class PlaneView(PictureView):
    """A plane across one axis. Its scene is in the picture's pixels, what it tells in the plane's.

    The left button moves the crosshair, the middle one the picture; the wheel zooms, with Ctrl it
    steps. While measuring, the left button sets and moves the ruler's places.

    Parameters
    ----------
    axis : across which it lies
    ruler : of all planes
    """

    picked = Signal(object)
    """The crosshair is wanted at a `Place`."""
    pointed = Signal(object)
    """The pointer is at a `Place`, or at none."""
    enlarged = Signal()
    measured = Signal()

    def __init__(self, axis: Axis, layers: Layers, display: GreyDisplay, ruler: Ruler) -> None:
        super().__init__(layers, display)
        self.axis: Axis = axis
        self.measuring = False
        self.found: PlanePicture | None = None
        self._ruler = ruler
        self._space = Space((1, 1, 1))
        self._cross: Place = (0.5, 0.5)
        self._bodies: Sequence[tuple[tuple[float, float, float, float], Tone]] = ()
        self._active = False
        self._panned: QPoint | None = None
        self.windowing.brief = True
        layers.changed.connect(self._redraw)
        self.setDragMode(QGraphicsView.DragMode.NoDrag)
        # Lines across the whole view are drawn over it: a scrolled picture would drag them along.
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setMinimumSize(SMALLEST)
        self.viewport().setCursor(Qt.CursorShape.CrossCursor)

    # -- what is shown ---------------------------------------------------------------------

    def show_space(self, space: Space) -> None:
        """Take what the planes are cut out of."""
        self._space = space
        self.found = None
        self.clear()

    def show_plane(self, found: PlanePicture) -> None:
        """Show a plane, or why there is none."""
        self.found = found
        picture = found.picture
        if picture is None:
            self.clear(self.tr("No slices across {axis}.").format(axis=self.axis))
            return
        if found.heat is not None:
            picture = replace(picture, heat=found.heat.image, heat_roi=found.heat.roi)
        if picture.image is not None:
            # That it was kept stands beside the planes, where there is room for it.
            picture = replace(picture, problem=None)
        result = picture.shown.result
        boxes = list(result.pred_boxes) if result is not None and not found.rough else []
        self.show_picture(picture, boxes)

    def show_cross(self, place: Place) -> None:
        """Show where the other planes cut this one."""
        self._cross = place
        if not self._fitted and self._has_picture:
            self._following = True
            self.ensureVisible(QRectF(self._scene_place(place), QSizeF(1, 1)), REACH, REACH)
            self._following = False
        self.viewport().update()

    def show_bodies(self, bodies: Sequence[tuple[tuple[float, float, float, float], Tone]]) -> None:
        """Show what the plane cuts out of bodies: (x, y, w, h) of the plane, and the tone."""
        self._bodies = bodies
        self.viewport().update()

    def set_active(self, on: bool) -> None:
        """Show whether the keys step across it."""
        self._active = on
        self.viewport().update()

    @property
    def zoom(self) -> float:
        """Pixels of the screen for the smallest edge of a voxel."""
        return self.transform().m11() / self._aspect()[0]

    @property
    def fitted(self) -> bool:
        """True where the whole plane is in sight."""
        return self._fitted

    def follow_zoom(self, other: PlaneView) -> None:
        """Show as much as another plane does, around the crosshair."""
        if not self._has_picture:
            return
        self._following = True
        if other.fitted:
            self.fit()
        else:
            self._fitted = False
            across, down = self._aspect()
            self.setTransform(QTransform.fromScale(other.zoom * across, other.zoom * down))
            self.centerOn(self._scene_place(self._cross))
        self._following = False

    # -- places ----------------------------------------------------------------------------

    def place_at(self, point: QPointF) -> Place:
        """Return the place on the plane at a pixel of the viewport."""
        scene = self.viewportTransform().inverted()[0].map(point)
        across, down = self._picture_scale()
        return scene.x() / across, scene.y() / down

    def point_of(self, place: Place) -> QPointF:
        """Return the pixel of the viewport where a place of the plane is seen."""
        return self.viewportTransform().map(self._scene_place(place))

    def _scene_place(self, place: Place) -> QPointF:
        across, down = self._picture_scale()
        return QPointF(place[0] * across, place[1] * down)

    def _picture_scale(self) -> tuple[float, float]:
        """Return pixels of the picture for a voxel; one each but for pictures of other sizes."""
        rows, columns = self._space.size(self.axis)
        area = self._frame
        return (area.w / columns, area.h / rows) if self._has_picture else (1.0, 1.0)

    def _aspect(self) -> tuple[float, float]:
        """Return how wide and high a pixel is shown: voxels may be higher than wide."""
        least = min(self._space.edge(axis) for axis in PLANES)
        width, height = self._space.pixel(self.axis)
        across, down = self._picture_scale()
        return width / least / across, height / least / down

    def _scale_to(self, whole: QRectF) -> None:
        across, down = self._aspect()
        area = self.viewport().size()
        scale = min(
            area.width() / (whole.width() * across), area.height() / (whole.height() * down)
        )
        scale = max(scale, 1e-6)
        self.setTransform(QTransform.fromScale(scale * across, scale * down))
        self.centerOn(whole.center())

    # -- Qt --------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt: the crosshair, the ruler or the picture is taken."""
        event.accept()
        if event.button() == Qt.MouseButton.MiddleButton:
            self._panned = event.position().toPoint()
        elif event.button() == Qt.MouseButton.LeftButton and self._has_picture:
            place = self.place_at(event.position())
            if self.measuring:
                self._ruler.press(self.axis, place, self._reach())
                self.measured.emit()
            else:
                self.picked.emit(place)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt: what was taken is moved; the pointer is told of."""
        event.accept()
        if not self._has_picture:
            return
        place = self.place_at(event.position())
        if self._panned is not None:
            way = event.position().toPoint() - self._panned
            self._panned = event.position().toPoint()
            self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() - way.x())
            self.verticalScrollBar().setValue(self.verticalScrollBar().value() - way.y())
        elif event.buttons() & Qt.MouseButton.LeftButton:
            if self.measuring:
                self._ruler.move(place)
                self.measured.emit()
            else:
                self.picked.emit(place)
        self.pointed.emit(place)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Qt: what was taken is let go."""
        event.accept()
        self._panned = None
        if self.measuring and event.button() == Qt.MouseButton.LeftButton:
            self._ruler.release(self._reach())
            self.measured.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Qt: one plane is made large, or all are shown again."""
        event.accept()
        if event.button() == Qt.MouseButton.LeftButton and not self.measuring:
            self.enlarged.emit()

    def sizeHint(self) -> QSize:
        """Qt: as much as the others, however large their pictures are."""
        return SMALLEST

    def leaveEvent(self, event: QEvent) -> None:
        """Qt: the pointer has gone."""
        super().leaveEvent(event)
        self.pointed.emit(None)

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        """Qt: paint what lies over the picture, as wide on the screen at any zoom."""
        if not self._has_picture:
            return
        painter.save()
        painter.resetTransform()
        self._draw_bodies(painter)
        if not self._layers.bare:
            self._draw_cross(painter)
        if self._ruler.axis == self.axis:
            self._draw_ruler(painter)
        frame = QPen(AXIS_COLOURS[self.axis], FRAME_WIDTH if self._active else 1)
        painter.setPen(frame)
        painter.setOpacity(1.0 if self._active else 0.45)
        painter.drawRect(QRectF(self.viewport().rect()).adjusted(0.5, 0.5, -1, -1))
        painter.restore()

    def _redraw(self) -> None:
        self.viewport().update()

    def _draw_cross(self, painter: QPainter) -> None:
        at = self.point_of(self._cross)
        area = self.viewport().rect()
        rows, columns = PLANES[self.axis]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
        # The line across the rows lies where their plane is.
        painter.setPen(QPen(AXIS_COLOURS[rows], 1))
        painter.drawLine(QLineF(0, at.y(), at.x() - GAP, at.y()))
        painter.drawLine(QLineF(at.x() + GAP, at.y(), area.width(), at.y()))
        painter.setPen(QPen(AXIS_COLOURS[columns], 1))
        painter.drawLine(QLineF(at.x(), 0, at.x(), at.y() - GAP))
        painter.drawLine(QLineF(at.x(), at.y() + GAP, at.x(), area.height()))

    def _draw_bodies(self, painter: QPainter) -> None:
        if not self._layers.boxes:
            return
        for (x, y, w, h), tone in self._bodies:
            painter.setPen(QPen(tokens().tone(tone), 1.5, Qt.PenStyle.DashLine))
            corners = self.point_of((x, y)), self.point_of((x + w, y + h))
            painter.drawRect(QRectF(*corners).adjusted(-2, -2, 2, 2))

    def _draw_ruler(self, painter: QPainter) -> None:
        points = [self.point_of(place) for place in self._ruler.places]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        # Seen on bright and on dark parts.
        for colour, width in ((QColor(0, 0, 0, 170), 3.5), (RULER_COLOUR, 1.5)):
            painter.setPen(QPen(colour, width))
            painter.drawPolyline(QPolygonF(points))
            for point in points:
                painter.drawEllipse(point, 3.5, 3.5)

    def _reach(self) -> float:
        return REACH / max(1e-6, self.transform().m11() * self._picture_scale()[0])

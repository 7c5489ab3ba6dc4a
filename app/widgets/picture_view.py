"""The stage on which an image is shown: zoom, pan, heat-map, boxes, legend and captions."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QPixmap,
    QResizeEvent,
    QShowEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QGraphicsItem,
    QGraphicsPixmapItem,
    QGraphicsRectItem,
    QGraphicsScene,
    QGraphicsSimpleTextItem,
    QGraphicsView,
    QLabel,
)

from app.theme import tokens
from app.widgets.grey_display import GreyDisplay
from app.widgets.layers import Layers
from app.widgets.legend import HeatLegend
from app.widgets.pictures import Picture
from app.widgets.region_marker import RegionMarker
from app.widgets.windowing import Windowing
from app.wording import message_text
from inspection.messages import Message
from inspection.records import Rect
from inspection.results import Box

ZOOM_STEP = 1.2
MAX_ZOOM = 16.0
EDGE = 10
EDGE_SHARE = 0.02
BOX_COLOUR = QColor("#40c8ff")
BOX_TEXT_POINTS = 8.5
BOX_WIDTH = 2
FAINT = 0.45
LEGEND_SHARE = 4


class PictureView(QGraphicsView):
    """Shows one picture in source pixels: whatever is laid over it needs no conversion.

    Parameters
    ----------
    layers : what is laid over every picture
    display : level and width of every CT picture
    strength : of the heat-map, 0 to 1; None leaves it to the layers
    """

    stepped = Signal(int)
    looked = Signal()
    """The operator has zoomed or moved the picture."""

    def __init__(self, layers: Layers, display: GreyDisplay, strength: float | None = None) -> None:
        super().__init__()
        self._layers, self._strength = layers, strength
        layers.changed.connect(self._refresh_layers)
        self._scene = QGraphicsScene(self)
        self.setScene(self._scene)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setRenderHints(
            QPainter.RenderHint.SmoothPixmapTransform | QPainter.RenderHint.Antialiasing
        )
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.AnchorUnderMouse)
        self.setDragMode(QGraphicsView.DragMode.ScrollHandDrag)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumSize(180, 140)
        # Whoever has looked closer goes on from here with the keys of the review.
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._image, self._heat = QGraphicsPixmapItem(), QGraphicsPixmapItem()
        for item in (self._image, self._heat):
            item.setTransformationMode(Qt.TransformationMode.SmoothTransformation)
            self._scene.addItem(item)
        self._boxes: list[QGraphicsRectItem] = []
        self._frame = self._shown_part = Rect(0, 0, 1, 1)
        self._fitted, self._fit_scale = True, 1.0
        self._has_picture = False
        self._following = False
        self._problem: Message | None = None
        self.caption, self.footer, self.notice = QLabel(self), QLabel(self), QLabel(self)
        for made in (self.caption, self.footer, self.notice):
            made.setProperty("role", "caption")
            made.setTextFormat(Qt.TextFormat.PlainText)
            made.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.notice.setWordWrap(True)
        self.notice.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.legend = HeatLegend(self)
        self.windowing = Windowing(self, display, self._repaint, self._arrange)
        self.marker = RegionMarker(self, layers)
        self.setBackgroundBrush(QColor(tokens().stage))

    # -- what is shown ---------------------------------------------------------------------

    def show_picture(self, picture: Picture, boxes: list[Box], frame: Rect | None = None) -> None:
        """Show a picture; the zoom stays where the part shown is the same as before.

        Parameters
        ----------
        frame : what is in sight at first, in source pixels; by default what the picture shows
        """
        self._clear_items()
        self._problem = picture.problem
        if picture.image is None:
            self._has_picture = False
            self.marker.show_picture("", self._frame)
            self._word_problem()
            return
        frame = frame or picture.roi
        keep = self._has_picture and frame == self._frame and not self._fitted
        self._frame, self._has_picture = frame, True
        self._shown_part = picture.roi
        _place(self._image, QPixmap.fromImage(picture.image), picture.roi)
        if picture.heat is not None and picture.heat_roi is not None:
            _place(self._heat, QPixmap.fromImage(picture.heat), picture.heat_roi)
        for box in boxes:
            self._add_box(box)
        self.windowing.show_grey(picture.grey)
        self.marker.show_picture(picture.shown.name, picture.roi)
        self._refresh_layers()
        self._word_problem()
        if not keep:
            self.fit()

    def clear(self, notice: str = "") -> None:
        """Show nothing but a word on why."""
        self._clear_items()
        self._problem = None
        self.marker.show_picture("", self._frame)
        self._has_picture = False
        self.set_notice(notice)

    def set_notice(self, text: str) -> None:
        """Show a sentence in the middle of the stage, or none; below a picture that was kept."""
        self.notice.setText(text)
        self._arrange()

    def set_captions(self, caption: str, footer: str) -> None:
        """Show the image's class (top left) and its name (bottom left)."""
        self.caption.setText(caption)
        self.footer.setText(footer)
        self._arrange()

    def highlight(self, index: int | None) -> None:
        """Bring out one box by its place among those shown, or none."""
        for place, frame in enumerate(self._boxes):
            frame.setPen(_box_pen(BOX_WIDTH + 2 if place == index else BOX_WIDTH))
            frame.setOpacity(1.0 if index in (None, place) else FAINT)

    def fit(self) -> None:
        """Show the whole picture."""
        self._fitted = True
        if self._has_picture:
            edge = EDGE_SHARE * max(self._frame.w, self._frame.h)
            frame = QRectF(self._frame.x, self._frame.y, self._frame.w, self._frame.h)
            whole = frame.adjusted(-edge, -edge, edge, edge)
            self.setSceneRect(whole)
            self._scale_to(whole)
            self._fit_scale = self.transform().m11()
        self._arrange()

    def follow(self, other: PictureView) -> None:
        """Show the part of the picture that another view of it shows."""
        if not self._has_picture:
            return
        # What follows must not lead: its own scrolling would come back as a move.
        self._following = True
        if other._fitted:
            self.fit()
        else:
            self._fitted = False
            self.setTransform(other.transform())
            self.centerOn(other.mapToScene(other.viewport().rect().center()))
        self._following = False

    # -- Qt --------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        """Qt: the theme has changed."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.setBackgroundBrush(QColor(tokens().stage))
        elif event.type() == QEvent.Type.LanguageChange:
            self.windowing.word()
            if self._problem is not None:
                self._word_problem()

    def showEvent(self, event: QShowEvent) -> None:
        """Qt: somebody looks again; the greys may be others by now."""
        super().showEvent(event)
        self.windowing.refresh()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt: keys belong to the window; the view would scroll with them."""
        event.ignore()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Qt: zoom at the pointer; with Ctrl, step through the images."""
        direction = 1 if event.angleDelta().y() > 0 else -1
        event.accept()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.stepped.emit(-direction)
            return
        if not self._has_picture:
            return
        factor = ZOOM_STEP**direction
        scale = self.transform().m11() * factor
        if direction < 0 and scale <= self._fit_scale:
            self.fit()
        elif scale <= MAX_ZOOM:
            self._fitted = False
            self.scale(factor, factor)
        self.looked.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Qt: show the whole picture again."""
        self.fit()
        self.looked.emit()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        """Qt: the picture was moved."""
        super().scrollContentsBy(dx, dy)
        if not self._following and not self._fitted:
            self.looked.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt: keep the whole picture in sight."""
        super().resizeEvent(event)
        if self._fitted:
            self.fit()
        self._arrange()

    # -- inside ----------------------------------------------------------------------------

    def _scale_to(self, whole: QRectF) -> None:
        """Bring a part of the scene into sight, in the middle and whole."""
        self.fitInView(whole, Qt.AspectRatioMode.KeepAspectRatio)

    def _word_problem(self) -> None:
        self.set_notice(message_text(self._problem) if self._problem is not None else "")

    def _repaint(self, image: QImage) -> None:
        """Show the same picture in other greys, of as many pixels or fewer."""
        _place(self._image, QPixmap.fromImage(image), self._shown_part)

    def _clear_items(self) -> None:
        self.windowing.show_grey(None)
        for item in self._boxes:
            self._scene.removeItem(item)
        self._boxes.clear()
        self._image.setPixmap(QPixmap())
        self._heat.setPixmap(QPixmap())

    def _add_box(self, box: Box) -> None:
        frame = QGraphicsRectItem(box.x, box.y, box.w, box.h)
        frame.setPen(_box_pen(BOX_WIDTH))
        self._scene.addItem(frame)
        self._boxes.append(frame)
        if box.score is None:
            return
        text = QGraphicsSimpleTextItem(f"{box.score:.2f}", frame)
        font = QFont(self.font())
        font.setPointSizeF(BOX_TEXT_POINTS)
        font.setBold(True)
        text.setFont(font)
        text.setBrush(BOX_COLOUR)
        # Readable at any zoom.
        text.setFlag(QGraphicsItem.GraphicsItemFlag.ItemIgnoresTransformations)
        text.setPos(QPointF(box.x, box.y))
        text.setTransform(QTransform.fromTranslate(0, -text.boundingRect().height()))

    def _refresh_layers(self) -> None:
        layers = self._layers
        self._heat.setVisible(layers.heat)
        self._heat.setOpacity(layers.opacity / 100 if self._strength is None else self._strength)
        for item in self._boxes:
            item.setVisible(layers.boxes)
        self._arrange()

    def _arrange(self) -> None:
        area = self.viewport().rect()
        room = area.width() - 2 * EDGE
        has_heat = not self._heat.pixmap().isNull()
        # On a narrow stage it would cover the picture.
        room_for_legend = area.width() >= LEGEND_SHARE * self.legend.width()
        self.legend.setVisible(
            self._has_picture and has_heat and self._heat.isVisible() and room_for_legend
        )
        self.legend.move(area.right() - self.legend.width() - EDGE, EDGE)
        bottom = area.bottom() - EDGE
        for made in (self.caption, self.footer, self.windowing.readout):
            made.setVisible(bool(made.text()))
            made.adjustSize()
            made.resize(min(made.width(), room), made.height())
            if made is self.caption:
                made.move(EDGE, EDGE)
            elif made.text():
                # From below: the file's name, and over it the readout.
                made.move(EDGE, bottom - made.height())
                bottom -= made.height() + 4
        self.notice.setVisible(bool(self.notice.text()))
        self.notice.setFixedWidth(max(80, min(room, 360)))
        self.notice.adjustSize()
        self.notice.move(area.center() - self.notice.rect().center())
        if self._problem is not None and self._has_picture:
            # What is told of the picture is not to cover it.
            self.notice.move(self.notice.x(), bottom - self.notice.height())


def _place(item: QGraphicsPixmapItem, pixmap: QPixmap, roi: Rect) -> None:
    item.setPixmap(pixmap)
    item.setPos(roi.x, roi.y)
    item.setTransform(item.transform().fromScale(roi.w / pixmap.width(), roi.h / pixmap.height()))


def _box_pen(width: int) -> QPen:
    pen = QPen(BOX_COLOUR, width)
    # As wide on screen at any zoom.
    pen.setCosmetic(True)
    return pen

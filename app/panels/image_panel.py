"""What the CT and the RGB panel share: a stage, its strips, stepping, and the layers."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QToolButton, QVBoxLayout, QWidget

from app.review import BatteryView, ShownImage, first_shown
from app.tasks import TaskPool
from app.theme import icon
from app.widgets.demo_note import DemoNote
from app.widgets.panel import GAP, Panel, line
from app.widgets.picture_view import PictureView
from app.widgets.pictures import Picture, PictureLoader
from app.widgets.slice_strip import SliceStrip
from app.wording import class_text, message_text, score_text

DETAILS_HEIGHT = 118
NARROWEST = 250
TOOLS_HEIGHT = 40


class ImagePanel(Panel):
    """Shows one image of the current battery and lets the operator walk through the others.

    Parameters
    ----------
    pool : decodes the pictures
    layers : the window's actions that switch heat-map and boxes
    """

    wordy_width = 350
    failed = Signal(object)
    opacity_changed = Signal(int)

    def __init__(self, pool: TaskPool, layers: tuple[QAction, ...]) -> None:
        super().__init__()
        self._view: BatteryView | None = None
        self._groups: dict[str, tuple[ShownImage, ...]] = {}
        self._strips: dict[str, SliceStrip] = {}
        self._current: ShownImage | None = None
        self._moved = False
        self.stage = PictureView()
        self._loader = PictureLoader(pool, self)
        self._loader.loaded.connect(self._on_picture)
        self._loader.failed.connect(self.failed)
        self._overlay, self._show_boxes = layers
        self._build()

    def _build(self) -> None:
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)
        self._layout.addWidget(self._tool_row())
        self._layout.addWidget(self.stage, 1)
        foot = QWidget()
        self._foot = QVBoxLayout(foot)
        self._foot.setContentsMargins(10, 6, 10, 10)
        self._foot.setSpacing(GAP)
        self._layout.addWidget(foot)
        self._demo = DemoNote()
        self._demo.setContentsMargins(10, 0, 10, 8)
        self._layout.addWidget(self._demo)
        self.stage.stepped.connect(self.step)
        for action in (self._overlay, self._show_boxes):
            action.toggled.connect(self._apply_layers)

    def _tool_row(self) -> QWidget:
        row = QWidget()
        self._tools = QHBoxLayout(row)
        self._tools.setContentsMargins(8, 4, 8, 4)
        self._tools.setSpacing(4)
        # On a narrow screen the row may shrink below its words; see `resizeEvent`.
        self._tools.setSizeConstraint(QHBoxLayout.SizeConstraint.SetNoConstraint)
        row.setMinimumWidth(NARROWEST)
        row.setFixedHeight(TOOLS_HEIGHT)
        self._fit = QToolButton()
        self._fit.clicked.connect(self.stage.fit)
        self._worst = QToolButton()
        self._worst.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._worst.clicked.connect(self.to_worst)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setMinimumWidth(36)
        self.opacity.setMaximumWidth(86)
        self.opacity.valueChanged.connect(self.opacity_changed)
        self.opacity.valueChanged.connect(self._apply_layers)
        self._tools.addWidget(self._worst)
        self._tools.addStretch(1)
        for action in (self._overlay, self._show_boxes):
            button = QToolButton()
            button.setDefaultAction(action)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
            self._tools.addWidget(button)
        self._tools.addWidget(self.opacity)
        self._tools.addWidget(self._fit)
        return row

    def _slider_row(self) -> QHBoxLayout:
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._slider.valueChanged.connect(self._on_slider)
        self._position = QLabel()
        self._position.setMinimumWidth(96)
        self._position.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return line(self._slider, self._position)

    def _add_strip(self, group: str, head: str) -> SliceStrip:
        strip = SliceStrip(head)
        strip.setObjectName(group)
        strip.chosen.connect(self._on_strip)
        self._strips[group] = strip
        return strip

    # -- what is shown ---------------------------------------------------------------------

    def groups_of(self, view: BatteryView) -> dict[str, tuple[ShownImage, ...]]:
        """Return the images that this panel shows, by strip."""
        raise NotImplementedError

    def worst_of(self, view: BatteryView) -> list[str]:
        """Return the names of the worst images, worst first."""
        raise NotImplementedError

    def show_battery(self, view: BatteryView | None) -> None:
        """Show a battery; the place within it stays once the operator has chosen one."""
        same = (
            view is not None
            and self._view is not None
            and view.row.battery_id == self._view.row.battery_id
        )
        kept = self._current if same else None
        news = _judged(view) and not (same and _judged(self._view))
        self._view = view
        self._moved = self._moved and same
        groups = self.groups_of(view) if view else {}
        self._groups = {name: _in_order(images) for name, images in groups.items()}
        for name, strip in self._strips.items():
            strip.show_images(self._groups.get(name, ()))
        self._worst.setEnabled(bool(view and self.worst_of(view)))
        everything = tuple(image for images in self._groups.values() for image in images)
        chosen = None
        if kept is not None and (self._moved or not news):
            chosen = next((i for i in everything if i.ref.path == kept.ref.path), None)
        if chosen is None:
            worst = self.worst_of(view) if view else []
            chosen = first_shown(everything, worst)
        self._show(chosen)

    def set_demo(self, demo: bool) -> None:
        """Say whether a demo model has judged the images of the session."""
        self._demo.setVisible(demo)

    def step(self, delta: int) -> None:
        """Go to a neighbour within the strip."""
        place = self._place()
        if place is None:
            return
        group, index = place
        self._go(group, max(0, min(len(self._groups[group]) - 1, index + delta)))

    def to_worst(self) -> None:
        """Go to the worst image; pressed again, to the next worst."""
        names = self.worst_of(self._view) if self._view else []
        if not names:
            return
        now = self._current.name if self._current else ""
        wanted = names[(names.index(now) + 1) % len(names)] if now in names else names[0]
        for group, images in self._groups.items():
            for index, image in enumerate(images):
                if image.name == wanted:
                    self._go(group, index)

    def set_bare(self, bare: bool) -> None:
        """Show the bare picture while a key is held."""
        self.stage.set_bare(bare)

    @property
    def current(self) -> ShownImage | None:
        """The image that is shown, or is being loaded."""
        return self._current

    # -- words and colours -----------------------------------------------------------------

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        self._fit.setToolTip(self.tr("Show the whole picture (double-click)"))
        self._worst.setText(self.tr("Worst"))
        self._worst.setToolTip(self.tr("Go to the worst image; again for the next worst (W)"))
        self.opacity.setToolTip(self.tr("Strength of the heat-map"))
        self._describe()

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        self._fit.setIcon(icon("fit"))
        self._worst.setIcon(icon("worst"))
        self.stage.restyle()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt: leave a word out where there is no room for it."""
        super().resizeEvent(event)
        wordy = self.width() >= self.wordy_width
        style = Qt.ToolButtonStyle
        self._worst.setToolButtonStyle(
            style.ToolButtonTextBesideIcon if wordy else style.ToolButtonIconOnly
        )

    # -- inside ----------------------------------------------------------------------------

    def _place(self) -> tuple[str, int] | None:
        for group, images in self._groups.items():
            for index, image in enumerate(images):
                if image is self._current:
                    return group, index
        return None

    def _go(self, group: str, index: int) -> None:
        self._moved = True
        self._show(self._groups[group][index])

    def _on_strip(self, index: int) -> None:
        self._go(self.sender().objectName(), index)

    def _on_slider(self, value: int) -> None:
        place = self._place()
        if place is not None and place[1] != value:
            self._go(place[0], value)

    def _show(self, image: ShownImage | None) -> None:
        self._current = image
        place = self._place()
        for name, strip in self._strips.items():
            active = place is not None and place[0] == name
            strip.set_current(place[1] if active and place else None, active=active)
        self._sync_slider(place)
        if image is None:
            self._loader.forget()
            self.stage.clear(self._nothing())
        else:
            self._loader.show(image)
        self._describe()

    def _sync_slider(self, place: tuple[str, int] | None) -> None:
        self._slider.blockSignals(True)
        count = len(self._groups[place[0]]) if place else 0
        self._slider.setEnabled(count > 1)
        self._slider.setRange(0, max(0, count - 1))
        self._slider.setValue(place[1] if place else 0)
        self._slider.blockSignals(False)

    def _on_picture(self, picture: Picture) -> None:
        result = picture.shown.result
        self.stage.show_picture(picture, list(result.pred_boxes) if result else [])
        self._apply_layers()
        if picture.problem is not None:
            self.stage.set_notice(message_text(picture.problem))

    def _apply_layers(self) -> None:
        self.stage.set_layers(
            overlay=self._overlay.isChecked(),
            opacity=self.opacity.value() / 100,
            boxes=self._show_boxes.isChecked(),
        )

    def _describe(self) -> None:
        """Word the caption, the file name and the position of the image shown."""
        image = self._current
        if image is None:
            self.stage.set_captions("", "")
            self._position.setText("")
            self.stage.set_notice(self._nothing())
            return
        result = image.result
        caption = ""
        if result is not None and result.state == "done":
            caption = f"{class_text(result.pred_label)}  {score_text(result.pred_score, 3)}"
        self.stage.set_captions(caption, image.ref.path.name)
        place = self._place()
        if place is not None:
            axis = f"{image.ref.axis} " if image.ref.axis else ""
            count = len(self._groups[place[0]])
            self._position.setText(f"{axis}{image.ref.number}   {place[1] + 1} / {count}")

    def _nothing(self) -> str:
        raise NotImplementedError


def _judged(view: BatteryView | None) -> bool:
    return view is not None and view.result is not None and bool(view.result.images)


def _in_order(images: tuple[ShownImage, ...]) -> tuple[ShownImage, ...]:
    return tuple(sorted(images, key=lambda image: (image.ref.number, image.ref.path.name)))

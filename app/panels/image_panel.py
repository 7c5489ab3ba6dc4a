"""What the CT and the RGB panel share: a stage, its strips, stepping, and the layers."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from app.lot.review import BatteryView, ShownImage, first_shown
from app.panels.demo_note import DemoNote
from app.panels.dock import DockPanel, PanelContext, same_battery
from app.theme import icon
from app.widgets.panel import column, line
from app.widgets.picture_view import PictureView
from app.widgets.pictures import Picture, PictureLoader
from app.widgets.slice_strip import SliceStrip
from app.wording import class_text, gate_text, message_text, score_text
from inspection.records import Modality

DETAILS_HEIGHT = 118
NARROWEST = 250
TOOLS_HEIGHT = 40


class ImagePanel(DockPanel):
    """Shows one image of the current battery and lets the operator walk through the others."""

    room = "makes"
    slot: ClassVar[str]
    """Of the model whose word is shown."""
    modality: ClassVar[Modality]
    confirm: ClassVar[str]
    """The action that calls the image in sight normal."""
    wordy_width: ClassVar[int] = 350
    confirm_width: ClassVar[int] = NARROWEST
    """From which on there is room for the button that calls an image normal, beside the others."""

    def __init__(self, context: PanelContext) -> None:
        super().__init__(context)
        self._view: BatteryView | None = None
        self._groups: dict[str, tuple[ShownImage, ...]] = {}
        self._strips: dict[str, SliceStrip] = {}
        self._current: ShownImage | None = None
        self._moved = False

        self.stage = PictureView(context.layers, context.display)
        self.stage.stepped.connect(self.step)
        self.stage.addAction(context.actions["accept_next"])
        self._worst = QToolButton()
        self._worst.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._worst.clicked.connect(self.to_worst)
        switches = (QToolButton(), QToolButton(), QToolButton())
        for button, name in zip(switches, (self.confirm, "overlay", "boxes"), strict=True):
            button.setDefaultAction(context.actions[name])
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setMinimumWidth(36)
        self.opacity.setMaximumWidth(86)
        self.opacity.setValue(context.layers.opacity)
        # Both image panels have such a slider; each shows what the other was set to.
        self.opacity.valueChanged.connect(context.layers.set_opacity)
        context.layers.opacity_changed.connect(self.opacity.setValue)
        self._fit = QToolButton()
        self._fit.clicked.connect(self.fit)
        self._confirm = switches[0]
        self._tools = line(self._worst, None, *switches, self.opacity, self._fit, gap=4)
        self._tools.setContentsMargins(8, 4, 8, 4)
        # On a narrow screen the row may shrink below its words; see `resizeEvent`.
        self._tools.setSizeConstraint(QHBoxLayout.SizeConstraint.SetNoConstraint)
        row = QWidget()
        row.setLayout(self._tools)
        row.setMinimumWidth(NARROWEST)
        row.setFixedHeight(TOOLS_HEIGHT)

        self._slider = QSlider(Qt.Orientation.Horizontal)
        # The arrow keys are the window's: a slider with the focus would take them.
        self._slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._slider.valueChanged.connect(self._on_slider)
        self._position = QLabel()
        self._position.setMinimumWidth(96)
        self._position.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        foot = QWidget()
        self._foot = column(foot, line(self._slider, self._position))
        self._foot.setContentsMargins(10, 6, 10, 10)
        demo = DemoNote(context.demo, self.slot)
        demo.setContentsMargins(10, 0, 10, 8)
        self._body = column(self, row, (self.stage, 1), foot, demo, margin=0, gap=0)

        controller = context.controller
        failed = controller.failed.emit
        self._loader = PictureLoader(controller.files, self._on_picture, failed)
        context.actions["worst"].triggered.connect(self.to_worst)
        self._words = controller.decisions.images
        context.actions[self.confirm].triggered.connect(self._on_confirm)
        self._words.changed.connect(self._describe)
        controller.current_changed.connect(self.show_battery)

    def add_strip(self, group: str, head: str) -> SliceStrip:
        """Return the strip of a group of images, with what stands before it."""
        strip = SliceStrip(head)
        strip.chosen.connect(partial(self._go, group))
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
        same = same_battery(view, self._view)
        kept = self._current if same else None
        # A verdict that has just come leads to its worst image, as long as nobody has looked.
        now, before = (bool(one and one.result and one.result.images) for one in (view, self._view))
        news = now and not (same and before)
        self._view = view
        self._moved = self._moved and same
        groups = self.groups_of(view) if view else {}
        self._groups = {
            name: tuple(sorted(images, key=lambda image: (image.ref.number, image.ref.file_name)))
            for name, images in groups.items()
        }
        for name, strip in self._strips.items():
            strip.show_images(self._groups.get(name, ()))
        self._worst.setEnabled(bool(view and self.worst_of(view)))
        everything = tuple(image for images in self._groups.values() for image in images)
        chosen = None
        if kept is not None and (self._moved or not news):
            chosen = next((i for i in everything if i.ref.source == kept.ref.source), None)
        self._show(chosen or first_shown(everything, self.worst_of(view) if view else []))

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
        # Pressed again and again it walks through all of them, and round.
        wanted = names[(names.index(now) + 1) % len(names)] if now in names else names[0]
        for group, images in self._groups.items():
            for index, image in enumerate(images):
                if image.name == wanted:
                    self._go(group, index)

    def fit(self) -> None:
        """Show the whole picture."""
        self.stage.fit()

    @property
    def current(self) -> ShownImage | None:
        """The image that is shown, or is being loaded."""
        return self._current

    @property
    def in_sight(self) -> ShownImage | None:
        """The image that a person can say something of."""
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

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt: leave a word out where there is no room for it."""
        super().resizeEvent(event)
        wordy = self.width() >= self.wordy_width
        self._confirm.setVisible(self.width() >= self.confirm_width)
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

    def _on_slider(self, value: int) -> None:
        place = self._place()
        if place is not None and place[1] != value:
            self._go(place[0], value)

    def _on_confirm(self) -> None:
        # The key counts in the whole window: what nobody sees is confirmed by nobody.
        if not self.visibleRegion().isEmpty():
            self._words.toggle(self.modality)
        # The key has ticked the action; what is ticked is on the disk.
        self._words.changed.emit()

    def _show(self, image: ShownImage | None) -> None:
        self._current = image
        place = self._place()
        for name, strip in self._strips.items():
            active = place is not None and place[0] == name
            strip.set_current(place[1] if active and place else None, active=active)
        # Qt moves a slider that is given a new range: that is nobody's step.
        self._slider.blockSignals(True)
        count = len(self._groups[place[0]]) if place else 0
        self._slider.setEnabled(count > 1)
        self._slider.setRange(0, max(0, count - 1))
        self._slider.setValue(place[1] if place else 0)
        self._slider.blockSignals(False)
        if image is None:
            self._loader.forget()
            self.stage.clear(self.nothing())
        else:
            self._load(image)
        self._words.look_at(self.modality, self.in_sight)
        self._describe()

    def _load(self, image: ShownImage) -> None:
        self._loader.show(image)

    def _on_picture(self, picture: Picture) -> None:
        result = picture.shown.result
        self.stage.show_picture(picture, list(result.pred_boxes) if result else [])
        if picture.problem is not None:
            return
        if result is not None and result.gate:
            self.stage.set_notice(gate_text(result))
        elif result is not None and result.error is not None:
            # What the judge refuses as too dark can be shown all the same.
            self.stage.set_notice(message_text(result.error))

    def _describe(self) -> None:
        """Word the caption, the file name and the position of the image shown."""
        image = self._current
        if image is None:
            self.stage.set_captions("", "")
            self._position.setText("")
            self.stage.set_notice(self.nothing())
            return
        result = image.result
        caption = ""
        if result is not None and (result.gate or result.state == "failed"):
            caption = self.tr("Not judged")
        elif result is not None and result.state == "done":
            caption = f"{class_text(result.pred_label)}  {score_text(result.pred_score, 3)}"
        if self._words.is_normal(self.modality):
            confirmed = self.tr("Confirmed as normal")
            caption = f"{caption}  ·  {confirmed}" if caption else confirmed
        self.stage.set_captions(caption, image.ref.file_name)
        place = self._place()
        if place is not None:
            axis = f"{image.ref.axis} " if image.ref.axis else ""
            count = len(self._groups[place[0]])
            self._position.setText(f"{axis}{image.ref.number}   {place[1] + 1} / {count}")

    def nothing(self) -> str:
        """Return why there is no image."""
        raise NotImplementedError

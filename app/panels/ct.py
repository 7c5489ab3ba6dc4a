"""CT slices: stage, axes, slice strips, class and probabilities."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QButtonGroup, QToolButton, QVBoxLayout, QWidget

from app.lot.review import BatteryView, ShownImage, axes_of
from app.panels.dock import DockPlace, PanelContext, same_battery
from app.panels.image_panel import DETAILS_HEIGHT, ImagePanel
from app.panels.planes import PlanesView
from app.theme import icon
from app.tones import class_tone
from app.widgets.bars import Bar, Bars, autoencoder_bar
from app.widgets.grey_image import GreyImage
from app.widgets.grey_menu import GreyMenu
from app.widgets.panel import button, fill, line
from app.wording import class_text, score_text
from inspection.classes import class_table
from inspection.systems.ensemble.evidence import ae_score_from

AXES = ("x", "y", "z")


class CtPanel(ImagePanel):
    """The CT side of the current battery."""

    name = "ct"
    place = DockPlace("right", of="lot", share=0.56)
    slot = "ct_cnn"
    modality = "ct"
    confirm = "confirm_slice"
    wordy_width = 440
    confirm_width = 460

    def __init__(self, context: PanelContext) -> None:
        super().__init__(context)
        self._axis_buttons = QButtonGroup(self)
        for place, axis in enumerate(AXES):
            made = button("segment", checkable=True)
            made.setText(axis)
            made.setFixedWidth(34)
            # The arrow keys are the window's: a button with the focus would take them.
            made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            self._axis_buttons.addButton(made, place)
            self._tools.insertWidget(place, made)
        self._axis_buttons.idClicked.connect(self._on_axis)
        self._greys = QToolButton()
        self._presets = GreyMenu(self, context.display, self._grey)
        self._greys.setMenu(self._presets)
        self._greys.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._tools.insertWidget(self._tools.count() - 1, self._greys)
        tools = (QToolButton(), QToolButton())
        for place, (name, tool) in enumerate(zip(("planes", "ruler"), tools, strict=True)):
            tool.setDefaultAction(context.actions[name])
            tool.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
            self._tools.insertWidget(len(AXES) + place, tool)
        self._ruler = tools[1]
        self._ruler.hide()
        # While it is held, the crosshair is not led by the slice that is told of.
        self._held = False
        self.planes = PlanesView(context)
        self.planes.moved.connect(self._on_planes_moved)
        self.planes.hide()
        self._body.insertWidget(1, self.planes, 1)
        strips = QVBoxLayout()
        strips.setSpacing(3)
        fill(strips, *(self.add_strip(axis, axis) for axis in AXES), None)
        self._probabilities = Bars(name_share=0.56)
        self._probabilities.setMinimumHeight(DETAILS_HEIGHT - 4)
        self._details = QWidget()
        details = line((strips, 4), (self._probabilities, 6), gap=18)
        details.setAlignment(self._probabilities, Qt.AlignmentFlag.AlignTop)
        self._details.setLayout(details)
        self._foot.addWidget(self._details)
        for action, order in (
            ("slice_back", self.step_back),
            ("slice_on", self.step_on),
            ("axis", self.next_axis),
            ("enlarge", self.planes.enlarge),
        ):
            context.actions[action].triggered.connect(order)
        context.actions["planes"].toggled.connect(self.show_planes)
        context.actions["ruler"].toggled.connect(self.planes.set_measuring)
        self.retranslate()
        self.restyle()

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("CT slices")

    def groups_of(self, view: BatteryView) -> dict[str, tuple[ShownImage, ...]]:
        """Return the slices by axis."""
        groups = {
            axis or "": tuple(image for image in view.ct if image.ref.axis == axis)
            for axis in (*axes_of(view.ct), None)
        }
        # Slices whose names tell no axis walk as one more group.
        return {name: images for name, images in groups.items() if images}

    def worst_of(self, view: BatteryView) -> list[str]:
        """Return the worst slices."""
        return view.result.worst_slices if view.result else []

    def show_battery(self, view: BatteryView | None) -> None:
        """Show a battery; its planes where they are wanted."""
        same, before = same_battery(view, self._view), self._current
        self._held = True
        super().show_battery(view)
        self._held = False
        if self.in_planes:
            name, old = (one.name if one else None for one in (self._current, before))
            self.planes.show_battery(view, self._current, go=not same or name != old)

    @property
    def in_planes(self) -> bool:
        """True while three planes are in the place of one slice."""
        return self.context.actions["planes"].isChecked()

    def show_planes(self, on: bool) -> None:
        """Show three planes in the place of one slice, or the slice again."""
        # Three planes need the room of what one slice leaves free.
        for part in (self.stage, self._details, *self._axis_buttons.buttons()):
            part.setVisible(not on)
        for part in (self.planes, self._ruler):
            part.setVisible(on)
        if on:
            self._loader.forget()
            self.planes.show_battery(self._view, self._current, go=True)
            self._words.look_at(self.modality, self.in_sight)
        else:
            self.context.actions["ruler"].setChecked(False)
            self.planes.close_battery()
            self._show(self._current)

    @property
    def in_sight(self) -> ShownImage | None:
        """The slice that is shown whole; in the planes there is none."""
        return None if self.in_planes else self._current

    def step(self, delta: int) -> None:
        """Go to a neighbour; in the planes to that of the voxel."""
        if self.in_planes:
            self.planes.step(delta)
        else:
            super().step(delta)

    def fit(self) -> None:
        """Show the whole picture, or all of the planes."""
        if self.in_planes:
            self.planes.fit()
        else:
            super().fit()

    def next_axis(self) -> None:
        """Go to the next axis that has slices."""
        present = [axis for axis in AXES if self._groups.get(axis)]
        now = self._current.ref.axis if self._current else None
        if present:
            place = present.index(now) + 1 if now in present else 0
            self._on_axis(AXES.index(present[place % len(present)]))

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        super().retranslate()
        for made in self._axis_buttons.buttons():
            made.setToolTip(self.tr("Axis {axis}").format(axis=made.text()))
        self._presets.retranslate()
        self._greys.setToolTip(
            self.tr(
                "Greys; as inspected (0). Drag with the right button to change them: up and down "
                "the level, left and right the width. No verdict depends on it."
            )
        )

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        super().restyle()
        self._greys.setIcon(icon("contrast"))

    def _grey(self) -> GreyImage | None:
        shown = self.planes.active if self.in_planes else self.stage
        return shown.windowing.grey

    def _load(self, image: ShownImage) -> None:
        if not self.in_planes:
            super()._load(image)
        elif not self._held:
            self.planes.go_to(image)

    def _on_planes_moved(self, axis: str, number: int) -> None:
        """Follow the crosshair: what is told below is of the slice nearest to it."""
        images = self._groups.get(axis) or self._groups.get("")
        if not images:
            return
        nearest = min(images, key=lambda image: abs(image.ref.number - number))
        self._moved = True
        if nearest is not self._current:
            self._held = True
            self._show(nearest)
            self._held = False

    def _on_axis(self, place: int) -> None:
        group = AXES[place]
        if images := self._groups.get(group, ()):
            scores = [image.result.pred_score or 0.0 if image.result else 0.0 for image in images]
            hottest = scores.index(max(scores)) if any(scores) else len(images) // 2
            self._go(group, hottest)

    def _describe(self) -> None:
        super()._describe()
        axis = self._current.ref.axis if self._current else None
        for made in self._axis_buttons.buttons():
            made.setEnabled(bool(self._groups.get(made.text())))
            made.setChecked(made.text() == axis)
        result = self._current.result if self._current else None
        found = result.probabilities if result else {}
        second: tuple[Bar, ...] = ()
        if result and result.ct_ae_score is not None and result.ct_ae_threshold is not None:
            second = (autoencoder_bar(ae_score_from(result.ct_ae_score, result.ct_ae_threshold)),)
        self._probabilities.show_bars(
            tuple(
                Bar(
                    name=class_text(name),
                    value=found.get(name),
                    tone=class_tone(name),
                    text=score_text(found.get(name), 3),
                    strong=result is not None and result.pred_label == name,
                )
                for name in class_table().ct
            )
            + second
        )

    def nothing(self) -> str:
        """Return why there is no slice."""
        return self.tr("This battery has no CT slices.") if self._view else ""

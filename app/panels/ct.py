"""CT slices: stage, axes, slice strips, class and probabilities."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QVBoxLayout

from app.panels.image_panel import DETAILS_HEIGHT, ImagePanel
from app.review import BatteryView, ShownImage, axes_of
from app.tasks import TaskPool
from app.tones import class_tone
from app.widgets.bars import Bar, Bars
from app.widgets.panel import button
from app.wording import class_text, score_text
from inspection.classes import class_table

AXES = ("x", "y", "z")


class CtPanel(ImagePanel):
    """The CT side of the current battery."""

    wordy_width = 440

    def __init__(self, pool: TaskPool, layers: tuple[QAction, ...]) -> None:
        super().__init__(pool, layers)
        self._axis_buttons = QButtonGroup(self)
        for place, axis in enumerate(AXES):
            made = button("segment", checkable=True)
            made.setText(axis)
            made.setFixedWidth(34)
            made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            self._axis_buttons.addButton(made, place)
            self._tools.insertWidget(place, made)
        self._axis_buttons.idClicked.connect(self._on_axis)
        self._foot.addLayout(self._slider_row())
        strips = QVBoxLayout()
        strips.setSpacing(3)
        for axis in AXES:
            strips.addWidget(self._add_strip(axis, axis))
        strips.addStretch(1)
        self._probabilities = Bars(name_share=0.56)
        details = QHBoxLayout()
        details.setSpacing(18)
        details.addLayout(strips, 4)
        details.addWidget(self._probabilities, 6, Qt.AlignmentFlag.AlignTop)
        self._probabilities.setMinimumHeight(DETAILS_HEIGHT - 4)
        self._foot.addLayout(details)
        self.retranslate()
        self.restyle()

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("CT slices")

    def groups_of(self, view: BatteryView) -> dict[str, tuple[ShownImage, ...]]:
        """Return the slices by axis."""
        return {
            axis: tuple(image for image in view.ct if image.ref.axis == axis)
            for axis in axes_of(view.ct)
        } | _unnamed(view)

    def worst_of(self, view: BatteryView) -> list[str]:
        """Return the worst slices."""
        return view.result.worst_slices if view.result else []

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

    def _on_axis(self, place: int) -> None:
        group = AXES[place]
        images = self._groups.get(group, ())
        if images:
            self._go(group, _hottest(images))

    def _describe(self) -> None:
        super()._describe()
        axis = self._current.ref.axis if self._current else None
        for made in self._axis_buttons.buttons():
            made.setEnabled(bool(self._groups.get(made.text())))
            made.setChecked(made.text() == axis)
        result = self._current.result if self._current else None
        found = result.probabilities if result else {}
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
        )

    def _nothing(self) -> str:
        return self.tr("This battery has no CT slices.") if self._view else ""


def _hottest(images: tuple[ShownImage, ...]) -> int:
    scores = [image.result.pred_score or 0.0 if image.result else 0.0 for image in images]
    return scores.index(max(scores)) if any(scores) else len(images) // 2


def _unnamed(view: BatteryView) -> dict[str, tuple[ShownImage, ...]]:
    """Return the slices whose names tell no axis: they walk as one more group."""
    images = tuple(image for image in view.ct if image.ref.axis is None)
    return {"": images} if images else {}

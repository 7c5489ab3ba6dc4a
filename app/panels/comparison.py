"""The three systems side by side on the same images, with agreement and conflict marked."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QToolButton

from app.lot.review import BatteryView
from app.panels.comparison_column import ComparisonColumn
from app.panels.comparison_words import (
    battery_words,
    detail_words,
    image_words,
    overlap_words,
    result_so_far,
)
from app.panels.demo_note import DemoNote
from app.panels.dock import DockPanel, DockPlace, PanelContext, same_battery
from app.theme import icon, tokens
from app.tones import Tone
from app.widgets.chip import Chip
from app.widgets.panel import button, column, label, line, rule
from app.widgets.picture_view import PictureView
from app.widgets.pictures import Picture, PictureLoader
from app.wording import not_yet_text
from inspection.records import Rect
from inspection.results import SYSTEMS, BatteryResult, SystemName
from inspection.run.status import LiveAnswers

if TYPE_CHECKING:
    from inspection.agreement.battery import Agreement, BatteryComparison, ImageComparison

AGREEMENT_TONES: dict[str, Tone] = {"agree": "success", "conflict": "warning", "open": "neutral"}
AGREEMENT_ICONS = {"agree": "accept", "conflict": "conflict", "open": "undecided"}


class ComparisonPanel(DockPanel):
    """One image at a time, three columns of the same form, and the battery's line below."""

    name = "comparison"
    place = DockPlace("right", of="lot")
    room = "takes"
    walks_answers = True

    def __init__(self, context: PanelContext) -> None:
        super().__init__(context)
        self._view: BatteryView | None = None
        self._live: dict[SystemName, LiveAnswers] = {}
        self._result: BatteryResult | None = None
        self._comparison: BatteryComparison | None = None
        self._wanted = ""
        self._stale = True
        self.back, self.on = QToolButton(), QToolButton()
        self.back.clicked.connect(self.step_back)
        self.on.clicked.connect(self.step_on)
        self.images = QComboBox()
        self.images.setMinimumContentsLength(18)
        self.images.activated.connect(self._go)
        self.image_chip = Chip()
        layers, display, demo = context.layers, context.display, context.demo
        self.columns = {one: ComparisonColumn(one, layers, display, demo) for one in SYSTEMS}
        for one in self.columns.values():
            one.stage.stepped.connect(self.step)
            one.stage.addAction(context.actions["accept_next"])
            one.stage.looked.connect(partial(self._follow, one.stage))
        self.overlaps = label("muted", wrap=True)
        self.battery_chip = Chip()
        self._battery = label("section")
        self.battery_line = label(wrap=True)
        self.figures = button()
        self.figures.clicked.connect(context.dialogs.show_figures)
        self.remark = label("muted", wrap=True)
        column(
            self,
            line(self.back, self.images, self.on, self.image_chip),
            (line(*self.columns.values(), gap=10), 1),
            self.overlaps,
            rule(),
            line(self._battery, self.battery_chip, (self.battery_line, 1), self.figures),
            self.remark,
            DemoNote(demo),
            margin=10,
        )
        controller = context.controller
        failed = controller.failed.emit
        self._loader = PictureLoader(controller.files, self._on_picture, failed)
        controller.current_changed.connect(self.show_battery)
        controller.runner.live_changed.connect(self.show_live)
        self.retranslate()
        self.restyle()

    def _follow(self, moved: PictureView) -> None:
        """Whatever is zoomed or moved in one picture is in all."""
        for one in self.columns.values():
            if one.stage is not moved:
                one.stage.follow(moved)

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("Comparison")

    # -- what is shown ---------------------------------------------------------------------

    def show_battery(self, view: BatteryView | None) -> None:
        """Show a battery; the image stays where the battery is the same."""
        if not same_battery(view, self._view):
            self._wanted = ""
        self._view = view
        self._refresh()

    def show_live(self, system: SystemName, live: LiveAnswers | None) -> None:
        """Show what a system has answered of the battery that it is at."""
        before = self._live.pop(system, None)
        if live is not None:
            self._live[system] = live
        # Text in the making is not compared; whole answers are.
        if _answered(before) != _answered(live):
            self._refresh()

    def step(self, delta: int) -> None:
        """Go to the next or previous image."""
        place = self.images.currentIndex() + delta
        if 0 <= place < self.images.count():
            self._go(place)

    @property
    def current(self) -> ImageComparison | None:
        """The image that is compared."""
        images = self._comparison.images if self._comparison else ()
        return next((image for image in images if image.image == self._wanted), None)

    def _refresh(self) -> None:
        """Compare anew; while nobody looks, only remember to."""
        self._stale = not self.isVisible()
        if self._stale:
            return
        self._result = result_so_far(self._view, self._live) if self._view else None
        self._comparison = None
        if self._result is not None:
            # Numpy, which it brings, is not needed to paint the window.
            from inspection.agreement.battery import compare_battery

            self._comparison = compare_battery(self._result)
        images = self._comparison.images if self._comparison else ()
        if self.current is None and images:
            # A conflict is what the operator has opened the comparison for.
            first = next((image for image in images if image.conflict), images[0])
            self._wanted = first.image
        self._fill()

    def _fill(self) -> None:
        self.retranslate()
        images = self._view.images if self._view else ()
        current = self.current
        shown = next((i for i in images if current and i.name == current.image), None)
        if shown is None:
            self._loader.forget()
            for one in self.columns.values():
                one.show_picture(None)
        else:
            self._loader.show(shown)

    def _go(self, place: int) -> None:
        self._wanted = self.images.itemData(place)
        self._fill()

    def _on_picture(self, picture: Picture) -> None:
        # The part of the image that is shown, and every system's boxes.
        roi, current = picture.roi, self.current
        boxes = [box for cell in current.cells.values() for box in cell.boxes] if current else []
        left = min([roi.x, *(box.x for box in boxes)])
        top = min([roi.y, *(box.y for box in boxes)])
        right = max([roi.x + roi.w, *(box.x + box.w for box in boxes)])
        bottom = max([roi.y + roi.h, *(box.y + box.h for box in boxes)])
        frame = Rect(left, top, right - left, bottom - top)
        for one in self.columns.values():
            one.show_picture(picture, frame)

    def showEvent(self, event: QShowEvent) -> None:
        """Qt: somebody looks again."""
        super().showEvent(event)
        if self._stale:
            self._refresh()

    # -- words and colours -----------------------------------------------------------------

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        self.back.setToolTip(self.tr("Previous image"))
        self.on.setToolTip(self.tr("Next image"))
        self._battery.setText(self.tr("Battery"))
        self.figures.setText(self.tr("Figures ..."))
        self.figures.setToolTip(self.tr("The systems' figures over the whole session"))
        self._word_images()
        current = self.current
        self._mark(self.image_chip, current.judgement if current else "open", current)
        for system, one in self.columns.items():
            state = self._view.row.systems.get(system, "queued") if self._view else "queued"
            cell = current.cells[system] if current else None
            if cell is None and self._comparison is not None:
                cell = self._comparison.cells[system]
            result = self._result
            details = detail_words(result, system, self._wanted) if result else ()
            one.show_cell(cell, state, details)
        self.overlaps.setText(overlap_words(current))
        self._word_battery()

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        self.back.setIcon(icon("back"))
        self.on.setIcon(icon("on"))
        self._word_images()

    def _mark(
        self, chip: Chip, judgement: Agreement, of: ImageComparison | BatteryComparison | None
    ) -> None:
        if of is not None and judgement != "conflict" and of.conflict:
            chip.show_state(self.tr("Conflict: different defect types"), "warning")
            return
        words = {
            "agree": self.tr("The systems agree"),
            "conflict": self.tr("Conflict: the systems disagree"),
            "open": self.tr("Nothing to compare yet"),
        }
        chip.show_state(words[judgement], AGREEMENT_TONES[judgement])

    def _word_images(self) -> None:
        images = self._comparison.images if self._comparison else ()
        # Filling the list must not count as the operator's choice.
        self.images.blockSignals(True)
        self.images.clear()
        for image in images:
            agreement = "conflict" if image.conflict else image.judgement
            shade = tokens().tone(AGREEMENT_TONES[agreement]).name()
            drawn = icon(AGREEMENT_ICONS[agreement], shade)
            self.images.addItem(drawn, image_words(image), image.image)
        place = self.images.findData(self._wanted)
        self.images.setCurrentIndex(place)
        self.images.blockSignals(False)
        self.images.setEnabled(bool(images))
        self.back.setEnabled(place > 0)
        self.on.setEnabled(-1 < place < len(images) - 1)

    def _word_battery(self) -> None:
        comparison = self._comparison
        if comparison is None or not comparison.compared:
            self.battery_chip.show_state(not_yet_text(), "neutral")
            self.battery_line.setText("")
            self.remark.setText(
                self.tr("There is something to compare once the VLM or the VLG has judged.")
            )
            return
        if comparison.conflict and "conflict" not in (comparison.judgement, comparison.defect_type):
            self.battery_chip.show_state(self.tr("Conflict on single images"), "warning")
        else:
            self._mark(self.battery_chip, comparison.judgement, comparison)
        self.battery_line.setText(battery_words(comparison))
        favours = self.tr("The ensemble's scores chose some of these images, which favours it.")
        self.remark.setText(favours if comparison.favours_ensemble else "")


def _answered(live: LiveAnswers | None) -> tuple[str, int]:
    return (live.battery_id, len(live.answered)) if live else ("", 0)

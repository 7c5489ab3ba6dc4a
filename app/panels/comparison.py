"""The three systems side by side on the same images, with agreement and conflict marked."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QShowEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QToolButton

from app.panels.comparing import comparison_of, result_so_far
from app.panels.comparison_column import ComparisonColumn
from app.panels.comparison_words import battery_words, detail_words, image_words, overlap_words
from app.panels.linked_views import LinkedViews
from app.review import BatteryView, ShownImage
from app.tasks import TaskPool
from app.theme import icon, tokens
from app.tones import Tone
from app.widgets.chip import Chip
from app.widgets.demo_note import DemoNote
from app.widgets.panel import Panel, button, column, label, line, rule
from app.widgets.pictures import Picture, PictureLoader
from app.wording import not_yet_text
from inspection.records import Rect
from inspection.results import SYSTEMS, SystemName
from inspection.run.status import LiveAnswers

if TYPE_CHECKING:
    from inspection.agreement.battery import Agreement, BatteryComparison, ImageComparison

OPACITY = 0.5
AGREEMENT_TONES: dict[str, Tone] = {"agree": "success", "conflict": "warning", "open": "neutral"}
AGREEMENT_ICONS = {"agree": "accept", "conflict": "conflict", "open": "undecided"}


class ComparisonPanel(Panel):
    """One image at a time, three columns of the same form, and the battery's line below.

    Parameters
    ----------
    pool : decodes the pictures
    layers : the window's actions that switch heat-map and boxes
    """

    failed = Signal(object)
    figures_wanted = Signal()

    def __init__(self, pool: TaskPool, layers: tuple[QAction, ...]) -> None:
        super().__init__()
        self._view: BatteryView | None = None
        self._live: dict[SystemName, LiveAnswers] = {}
        self._comparison: BatteryComparison | None = None
        self._wanted = ""
        self._stale = True
        self._overlay, self._show_boxes = layers
        self._loader = PictureLoader(pool, self)
        self._loader.loaded.connect(self._on_picture)
        self._loader.failed.connect(self.failed)
        self._build()
        for action in layers:
            action.toggled.connect(self._apply_layers)
        self.retranslate()
        self.restyle()

    def _build(self) -> None:
        layout = column(self, margin=10)
        layout.addLayout(self._head())
        self.columns = {system: ComparisonColumn(system) for system in SYSTEMS}
        layout.addLayout(line(*self.columns.values(), gap=10), 1)
        self.overlaps = label("muted", wrap=True)
        layout.addWidget(self.overlaps)
        layout.addWidget(rule())
        self.battery_chip = Chip()
        self._battery = label("section")
        self.battery_line = label(wrap=True)
        self.figures = button()
        self.figures.clicked.connect(self.figures_wanted)
        foot = line(self._battery, self.battery_chip)
        foot.addWidget(self.battery_line, 1)
        foot.addWidget(self.figures)
        layout.addLayout(foot)
        self.remark = label("muted", wrap=True)
        layout.addWidget(self.remark)
        self._demo = DemoNote()
        layout.addWidget(self._demo)
        stages = [one.stage for one in self.columns.values()]
        self.linked = LinkedViews(stages, self)
        for stage in stages:
            stage.stepped.connect(self.step)

    def _head(self) -> QHBoxLayout:
        self.back, self.on = QToolButton(), QToolButton()
        self.back.clicked.connect(self._on_back)
        self.on.clicked.connect(self._on_on)
        self.images = QComboBox()
        self.images.setMinimumContentsLength(18)
        self.images.activated.connect(self._on_image)
        self.image_chip = Chip()
        return line(self.back, self.images, self.on, self.image_chip)

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("Comparison")

    # -- what is shown ---------------------------------------------------------------------

    def show_battery(self, view: BatteryView | None) -> None:
        """Show a battery; the image stays where the battery is the same."""
        old = self._view.row.battery_id if self._view else None
        if view is None or view.row.battery_id != old:
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

    def set_demo(self, systems: Collection[SystemName]) -> None:
        """Mark the systems that judged with demo models in the session."""
        for system, one in self.columns.items():
            one.set_demo(system in systems)
        self._demo.setVisible(bool(systems))

    def step(self, delta: int) -> None:
        """Go to the next or previous image."""
        place = self.images.currentIndex() + delta
        if 0 <= place < self.images.count():
            self._go(place)

    def set_bare(self, bare: bool) -> None:
        """Show the bare pictures while a key is held."""
        for one in self.columns.values():
            one.stage.set_bare(bare)

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
        self._comparison = comparison_of(self._view, self._live) if self._view else None
        images = self._comparison.images if self._comparison else ()
        if self.current is None and images:
            first = next((image for image in images if image.conflict), images[0])
            self._wanted = first.image
        self._fill()

    def _fill(self) -> None:
        self.retranslate()
        shown = self._shown()
        if shown is None:
            self._loader.forget()
            for one in self.columns.values():
                one.show_picture(None)
        else:
            self._loader.show(shown)

    def _shown(self) -> ShownImage | None:
        current = self.current
        images = self._view.images if self._view else ()
        return next((i for i in images if current and i.name == current.image), None)

    def _go(self, place: int) -> None:
        self._wanted = self.images.itemData(place)
        self._fill()

    def _on_image(self, place: int) -> None:
        self._go(place)

    def _on_back(self) -> None:
        self.step(-1)

    def _on_on(self) -> None:
        self.step(1)

    def _on_picture(self, picture: Picture) -> None:
        frame = _frame(picture.roi, self.current)
        for one in self.columns.values():
            one.show_picture(picture, frame)
        self._apply_layers()

    def _apply_layers(self) -> None:
        for one in self.columns.values():
            one.stage.set_layers(
                overlay=self._overlay.isChecked(),
                opacity=OPACITY,
                boxes=self._show_boxes.isChecked(),
            )

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
        self._word_columns(current)
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

    def _word_columns(self, current: ImageComparison | None) -> None:
        result = result_so_far(self._view, self._live) if self._view else None
        for system, one in self.columns.items():
            state = self._view.row.systems.get(system, "queued") if self._view else "queued"
            cell = current.cells[system] if current else None
            if cell is None and self._comparison is not None:
                cell = self._comparison.cells[system]
            details = detail_words(result, system, self._wanted) if result else ()
            one.show_cell(cell, state, details)

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


def _frame(roi: Rect, image: ImageComparison | None) -> Rect:
    """Return the part of the image that is shown, and every system's boxes."""
    boxes = [box for cell in image.cells.values() for box in cell.boxes] if image else []
    left, top = min([roi.x, *(box.x for box in boxes)]), min([roi.y, *(box.y for box in boxes)])
    right = max([roi.x + roi.w, *(box.x + box.w for box in boxes)])
    bottom = max([roi.y + roi.h, *(box.y + box.h for box in boxes)])
    return Rect(left, top, right - left, bottom - top)


def _answered(live: LiveAnswers | None) -> tuple[str, int]:
    return (live.battery_id, len(live.answered)) if live else ("", 0)

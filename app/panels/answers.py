"""What the VLM's and the VLG's panel share: the images looked at, and the word on each.

While the system is at the current battery the panel follows it, image by image, unless the operator
has gone to one of the images before.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from app.panels.missing import MissingModel
from app.review import BatteryView, ShownAnswer, ShownImage, answered_images
from app.tasks import TaskPool
from app.tones import Tone
from app.widgets.chip import Chip
from app.widgets.demo_note import DemoNote
from app.widgets.panel import Panel, column, label, line
from app.widgets.picture_view import PictureView
from app.widgets.pictures import Picture, PictureLoader, load_content_picture
from app.wording import message_text, state_text
from inspection.results import Box, SystemName, VlgImage, VlmImage
from inspection.run.status import LaneStatus, LiveAnswers

Answer = VlmImage | VlgImage

MARGIN = 8
SMALLEST_STAGE = (104, 72)
CACHED = 6


class AnswersPanel(Panel):
    """Shows a system's answers on the current battery; or why there are none.

    Parameters
    ----------
    system : whose answers
    pool : decodes the pictures
    boxes : the window's action that switches boxes
    """

    failed = Signal(object)
    image_chosen = Signal(str)
    """The image that the operator went to."""

    def __init__(self, system: SystemName, pool: TaskPool, boxes: QAction) -> None:
        super().__init__()
        self._system: SystemName = system
        self._view: BatteryView | None = None
        self._live: LiveAnswers | None = None
        self._entries: tuple[ShownAnswer, ...] = ()
        self._wanted = ""
        self._picture: Picture | None = None
        self._asked: ShownImage | None = None
        self._drawn: list[Box] | None = None
        self._described: tuple[str, Answer | None] | None = None
        self._show_boxes = boxes
        boxes.toggled.connect(self._apply_layers)
        self._loader = PictureLoader(pool, self, load_content_picture, CACHED)
        self._loader.loaded.connect(self._on_picture)
        self._loader.failed.connect(self.failed)
        self._build()

    def _build(self) -> None:
        layout = column(self, MARGIN)
        self.missing = MissingModel()
        layout.addWidget(self.missing, 1)
        self._content = QWidget()
        layout.addWidget(self._content, 1)
        self._demo = DemoNote()
        layout.addWidget(self._demo)
        row = QHBoxLayout(self._content)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(MARGIN)
        self.stage = PictureView()
        self.stage.setMinimumSize(*SMALLEST_STAGE)
        self.stage.stepped.connect(self.step)
        row.addWidget(self.stage, 2)
        side = QVBoxLayout()
        side.setSpacing(4)
        side.addLayout(self._head())
        side.addWidget(self._scroll_area(), 1)
        row.addLayout(side, 3)

    def _head(self) -> QHBoxLayout:
        self.chip = Chip()
        self.back, self.on = QToolButton(), QToolButton()
        for step, mark in ((self.back, "‹"), (self.on, "›")):
            step.setText(mark)
            step.setProperty("role", "step")
        self.back.clicked.connect(self._on_back)
        self.on.clicked.connect(self._on_on)
        self.position = label("muted")
        head = line(self.chip, gap=2)
        head.addStretch(1)
        for widget in (self.back, self.position, self.on):
            head.addWidget(widget)
        return head

    def _scroll_area(self) -> QScrollArea:
        inside = QWidget()
        layout = column(inside, margin=0, gap=6)
        self.facts = label("muted", wrap=True)
        self.remark = label("muted", wrap=True)
        self.words = _selectable()
        self.notes = label("muted", wrap=True)
        for widget in (self.facts, self.remark, self.words, *self.own_widgets(), self.notes):
            layout.addWidget(widget)
        layout.addStretch(1)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.area.setWidget(inside)
        self.area.viewport().setAutoFillBackground(False)
        inside.setAutoFillBackground(False)
        self.area.verticalScrollBar().rangeChanged.connect(self._follow)
        return self.area

    # -- what a system adds ----------------------------------------------------------------

    def own_widgets(self) -> tuple[QWidget, ...]:
        """Return what the system shows of an answer besides words; called once."""
        return ()

    def judgement(self, answer: Answer) -> tuple[str, Tone]:
        """Return an answer's judgement for the chip."""
        raise NotImplementedError

    def facts_of(self, answer: Answer) -> list[str]:
        """Return what is said of an answer in short."""
        raise NotImplementedError

    def words_of(self, answer: Answer) -> tuple[str, str]:
        """Return a remark on an answer, and its words."""
        raise NotImplementedError

    def boxes_of(self, answer: Answer) -> list[Box]:
        """Return an answer's boxes with their scores."""
        raise NotImplementedError

    def first_choice(self, view: BatteryView) -> str | None:
        """Return the name of the image that tells most of a battery."""
        raise NotImplementedError

    def show_own(self, answer: Answer | None) -> None:
        """Show an answer in the system's own widgets; None while it is in work."""

    def boxes_drawn(self) -> None:
        """Boxes lie over the picture anew."""

    # -- what is shown ---------------------------------------------------------------------

    def show_battery(self, view: BatteryView | None) -> None:
        """Show a battery."""
        if (view.row.battery_id if view else None) != self._battery_id:
            self._wanted = ""
        self._view = view
        self.retranslate()

    def show_live(self, live: LiveAnswers | None) -> None:
        """Show what the system is at, where that is the current battery."""
        concerned = self._at_work
        self._live = live
        if concerned or self._at_work:
            self.retranslate()

    def set_lane(self, view: LaneStatus) -> None:
        """Show the state of the lane, for batteries it has not judged."""
        self.missing.set_lane(view)

    def set_demo(self, demo: bool) -> None:
        """Say whether a demo model has spoken in the session."""
        self._demo.setVisible(demo)

    def step(self, delta: int) -> None:
        """Go to a neighbour among the images."""
        if not self._entries:
            return
        place = max(0, min(len(self._entries) - 1, self._place() + delta))
        entry = self._entries[place]
        # At the image in work the panel follows the system again.
        self._wanted = entry.shown.name if entry.answer is not None else ""
        self.retranslate()
        self.image_chosen.emit(entry.shown.name)

    def show_image(self, name: str) -> None:
        """Go to an image, if the system has spoken on it."""
        if any(e.shown.name == name and e.answer is not None for e in self._entries):
            self._wanted = name
            self.retranslate()

    def set_bare(self, bare: bool) -> None:
        """Show the bare picture while a key is held."""
        self.stage.set_bare(bare)

    @property
    def current(self) -> ShownAnswer | None:
        """The image that is shown."""
        return self._entries[self._place()] if self._entries else None

    # -- words and colours -----------------------------------------------------------------

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        self.back.setToolTip(self.tr("Previous image (Ctrl+Left)"))
        self.on.setToolTip(self.tr("Next image (Ctrl+Right)"))
        self.back.setAccessibleName(self.back.toolTip())
        self.on.setAccessibleName(self.on.toolTip())
        self._entries = ()
        if self._view is not None:
            self._entries = answered_images(self._view, self._system, self._live)
        self.missing.setVisible(not self._entries)
        self._content.setVisible(bool(self._entries))
        self.missing.show_battery(self._system, self._view)
        self._describe()
        self._show_picture()

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        self.stage.restyle()

    def _describe(self) -> None:
        entry = self.current
        if entry is None:
            return
        place, count = self._place(), len(self._entries)
        self.position.setText(f"{place + 1} / {count}")
        self.back.setEnabled(place > 0)
        self.on.setEnabled(place < count - 1)
        answer = entry.answer
        facts = [_place_of(entry.shown)]
        if answer is None:
            state = self.tr("Writing ...") if entry.text else self.tr("Looking ...")
            self.chip.show_state(state, "accent")
            remark, words = "", entry.text
        elif answer.state == "failed":
            self.chip.show_state(state_text("failed"), "critical")
            remark, words = "", message_text(answer.error) if answer.error else ""
        else:
            self.chip.show_state(*self.judgement(answer))
            facts += self.facts_of(answer)
            remark, words = self.words_of(answer)
        if answer is not None:
            facts.append(self.tr("{seconds} s").format(seconds=f"{answer.seconds:.1f}"))
        for made, text in (
            (self.facts, " · ".join(facts)),
            (self.remark, remark),
            (self.words, words),
            (self.notes, "\n".join(self._notes())),
        ):
            made.setText(text)
            made.setVisible(bool(text))
        self.show_own(answer)
        if (entry.shown.name, answer) != self._described:
            # What is read begins at its top, however far the one before was scrolled.
            self._described = entry.shown.name, answer
            self.area.verticalScrollBar().setValue(0)

    def _notes(self) -> list[str]:
        """Return how the images were chosen, where not as usual, and what memory cost."""
        result = self._view.result if self._view else None
        if result is None or self._at_work:
            return []
        notes = []
        chosen = result.chosen.get(self._system)
        if chosen is not None and chosen.method == "even":
            notes.append(self.tr("Evenly spaced images: the ensemble had not chosen any."))
        elif chosen is not None and chosen.method == "sample":
            notes.append(self.tr("Images drawn as a sample, seed {seed}.").format(seed=chosen.seed))
        if steps := result.memory_steps.get(self._system):
            told = " ".join(message_text(step) for step in steps)
            notes.append(self.tr("For want of memory: {steps}").format(steps=told))
        return notes

    # -- inside ----------------------------------------------------------------------------

    @property
    def _battery_id(self) -> str | None:
        return self._view.row.battery_id if self._view else None

    @property
    def _at_work(self) -> bool:
        return self._live is not None and self._live.battery_id == self._battery_id

    def _place(self) -> int:
        names = [entry.shown.name for entry in self._entries]
        if self._wanted in names:
            return names.index(self._wanted)
        if self._at_work:
            return len(names) - 1
        first = self.first_choice(self._view) if self._view else None
        return names.index(first) if first in names else 0

    def _on_back(self) -> None:
        self.step(-1)

    def _on_on(self) -> None:
        self.step(1)

    def _follow(self, _lowest: int, highest: int) -> None:
        """Keep the end of what is being written in sight."""
        entry = self.current
        if entry is not None and entry.answer is None:
            self.area.verticalScrollBar().setValue(highest)

    def _show_picture(self) -> None:
        # A dock behind another one decodes nothing.
        if not self.isVisible():
            return
        entry = self.current
        if entry is None:
            self._loader.forget()
            self._picture = self._asked = None
            self.stage.clear()
        elif self._picture is not None and self._picture.shown == entry.shown:
            self._loader.forget()
            self._asked = None
            self._draw()
        elif self._asked != entry.shown:
            self._asked = entry.shown
            self._loader.show(entry.shown)
        # A caption would cover a picture as small as this one.
        self.stage.setToolTip(entry.shown.ref.path.name if entry else "")

    def _on_picture(self, picture: Picture) -> None:
        self._asked = None
        if self.current is None or self.current.shown != picture.shown:
            # Loaded for the image before, while the dock went behind another one.
            return
        self._picture, self._drawn = picture, None
        self._draw()
        if picture.problem is not None:
            self.stage.set_notice(message_text(picture.problem))

    def _draw(self) -> None:
        """Show the picture with the answer's boxes, where either is new."""
        entry = self.current
        if entry is None or self._picture is None:
            return
        boxes = self.boxes_of(entry.answer) if entry.answer is not None else []
        if boxes != self._drawn:
            self._drawn = boxes
            self.stage.show_picture(self._picture, boxes)
            self._apply_layers()
            self.boxes_drawn()

    def _apply_layers(self) -> None:
        self.stage.set_layers(overlay=False, opacity=0.0, boxes=self._show_boxes.isChecked())

    def showEvent(self, event: QShowEvent) -> None:
        """Qt: come to the front."""
        super().showEvent(event)
        self._show_picture()


def _place_of(shown: ShownImage) -> str:
    ref = shown.ref
    return " ".join(part for part in (ref.modality.upper(), ref.axis, str(ref.number)) if part)


def _selectable() -> QLabel:
    made = label(wrap=True)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made

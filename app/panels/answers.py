"""What the VLM's and the VLG's panel share: the images looked at, and the word on each.

While the system is at the current battery the panel follows it, image by image, unless the operator
has gone to one of the images before.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QToolButton, QVBoxLayout, QWidget

from app.lot.review import BatteryView, ShownAnswer, ShownImage, answered_images
from app.panels.demo_note import DemoNote
from app.panels.dock import DockPanel, PanelContext, same_battery
from app.panels.missing import MissingModel
from app.tones import Tone
from app.widgets.chip import Chip
from app.widgets.panel import column, fill, label, let_select, line, scrolling
from app.widgets.picture_view import PictureView
from app.widgets.pictures import Picture, PictureLoader, load_content_picture
from app.wording import message_text, state_text
from inspection.results import Box, SystemName, VlgImage, VlmImage
from inspection.run.status import LaneStatus, LiveAnswers

Answer = VlmImage | VlgImage

MARGIN = 8
SMALLEST_STAGE = (104, 72)
CACHED = 6


class Described(NamedTuple):
    """What is said of an answer: on the chip, in short beside it, and below."""

    judgement: str
    tone: Tone
    facts: tuple[str, ...] = ()
    remark: str = ""
    words: str = ""


class AnswersPanel(DockPanel):
    """Shows the answers of the system it is named after on the battery; or why there are none."""

    name: ClassVar[SystemName]
    room = "makes"
    walks_answers = True

    image_chosen = Signal(str)
    """The image that the operator went to."""

    def __init__(self, context: PanelContext) -> None:
        super().__init__(context)
        self._view: BatteryView | None = None
        self._live: LiveAnswers | None = None
        self._entries: tuple[ShownAnswer, ...] = ()
        self._wanted = ""
        self._picture: Picture | None = None
        self._asked: ShownImage | None = None
        self._drawn: list[Box] | None = None
        self._described: tuple[str, Answer | None] | None = None
        self.missing = MissingModel()
        self.missing.install.clicked.connect(context.actions["models"].trigger)
        self.stage = PictureView(context.layers, context.display)
        self.stage.setMinimumSize(*SMALLEST_STAGE)
        self.stage.stepped.connect(self.step)
        self.stage.addAction(context.actions["accept_next"])
        self.chip = Chip()
        self.position = label("muted")
        self.back, self.on = QToolButton(), QToolButton()
        for button, mark, order in (
            (self.back, "‹", self.step_back),
            (self.on, "›", self.step_on),
        ):
            button.setText(mark)
            button.setProperty("role", "step")
            button.clicked.connect(order)
        head = line(self.chip, None, self.back, self.position, self.on, gap=2)

        self.facts = label("muted", wrap=True)
        # Hidden where they are empty, so that what there is stands together.
        self.remark = label("muted", wrap=True)
        self.words = label(wrap=True)
        let_select(self.words)
        self.notes = label("muted", wrap=True)
        texts = (self.facts, self.remark, self.words, *self.own_widgets(), self.notes)
        inside = QWidget()
        column(inside, *texts, None, margin=0, gap=6)
        self.area = scrolling(inside)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.area.verticalScrollBar().rangeChanged.connect(self._follow)

        side = QVBoxLayout()
        side.setSpacing(4)
        fill(side, head, (self.area, 1))
        self._content = QWidget()
        self._content.setLayout(line((self.stage, 2), (side, 3), gap=MARGIN))
        note = DemoNote(context.demo, self.name)
        column(self, (self.missing, 1), (self._content, 1), note, margin=MARGIN)

        controller = context.controller
        failed, load = controller.failed.emit, load_content_picture
        self._loader = PictureLoader(controller.files, self._on_picture, failed, load, CACHED)
        controller.current_changed.connect(self.show_battery)
        controller.runner.lane_changed.connect(self.set_lane)
        controller.runner.live_changed.connect(self.show_live)
        self.retranslate()

    # -- what a system adds ----------------------------------------------------------------

    def own_widgets(self) -> tuple[QWidget, ...]:
        """Return what the system shows of an answer besides words; called once."""
        return ()

    def describe(self, answer: Answer) -> Described:
        """Return what is said of an answer."""
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
        if not same_battery(view, self._view):
            self._wanted = ""
        self._view = view
        self.retranslate()

    def show_live(self, system: SystemName, live: LiveAnswers | None) -> None:
        """Show what the system is at, where that is the current battery."""
        if system != self.name:
            return
        concerned = self._at_work
        self._live = live
        if concerned or self._at_work:
            self.retranslate()

    def set_lane(self, view: LaneStatus) -> None:
        """Show the state of the lane, for batteries it has not judged."""
        if view.system == self.name:
            self.missing.set_lane(view)

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
            self._entries = answered_images(self._view, self.name, self._live)
        self.missing.setVisible(not self._entries)
        self._content.setVisible(bool(self._entries))
        self.missing.show_battery(self.name, self._view)
        self._describe()
        self._show_picture()

    def _describe(self) -> None:
        entry = self.current
        if entry is None:
            return
        place, count = self._place(), len(self._entries)
        self.position.setText(f"{place + 1} / {count}")
        self.back.setEnabled(place > 0)
        self.on.setEnabled(place < count - 1)
        answer = entry.answer
        ref = entry.shown.ref
        parts = (ref.modality.upper(), ref.axis, str(ref.number))
        facts = [" ".join(part for part in parts if part)]
        if answer is None:
            state = self.tr("Writing ...") if entry.text else self.tr("Looking ...")
            told = Described(state, "accent", words=entry.text)
        elif answer.state == "failed":
            reason = message_text(answer.error) if answer.error else ""
            told = Described(state_text("failed"), "critical", words=reason)
        else:
            told = self.describe(answer)
        self.chip.show_state(told.judgement, told.tone)
        facts += told.facts
        if answer is not None:
            facts.append(self.tr("{seconds} s").format(seconds=f"{answer.seconds:.1f}"))
        for made, text in (
            (self.facts, " · ".join(facts)),
            (self.remark, told.remark),
            (self.words, told.words),
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
        chosen = result.chosen.get(self.name)
        if chosen is not None and chosen.method == "even":
            notes.append(self.tr("Evenly spaced images: the ensemble had not chosen any."))
        elif chosen is not None and chosen.method == "sample":
            notes.append(self.tr("Images drawn as a sample, seed {seed}.").format(seed=chosen.seed))
        if steps := result.memory_steps.get(self.name):
            told = " ".join(message_text(step) for step in steps)
            notes.append(self.tr("For want of memory: {steps}").format(steps=told))
        return notes

    # -- inside ----------------------------------------------------------------------------

    @property
    def _at_work(self) -> bool:
        if self._live is None or self._view is None:
            return False
        return self._live.battery_id == self._view.row.battery_id

    def _place(self) -> int:
        names = [entry.shown.name for entry in self._entries]
        if self._wanted in names:
            return names.index(self._wanted)
        if self._at_work:
            return len(names) - 1
        first = self.first_choice(self._view) if self._view else None
        return names.index(first) if first in names else 0

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
        self.stage.setToolTip(entry.shown.ref.file_name if entry else "")

    def _on_picture(self, picture: Picture) -> None:
        self._asked = None
        if self.current is None or self.current.shown != picture.shown:
            # Loaded for the image before, while the dock went behind another one.
            return
        self._picture, self._drawn = picture, None
        self._draw()

    def _draw(self) -> None:
        """Show the picture with the answer's boxes, where either is new."""
        entry = self.current
        if entry is None or self._picture is None:
            return
        boxes = self.boxes_of(entry.answer) if entry.answer is not None else []
        # Asked for with every word that a model writes; drawn where the boxes are others.
        if boxes != self._drawn:
            self._drawn = boxes
            self.stage.show_picture(self._picture, boxes)
            self.boxes_drawn()

    def showEvent(self, event: QShowEvent) -> None:
        """Qt: come to the front."""
        super().showEvent(event)
        self._show_picture()

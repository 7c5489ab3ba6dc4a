"""Teach a model on the good batteries of the lot that is open, look at it, and use it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QTabWidget, QWidget

from app.controller import Controller
from app.dialogs.frame import DialogFrame, confirm
from app.teach.choosing import ChoosingPage, Subject
from app.teach.decided import DecidedBatteries
from app.teach.earlier import EarlierPage
from app.teach.outcome import OutcomePage
from app.teach.preview import PreviewPane
from app.teach.releasing import ReleasingPage
from app.teach.teachings import model_in_use, new_teaching, read_teaching, remove_teaching
from app.teach.trainer import Trainer, site_options, teach_for_long
from app.teach.working import WorkingPage
from app.widgets.panel import dress, let_select, line
from app.wording import error_text, message_text
from inspection.errors import InspectionError
from inspection.messages import Message
from inspection.modelstore.folders import SLOTS
from inspection.modelstore.teaching import (
    FEWEST_BATTERIES,
    DetectorName,
    TeachEvent,
    TeachRequest,
)

QUICK: tuple[DetectorName, ...] = ("features",)
LONG: tuple[DetectorName, ...] = ("features", "discriminative", "combined")
"""The one that tells painted defects best is kept."""


class TeachDialog(DialogFrame):
    """Choose, teach, look, use; what was taught before is beside it.

    Parameters
    ----------
    controller : holds the lot that is open
    root : folder of the teachings
    subject : what is offered first
    """

    released = Signal()
    """Another model is in use."""

    def __init__(
        self, parent: QWidget, controller: Controller, root: Path, subject: Subject
    ) -> None:
        super().__init__(parent, width=980)
        self.setWindowTitle(self.tr("Teach a model"))
        self.resize(1180, 800)
        lot = controller.lot
        assert lot is not None
        self._controller, self._lot, self._root = controller, lot, root
        self._folder: Path | None = None
        self._then: str = ""
        self._closing = False
        self.decided = DecidedBatteries(self)
        self.trainer = Trainer(self)
        gated = [slot for slot in SLOTS if model_in_use(controller.models, slot) is not None]
        self.choosing = ChoosingPage(controller.rows, gated, subject)
        self.preview = PreviewPane(lot, controller.files)
        self.working = WorkingPage()
        self.outcome = OutcomePage()
        self.releasing = ReleasingPage()
        self.earlier = EarlierPage(root)
        first = QWidget()
        first.setLayout(line((self.choosing, 1), (self.preview, 1), gap=18))
        self.pages = QStackedWidget()
        for page in (first, self.working, self.outcome, self.releasing):
            self.pages.addWidget(page)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.pages, self.tr("Teach"))
        self.tabs.addTab(self.earlier, self.tr("Earlier teachings"))
        self.body.addWidget(self.tabs, 1)
        self.said = self.add_text("")
        let_select(self.said)
        self.close_ = self.add_button(self.tr("Close"), self.reject)
        self.back = self.add_button(self.tr("Back"), self._on_back)
        self.longer = self.add_button(self.tr("Train longer"), self._on_longer)
        self.go = self.add_button(self.tr("Teach"), self._on_teach, primary=True)
        self.use = self.add_button(self.tr("Use it"), self._on_use, primary=True)
        self.agree = self.add_button(self.tr("Put it in use"), self._on_agreed, primary=True)
        for order in (self.go, self.use, self.agree):
            # One of them is shown.
            order.setShortcut("Ctrl+Return")
        self.pages.setContentsMargins(12, 12, 12, 12)
        self.earlier.setContentsMargins(12, 12, 12, 12)
        self._connect()
        self._look()
        self._sync()
        self.choosing.list.setFocus()
        self.decided.read(controller)

    def _connect(self) -> None:
        self.choosing.changed.connect(self._look)
        self.decided.normal.connect(self.choosing.offer_confirmed)
        self.decided.refused.connect(self.choosing.by_people.setToolTip)
        self.choosing.changed.connect(self._sync)
        self.working.cancel.clicked.connect(self._on_cancel)
        self.outcome.threshold_wanted.connect(self._on_threshold)
        self.releasing.signed.connect(self._on_signed)
        self.earlier.wanted.connect(self._on_earlier)
        self.tabs.currentChanged.connect(self._sync)
        self.trainer.told.connect(self._on_told)
        self.trainer.ended.connect(self._on_ended)
        self.trainer.cancelled.connect(self._on_cancelled)
        self._controller.runner.progress_changed.connect(self._sync)

    # -- orders ----------------------------------------------------------------------------

    def _look(self) -> None:
        self.preview.look_at(self.choosing.chosen, self.choosing.subject.modality)

    def _request(self, detectors: tuple[DetectorName, ...]) -> TeachRequest:
        subject = self.choosing.subject
        present = model_in_use(self._controller.models, subject.slot)
        return TeachRequest(
            lot=str(self._lot.root),
            task=subject.task,
            slot=subject.slot,
            batteries=self.choosing.chosen,
            defective=self.decided.defects(subject.modality),
            detectors=detectors,
            present=None if present is None else str(present),
            device=self._controller.settings.device,
        )

    def _on_teach(self) -> None:
        self._tell("")
        try:
            self._folder = new_teaching(self._root, self._request(QUICK))
        except InspectionError as error:
            self._tell(error_text(error), "critical")
            return
        self._begin("teach", self.tr("The trainer starts ..."))
        self.trainer.teach(self._folder)
        self._sync()

    def _on_longer(self) -> None:
        """Start a training that goes on when this window is closed."""
        try:
            folder = new_teaching(self._root, self._request(LONG))
            teach_for_long(folder)
        except InspectionError as error:
            self._tell(error_text(error), "critical")
            return
        self.tabs.setCurrentWidget(self.earlier)
        self.earlier.refresh()
        self._tell(self.tr("It goes on when this window is closed; its curves are shown here."))

    def _on_threshold(self, value: float) -> None:
        result = self.outcome.result
        if self._folder is None or result is None:
            return
        self._begin("threshold", self.tr("Setting the threshold ..."))
        self.trainer.run("threshold", str(self._folder / result.model), "--value", repr(value))
        self._sync()

    def _on_use(self) -> None:
        """Put the model in use, with the threshold that is shown."""
        if self.outcome.unset and self.outcome.threshold is not None:
            self._on_threshold(self.outcome.threshold)
            self._then = "threshold and use"
            return
        result = self.outcome.result
        if self._folder is None or result is None:
            return
        self._begin("compare", self.tr("Comparing it with the model in use ..."))
        # Exit code 1 is that somebody has to sign.
        self.trainer.run(*self._release(), "--compare-only", "--json", fine=(0, 1))
        self._sync()

    def _release(self) -> tuple[str, ...]:
        result = self.outcome.result
        assert self._folder is not None
        assert result is not None
        models = self._controller.models.install
        named = ("--models", str(models), "--slot", result.request.slot, "--teaching")
        return "release", str(self._folder), *named, *site_options()

    def _on_agreed(self) -> None:
        self._begin("release", self.tr("Putting the model in use ..."))
        self.trainer.run(*self._release())
        self._sync()

    def _on_signed(self, name: str, secret: str) -> None:
        self._begin("release", self.tr("Putting the model in use ..."))
        self.trainer.run(*self._release(), "--signed-by", name, secret=secret)
        self._sync()

    def _begin(self, deed: str, sentence: str) -> None:
        self._then = deed
        self._tell("")
        if deed == "teach":
            self.working.begin(sentence)
            self.pages.setCurrentWidget(self.working)
        else:
            self._tell(sentence)

    def _on_cancel(self) -> None:
        self.working.cancel.setEnabled(False)
        self.trainer.cancel()

    def _on_back(self) -> None:
        here = self.pages.currentWidget()
        self.pages.setCurrentIndex(2 if here is self.releasing else 0)
        self._tell("")
        self._sync()

    def _on_earlier(self, folder: Path) -> None:
        if not self.trainer.busy:
            self._show_outcome(folder)
            self.tabs.setCurrentWidget(self.pages)

    # -- answers ---------------------------------------------------------------------------

    def _on_told(self, event: TeachEvent) -> None:
        if self._then == "teach" and event.stage not in ("done", "cancelled"):
            self.working.show_event(event)

    def _on_cancelled(self) -> None:
        self._drop()
        self._tell(self.tr("Cancelled; nothing was changed."))
        if self._closing:
            super().reject()

    def _on_ended(self, problem: Message | None) -> None:
        deed, self._then = self._then, ""
        if problem is not None:
            if deed == "teach":
                self._drop_or_show()
            elif deed == "release":
                self.releasing.refuse(problem)
            self._tell(message_text(problem), "critical")
        elif deed == "teach" and self._folder is not None:
            self._show_outcome(self._folder)
        elif deed.startswith("threshold") and self.outcome.threshold is not None:
            self.outcome.take_threshold(self.outcome.threshold)
            self._tell(self.tr("The threshold is set."))
            if deed == "threshold and use":
                self._on_use()
        elif deed == "compare":
            self._show_comparison(self.trainer.output)
        elif deed == "release":
            self._tell(self.tr("The model is in use from the next inspection on."), "success")
            self.pages.setCurrentWidget(self.outcome)
            self.released.emit()
        self._sync()
        if self._closing:
            super().reject()

    def _show_comparison(self, printed: str) -> None:
        self._tell("")
        self.releasing.show_printed(printed, self._controller.people)
        self.pages.setCurrentWidget(self.releasing)

    def _drop_or_show(self) -> None:
        """Keep a result that was there before the trainer failed at something else."""
        teaching = read_teaching(self._folder) if self._folder is not None else None
        if teaching is not None and teaching.result is not None:
            self._show_outcome(teaching.folder)
        else:
            self._drop()

    def _drop(self) -> None:
        """Forget a teaching that came to nothing."""
        self._then = ""
        if self._folder is not None:
            remove_teaching(self._folder)
        self._folder = None
        self.pages.setCurrentIndex(0)
        self._sync()

    def _show_outcome(self, folder: Path) -> None:
        teaching = read_teaching(folder)
        if teaching is None or teaching.result is None:
            self._tell(self.tr("The result cannot be read."), "critical")
            self.pages.setCurrentIndex(0)
            return
        self._folder = folder
        result = teaching.result
        threshold = result.threshold
        if threshold is not None:
            # Imported now: it brings numpy.
            from inspection.modelstore.bundle import load_bundle

            try:
                bundle = load_bundle(folder / result.model, result.request.slot)
                threshold = bundle.threshold.threshold if bundle.threshold else threshold
            except InspectionError as error:
                self._tell(error_text(error), "critical")
        self.outcome.show_result(folder, result, threshold)
        self.pages.setCurrentWidget(self.outcome)
        self._sync()
        # The arrow keys move the threshold.
        self.outcome.new.setFocus()

    # -- the dialog itself -----------------------------------------------------------------

    def reject(self) -> None:
        """Qt: the dialog is to close; what is at work is cancelled first, if so wanted."""
        if not self.trainer.busy:
            self.preview.stop()
            super().reject()
            return
        confirm(
            self,
            "confirm_cancel",
            self.tr("A model is being taught. Cancel that, and close?"),
            title=self.windowTitle(),
            yes=self.tr("Cancel it"),
            no=self.tr("Back"),
            order=self._cancel_and_close,
        )

    def shut_down(self) -> None:
        """End what is at work: the window closes."""
        self.preview.stop()
        self.trainer.shut_down()

    def _cancel_and_close(self) -> None:
        self._closing = True
        if self.trainer.busy:
            self._on_cancel()
        else:
            super().reject()

    def _tell(self, text: str, role: str = "") -> None:
        dress(self.said, text, role)

    def _sync(self, *_changed: object) -> None:
        place = self.pages.currentIndex() if self.tabs.currentWidget() is self.pages else -1
        idle = not self.trainer.busy
        subject, enough = self.choosing.subject, len(self.choosing.chosen) >= FEWEST_BATTERIES
        self.back.setVisible(place in (2, 3))
        self.go.setVisible(place == 0)
        self.longer.setVisible(place in (0, 2))
        self.use.setVisible(place == 2)
        compared = self.releasing.comparison
        self.agree.setVisible(place == 3 and compared is not None and compared.may_be_released)
        self.agree.setEnabled(idle)
        self.back.setEnabled(idle)
        self.go.setEnabled(idle and enough)
        self.longer.setEnabled(idle and enough and subject.task == "detector")
        free = self._controller.runner.phase == "idle"
        self.use.setEnabled(idle and free)
        self.use.setToolTip("" if free else self.tr("Possible once the inspection has ended."))
        self.outcome.setEnabled(idle)

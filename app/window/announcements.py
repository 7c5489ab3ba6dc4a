"""What the window says without being asked: a banner to answer, a toast that passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QMainWindow

from app.controller import Controller
from app.dialogs.message_log import MessageLogDialog
from app.message_log import MessageLog
from app.tones import Tone
from app.window.banner import Banner, Toast
from app.wording import error_text, holder_text, languages, message_text
from inspection.errors import InspectionError
from inspection.messages import Message
from inspection.run.status import LaneStatus
from inspection.session.files import SessionListing
from inspection.session.lock import Holder


class Announcements(QObject):
    """Words for the controller's events; the operator's answers go back to it."""

    crashed = Signal(object)
    """An error without a sentence of its own."""

    def __init__(self, window: QMainWindow, banner: Banner, controller: Controller) -> None:
        super().__init__(window)
        self._window = window
        self._banner = banner
        self._controller = controller
        self.toast = Toast(window)
        self.log = MessageLog(self)
        self._known: tuple[Message, ...] = ()
        self._altered: dict[str, Message] = {}
        self.toast.told.connect(self._keep)
        banner.told.connect(self._keep)
        controller.lot_changed.connect(self._on_lot)
        controller.session_changed.connect(self._on_session)
        controller.offered.found.connect(self._on_earlier)
        controller.writer.unsaved_changed.connect(self._on_unsaved)
        controller.scanning.connect(self._on_scanning)
        controller.nothing_left.connect(self._on_nothing_left)
        controller.noticed.connect(self._on_noticed)
        controller.runner.lot_away.connect(self._on_lot_away)
        controller.failed.connect(self.tell_error)
        controller.people.altered.connect(self._on_altered)
        controller.runner.lane_changed.connect(self._on_lane)
        controller.runner.ended.connect(self._on_ended)
        controller.following.grown.connect(self._on_grown)
        controller.following.holder_changed.connect(self._on_holder)

    def tell_error(self, error: Exception) -> None:
        """Tell an error: a sentence where there is one, else it counts as a crash."""
        if isinstance(error, InspectionError):
            self.toast.tell(error_text(error), "critical")
        else:
            self.crashed.emit(error)

    def tell(self, message: Message) -> None:
        """Tell something that asks for nothing."""
        self.toast.tell(message_text(message), "accent")

    def _on_lot(self, *_lot: object) -> None:
        self._banner.clear()
        if self._controller.writer.read_only:
            self._tell_read_only()
        self._tell_problems()
        for problem in self._altered.values():
            self._on_altered(problem)

    def show_messages(self) -> None:
        """Show everything that was told."""
        MessageLogDialog(self._window, self.log).open()

    def _keep(self, text: str, tone: Tone) -> None:
        record = self._controller.writer.record
        self.log.add(text, tone, record.run_id if record else "")

    def _on_grown(self, *_records: object) -> None:
        if self._controller.writer.problems != self._known:
            self._tell_problems()

    def _tell_problems(self) -> None:
        """Tell what is wrong with the files of the session that was opened."""
        self._known = problems = self._controller.writer.problems
        told = [message_text(problem) for problem in problems]
        if not told:
            self._banner.dismiss("problems")
            return
        seal = self._controller.writer.seal
        altered = seal is not None and seal.state == "altered"
        several = (
            self.tr("This session is not as the station wrote it. Problems: {count}.")
            if altered
            else self.tr("Problems found in the files of this session: {count}.")
        )
        tone: Tone = "critical" if altered else "warning"
        self._ask_several("problems", told, several, tone, alone=not altered)

    def _on_noticed(self, messages: Sequence[Message]) -> None:
        told = [message_text(message) for message in messages]
        several = self.tr("{count} things have changed since this session was begun.")
        self._ask_several("noticed", told, several)

    def _ask_several(
        self,
        topic: str,
        told: Sequence[str],
        several: str,
        tone: Tone = "warning",
        *,
        alone: bool = True,
    ) -> None:
        """Say how many things there are; every one of them is in the list of messages.

        Parameters
        ----------
        alone : where there is one only, it is the line itself
        """
        line = told[0]
        if len(told) > 1 or not alone:
            for text in told:
                self._keep(text, tone)
            line = several.format(count=len(told))
        self._banner.ask(topic, line, [(self.tr("Show"), self.show_messages)], tone)

    def _on_lot_away(self, message: Message | None) -> None:
        if message is None:
            self._banner.dismiss("lot_away")
            return
        cancel = (self.tr("Cancel inspection"), self._controller.runner.cancel)
        text = message.text_with_hint(languages.current)
        self._banner.ask("lot_away", text, [cancel], "warning")

    def _tell_read_only(self) -> None:
        """Say why every decision is out of reach, and who adds the results that appear."""
        controller, why = self._controller, self._controller.writer.kept_out
        folder, holder = controller.writer.folder, controller.following.holder
        if folder is None or why is None:
            return
        text = message_text(why.message)
        if holder is not None:
            text = f"{text} {self.tr('It is followed here, for reading only.')}"
        # A copy out of a zip stays one, and what is followed comes by itself.
        may_change = holder is None and why.message.code != "session_packed_copy"
        anew = (self.tr("Read it again"), partial(controller.open_session, folder))
        self._banner.ask("read_only", text, [anew] if may_change else [], "warning")

    def _on_holder(self, holder: Holder | None) -> None:
        controller = self._controller
        folder = controller.writer.folder
        if holder is not None or folder is None:
            self._banner.dismiss("free")
            self._tell_read_only()
            return
        self._banner.dismiss("read_only")
        text = self.tr("Nobody writes this session any more: it can be written here.")
        write = partial(controller.open_session, folder)
        self._banner.ask("free", text, [(self.tr("Write here"), write)], "warning")

    def _on_session(self, _record: object) -> None:
        self._banner.dismiss("resume")

    def _on_earlier(self, listing: SessionListing, unfinished: bool) -> None:
        record = listing.record
        assert record is not None
        folder, anew = listing.folder, self._controller.start_over
        answers: list[tuple[str, Callable[[], object]]]
        if listing.live:
            text = self.tr("This lot is being inspected {by} since {time}: {done} of {total} done.")
            show = partial(self._controller.open_session, folder)
            answers = [(self.tr("Follow"), show), (self.tr("New session"), anew)]
        elif unfinished:
            text = self.tr("This lot has an unfinished session of {time}: {done} of {total} done.")
            resume = partial(self._controller.resume, folder)
            answers = [(self.tr("Resume"), resume), (self.tr("New session"), anew)]
        else:
            text = self.tr("This lot was inspected on {time}.")
            show = partial(self._controller.open_session, folder)
            answers = [(self.tr("Show the results"), show), (self.tr("Inspect again"), anew)]
        self._banner.ask(
            "resume",
            text.format(
                by=holder_text(listing.holder),
                time=f"{record.created_at.astimezone():%Y-%m-%d %H:%M}",
                done=sum(row.state in ("done", "skipped") for row in record.batteries),
                total=len(record.batteries),
            ),
            answers,
        )

    def _on_unsaved(self, error: InspectionError | None) -> None:
        if error is None:
            self._banner.dismiss("unsaved")
            return
        kept = self.tr("Nothing is lost while the window is open.")
        self._banner.ask(
            "unsaved",
            f"{error_text(error)} {kept}",
            [(self.tr("Save again"), self._controller.writer.retry)],
            "critical",
        )

    def _on_altered(self, problem: Message) -> None:
        self._altered[problem.code] = problem
        text = problem.text_with_hint(languages.current)
        self._banner.ask(problem.code, text, tone="critical")

    def _on_lane(self, view: LaneStatus) -> None:
        # The other systems may be missing by choice; without the ensemble nothing is judged.
        if view.system == "ensemble" and view.phase in ("not_installed", "failed"):
            reason = message_text(view.message) if view.message else ""
            self._banner.ask("lane", reason, tone="warning")

    def _on_ended(self, _cancelled: bool) -> None:
        why = self._controller.runner.stopped
        if why is None:
            return
        text = f"{self.tr('The inspection was stopped.')} {message_text(why)}"
        again = (self.tr("Go on"), self._controller.start)
        self._banner.ask("stopped", text, [again], "critical")

    def _on_nothing_left(self) -> None:
        again = self.tr("Every battery of this lot is inspected. The menu Inspection has more.")
        self.toast.tell(again, "success")

    def _on_scanning(self, busy: bool) -> None:
        if busy:
            self._window.setCursor(Qt.CursorShape.BusyCursor)
            self._window.statusBar().showMessage(self.tr("Reading the lot ..."))
        else:
            self._window.unsetCursor()
            self._window.statusBar().clearMessage()

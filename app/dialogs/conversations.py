"""Everything the window asks or tells by a dialog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from app.actions import Actions
from app.controller import Controller
from app.dialogs.crash import CrashDialog
from app.dialogs.decision import DecisionDialog
from app.dialogs.findings import FindingsDialog
from app.dialogs.frame import confirm
from app.dialogs.model_work import ModelWork
from app.dialogs.models import ModelsDialog
from app.dialogs.operator import OperatorDialog
from app.dialogs.report import ReportDialog
from app.dialogs.shortcuts import ShortcutsDialog
from app.dialogs.sign import SignDialog
from app.dialogs.sign_in import Purpose, SignInDialog
from app.dialogs.tables import SessionTables, TablesDialog, changes_between, figures_of
from app.dialogs.users import UsersDialog
from app.folders import teachings_folder
from app.teach.choosing import Subject
from app.teach.dialog import TeachDialog
from app.wording import languages, meaning_text, message_text
from inspection import __version__
from inspection.errors import InspectionError
from inspection.messages import Language, Message
from inspection.modelstore.folders import Slot
from inspection.people.person import Person
from inspection.session.record import Meaning, Signature


class Conversations(QObject):
    """Opens dialogs over the window and hands their answers to the controller."""

    told = Signal(str, str)
    """Words and tone, for a toast."""
    overtaken = Signal(str)
    """Words told before that are no longer so."""
    close_confirmed = Signal()

    def __init__(self, window: QWidget, controller: Controller, actions: Actions) -> None:
        super().__init__(window)
        self._window = window
        self._controller = controller
        self._actions = actions
        self.model_work = ModelWork(controller.models, self)
        self._crash: CrashDialog | None = None
        self._teaching: TeachDialog | None = None
        controller.writer.signed.connect(self._on_signature)
        self._how_to_mark = ""
        controller.marks.changed.connect(self._on_marks)

    def open_lot(self) -> None:
        """Ask for a lot folder."""
        recent = self._controller.settings.recent_lots
        start = str(Path(recent[0]).parent) if recent else str(Path.home())
        folder = QFileDialog.getExistingDirectory(
            self._window, self.tr("Choose a lot folder"), start
        )
        if folder:
            self._controller.open_lot(Path(folder))

    def decide(self, *, go_on: bool = False) -> None:
        """Ask for the person's own verdict on the current battery, over what stands or without.

        ``go_on`` takes the person to the next battery once the decision is there.
        """
        controller = self._controller
        row, decisions = controller.current_row(), controller.decisions
        if row is None or not (decisions.may_decide or decisions.may_change):
            return
        dialog = DecisionDialog(self._window, row, controller.marks)
        dialog.decided.connect(partial(decisions.take, go_on=go_on))
        controller.row_changed.connect(dialog.take_row)
        if controller.people.config.sign_in:
            # What one person has begun is not said in the name of the next.
            controller.people.changed.connect(dialog.reject)
        dialog.open()

    def _on_marks(self) -> None:
        """Tell how a region is marked, as long as one is."""
        on = self._controller.marks.active
        if on == bool(self._how_to_mark):
            return
        how = self.tr(
            "Drag a box on a picture, or click the corners of a polygon: a double click or Enter "
            "closes it. Esc leaves it."
        )
        if on:
            self.told.emit(how, "accent")
        else:
            self.overtaken.emit(self._how_to_mark)
        self._how_to_mark = how if on else ""

    def ask_operator(self) -> None:
        """Ask who decides."""
        dialog = OperatorDialog(self._window, self._controller.settings.operator)
        dialog.named.connect(self._controller.people.name)
        dialog.rejected.connect(self._controller.people.forget)
        dialog.open()

    def hand_over(self) -> None:
        """Ask who takes the station over; the session stays open."""
        self._ask_person("hand_over")

    def second_person(self, then: Callable[[Person], None]) -> None:
        """Ask a second person to confirm a decision, then go on with ``then``."""
        dialog = self._ask_person("second")
        if dialog is not None:
            dialog.confirmed.connect(then)

    def change_pin(self) -> None:
        """Ask for another PIN of the person at the station."""
        dialog = self._ask_person("own_pin")
        if dialog is not None:
            dialog.confirmed.connect(self._on_pin_changed)

    def _on_pin_changed(self, _person: Person) -> None:
        self.told.emit(self.tr("Your PIN is changed."), "success")

    def _ask_person(self, purpose: Purpose) -> SignInDialog | None:
        people = self._controller.people
        try:
            users = people.users.users()
        except InspectionError as error:
            self._controller.failed.emit(error)
            return None
        current = people.current
        names = [
            user.name
            for user in users
            # Only oneself, or only others.
            if (current is not None and user.name == current.name) == (purpose == "own_pin")
            and (purpose != "second" or people.config.allows(user.person, "confirm"))
        ]
        dialog = SignInDialog(self._window, people, names, purpose)
        dialog.open()
        return dialog

    def show_users(self) -> None:
        """Show who is known to the station."""
        dialog = UsersDialog(self._window, self._controller.people)
        dialog.open()

    def sign(self) -> None:
        """Ask for the meaning of a signature under the session that is open."""
        self._controller.people.with_person(self._sign)

    def _sign(self) -> None:
        record = self._controller.writer.record
        if record is None:
            return
        dialog = SignDialog(self._window, self._controller.people, record)
        dialog.signed.connect(self._on_signed)
        dialog.open()

    def _on_signed(self, meaning: Meaning) -> None:
        person = self._controller.people.current
        if person is not None:
            self._controller.writer.sign(meaning, person)

    def _on_signature(self, signature: Signature) -> None:
        text = self.tr("Signed: {meaning}, {name}")
        words = meaning_text(signature.meaning)
        self.told.emit(text.format(meaning=words, name=signature.name), "success")

    def show_findings(self) -> None:
        """Show what the intake found."""
        if self._controller.lot is not None:
            FindingsDialog(self._window, self._controller.lot).open()

    def show_keys(self) -> None:
        """Show the sheet of keys."""
        ShortcutsDialog(self._window, self._actions.sheet()).open()

    def show_models(self) -> None:
        """Show the model manager."""
        dialog = ModelsDialog(self._window, self.model_work, self._controller.runner)
        dialog.teach_wanted.connect(self.teach_slot)
        dialog.crashed.connect(self._controller.failed)
        dialog.open()

    def teach(self) -> None:
        """Teach a model on good batteries of the lot that is open."""
        self.teach_slot("rgb_ae")

    def teach_slot(self, slot: Slot) -> None:
        """Teach, and offer something for a slot first."""
        controller = self._controller
        if controller.lot is None or not controller.lot.batteries:
            controller.failed.emit(InspectionError("teach_no_lot"))
            return
        if self._teaching is not None:
            self._teaching.raise_()
            return
        subject = Subject("gate" if slot == "ct_cnn" else "detector", slot)
        dialog = TeachDialog(self._window, controller, teachings_folder(), subject)
        dialog.released.connect(controller.take_models)
        dialog.finished.connect(self._on_taught)
        self._teaching = dialog
        dialog.open()

    def _on_taught(self) -> None:
        self._teaching = None

    def shut_down(self) -> None:
        """End what is at work in dialogs: the window closes."""
        self.model_work.shut_down()
        if self._teaching is not None:
            self._teaching.shut_down()

    def show_about(self) -> None:
        """Show name, version and licence."""
        box = QMessageBox(self._window)
        box.setWindowTitle(self.tr("About"))
        box.setText(self.tr("Battery inspection station") + f" {__version__}")
        box.setInformativeText(self.tr("Apache License 2.0. All inspection runs on this machine."))
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def show_crash(self, trace: str) -> None:
        """Show an unforeseen error; one at a time, the log has them all."""
        if self._crash is not None:
            return
        self._crash = CrashDialog(self._window, trace)
        self._crash.finished.connect(self._forget_crash)
        self._crash.open()

    def _forget_crash(self) -> None:
        self._crash = None

    def export(self) -> None:
        """Ask for formats and folder, then write the report."""
        controller = self._controller
        session = controller.writer.folder
        if session is None:
            return
        root = controller.settings.report_folder or str(Path.home())
        folder = Path(root) / f"report-{session.name}"
        dialog = ReportDialog(self._window, controller.settings.report_formats, folder)
        dialog.wanted.connect(partial(self._write, session))
        dialog.open()

    def _write(self, session: Path, formats: tuple[str, ...], folder: Path) -> None:
        controller = self._controller
        controller.change(
            controller.settings.model_copy(
                update={"report_formats": formats, "report_folder": str(folder.parent)}
            )
        )
        language = languages.current

        def write() -> list[Path]:
            # Imported in the thread that writes: the PDF's library can wait until then.
            from inspection.report.write import FORMATS, write_report

            wanted = [name for name in FORMATS if name in formats]
            return list(write_report(session, wanted, folder, language))

        self.told.emit(self.tr("Writing the report ..."), "accent")
        controller.files.submit(
            write, partial(self._on_written, session.name), controller.failed.emit
        )

    def _on_written(self, session: str, files: list[Path]) -> None:
        folder = files[0].parent
        names = [file.name for file in files]
        self._controller.people.record("exported", run_id=session, files=names, folder=str(folder))
        text = self.tr("Report written: {count} files in {folder}")
        self.told.emit(text.format(count=len(files), folder=folder), "success")

    def show_figures(self) -> None:
        """Show the systems' figures over the session that is open."""
        session = self._controller.writer.folder
        if session is not None:
            self._compare(self.tr("Figures of the session"), partial(figures_of, session))

    def show_changes(self, other: Path) -> None:
        """Show what changed between the session that is open and another."""
        session = self._controller.writer.folder
        if session is not None and session != other:
            title = self.tr("Comparison of two sessions")
            self._compare(title, partial(changes_between, other, session))

    def _compare(self, title: str, work: Callable[[Language], SessionTables]) -> None:
        waiting = self.tr("Comparing ...")
        self.told.emit(waiting, "accent")
        self._controller.files.submit(
            partial(work, languages.current),
            partial(self._on_compared, title, waiting),
            self._controller.failed.emit,
        )

    def _on_compared(self, title: str, waiting: str, compared: SessionTables) -> None:
        self.overtaken.emit(waiting)
        if self._controller.people.locked:
            return
        TablesDialog(self._window, title, compared).open()

    def ask_other_judges(self, others: Sequence[Message]) -> None:
        """Ask before other models or another policy judge the rest of a session."""
        told = " ".join(message_text(message) for message in others)
        question = self.tr("Go on with them? What judged each battery is in its file.")
        confirm(
            self._window,
            "confirm_other_judges",
            f"{told}\n\n{question}",
            title=self.tr("Other models or policy"),
            yes=self.tr("Go on"),
            no=self.tr("Leave it"),
            order=self._controller.other_judges.agree,
        )

    def may_close(self) -> bool:
        """Return True where a close loses nothing; else ask, and close if that is the answer."""
        controller = self._controller
        if controller.writer.held_up:
            question = self.tr("Some results or decisions are not saved. Close all the same?")
        elif controller.runner.phase != "idle":
            question = self.tr(
                "The inspection is running. Close, and go on with the rest at the next start?"
            )
        elif self._teaching is not None and self._teaching.trainer.busy:
            question = self.tr("A model is being taught. Cancel that, and close?")
        elif self.model_work.busy:
            question = self.tr("A model is being worked on. Cancel that, and close?")
        else:
            return True
        confirm(
            self._window,
            "confirm_close",
            question,
            title=self.tr("Close"),
            yes=self.tr("Close"),
            no=self.tr("Stay"),
            order=self.close_confirmed.emit,
        )
        return False

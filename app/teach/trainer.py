"""The trainer as a child process: the window imports nothing of it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

from app.wording import languages
from inspection.console import WRONG_USE
from inspection.errors import InspectionError
from inspection.messages import Message
from inspection.modelstore.teaching import REQUEST_NAME, TeachEvent
from inspection.site import current_site

log = logging.getLogger(__name__)

PATIENCE_MS = 8_000
"""How long a child that was asked to stop may take: a step of training, or an import."""
KEPT_WORDS = 4_000


def trainer_command() -> tuple[str, list[str]]:
    """Return the trainer's program and its first arguments.

    Of the packaged station it is a program beside this one.
    """
    if getattr(sys, "frozen", False):
        suffix = ".exe" if sys.platform == "win32" else ""
        return str(Path(sys.executable).with_name(f"trainer{suffix}")), []
    return sys.executable, ["-m", "training"]


def site_options() -> tuple[str, ...]:
    """Return what names the site to the trainer: its rules and classes are those of the window."""
    site = current_site()
    return () if site is None else ("--site", str(site.folder))


class Trainer(QObject):
    """One child at a time; what it says comes as signals.

    A child that teaches ends with this process, however that ends: it watches its stdin.
    """

    told = Signal(object)
    """A `TeachEvent`."""
    ended = Signal(object)
    """None where it did what it was asked, else a `Message` that says why not."""
    cancelled = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._line, self._said = b"", b""
        self._lines: list[bytes] = []
        self._fine = frozenset({0})
        self._teaches = False
        self._error: Message | None = None
        self._stopping = False
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._patience.timeout.connect(self._on_patience)

    @property
    def output(self) -> str:
        """What the child has printed, but for where a teaching is."""
        return b"\n".join([*self._lines, self._line]).decode("utf-8", "replace")

    @property
    def busy(self) -> bool:
        """True while a child is at work."""
        return self._process is not None

    def teach(self, folder: Path) -> None:
        """Do what the request in a folder says."""
        self.run("teach", str(folder / REQUEST_NAME), "--attached", *site_options())
        self._teaches = True

    def run(self, *arguments: str, secret: str = "", fine: Collection[int] = (0,)) -> None:
        """Start the trainer with arguments; nothing while a child is at work.

        Parameters
        ----------
        secret : what it will ask for
        fine : exit codes with which it has done what it was asked
        """
        if self._process is not None:
            return
        self._teaches = False
        program, first = trainer_command()
        process = self._process = QProcess(self)
        process.setProcessEnvironment(_environment())
        process.readyReadStandardOutput.connect(self._on_output)
        process.readyReadStandardError.connect(self._on_error_output)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_process_error)
        self._line, self._said, self._error, self._stopping = b"", b"", None, False
        self._lines, self._fine = [], frozenset(fine)
        process.start(program, [*first, *arguments])
        if secret:
            process.write(f"{secret}\n".encode())

    def cancel(self) -> None:
        """Ask the child to stop; one that does not is ended."""
        if self._process is not None and not self._stopping:
            self._stopping = True
            self._process.closeWriteChannel()
            self._patience.start()

    def shut_down(self) -> None:
        """End the child, and wait for it."""
        process = self._process
        if process is None:
            return
        self._stopping = True
        process.blockSignals(True)
        process.closeWriteChannel()
        if not process.waitForFinished(PATIENCE_MS):
            process.kill()
            process.waitForFinished(PATIENCE_MS)
        self._process = None

    def _on_patience(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _on_output(self) -> None:
        if self._process is None:
            return
        *lines, self._line = (
            self._line + bytes(self._process.readAllStandardOutput().data())
        ).split(b"\n")
        for text in lines:
            if not self._teaches:
                self._lines.append(text)
                continue
            if not text.startswith(b"{"):
                continue
            event = TeachEvent.model_validate_json(text)
            if event.stage == "failed":
                self._error = event.error
            else:
                self.told.emit(event)

    def _on_error_output(self) -> None:
        if self._process is not None:
            said = self._said + bytes(self._process.readAllStandardError().data())
            self._said = said[-KEPT_WORDS:]

    def _on_process_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._end(Message(code="teach_no_trainer", params={"program": trainer_command()[0]}))

    def _on_finished(self, code: int, _status: QProcess.ExitStatus) -> None:
        self._on_output()
        self._on_error_output()
        if code in self._fine:
            self._end(None)
        elif self._stopping:
            self._forget()
            self.cancelled.emit()
        else:
            said = self._said.decode("utf-8", "replace").strip()
            log.warning("the trainer ended with %d: %s", code, said)
            last = (said.splitlines() or [""])[-1]
            # The line of a mistake names the program first.
            words = last.removeprefix("trainer: ")
            # Exit code 2 is a sentence of the trainer's own, in the window's language.
            whole = code == WRONG_USE and last.startswith("trainer: ")
            name = "teach_said" if whole else "teach_child_died"
            broke = Message(code=name, params={"code": code, "words": words})
            self._end(self._error or broke)

    def _end(self, error: Message | None) -> None:
        self._forget()
        self.ended.emit(error)

    def _forget(self) -> None:
        self._patience.stop()
        if self._process is not None:
            self._process.deleteLater()
        self._process = None


def teach_for_long(folder: Path) -> None:
    """Start a trainer that goes on when this program has ended.

    Raises
    ------
    InspectionError
        If it cannot be started.
    """
    program, first = trainer_command()
    process = QProcess()
    process.setProgram(program)
    process.setArguments([*first, "teach", str(folder / REQUEST_NAME), *site_options()])
    process.setProcessEnvironment(_environment())
    process.setWorkingDirectory(str(folder))
    process.setStandardInputFile(QProcess.nullDevice())
    process.setStandardOutputFile(QProcess.nullDevice())
    process.setStandardErrorFile(str(folder / "trainer.log"))
    if not process.startDetached():
        raise InspectionError("teach_no_trainer", program=program)


def _environment() -> QProcessEnvironment:
    environment = QProcessEnvironment.systemEnvironment()
    environment.insert("STATION_LANGUAGE", languages.current)
    # A packaged program would else take its child for a part of itself.
    environment.insert("PYINSTALLER_RESET_ENVIRONMENT", "1")
    return environment

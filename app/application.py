"""Starts the window: fonts, language, colours, logging, and errors nobody foresaw."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication

from app.controller import Controller
from app.folders import logs_folder
from app.housekeeping import Housekeeping
from app.journal import StationJournal
from app.leftovers import clear_leftovers
from app.log_file import LogFile
from app.people.auto_lock import AutoLock
from app.settings import Settings, SettingsFile
from app.theme import apply_theme, icon, install_fonts
from app.window.main_window import MainWindow
from app.wording import languages
from inspection.config import find_policy
from inspection.console import system_language
from inspection.errors import InspectionError
from inspection.messages import Language
from inspection.modelstore.folders import ModelFolders
from inspection.people.roles import load_people
from inspection.run.worker import BuildLane
from inspection.site import current_site, use_site
from inspection.systems.site_schema import check_site

if TYPE_CHECKING:
    from inspection.results import SystemName
    from inspection.systems.lane import Lane, LaneSettings

log = logging.getLogger(__name__)

WARM_UP_MS = 50


class ErrorReporter(QObject):
    """Catches what nothing else caught. May be called in any thread: it logs and emits only."""

    unexpected = Signal(str)

    def install(self) -> None:
        """Take over the hooks of the main thread and of all others."""
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread_exception

    def uninstall(self) -> None:
        """Give the hooks back."""
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__

    def report(self, error: BaseException) -> None:
        """Log an error and tell the window."""
        text = "".join(traceback.format_exception(error))
        log.error("unexpected error\n%s", text)
        self.unexpected.emit(text)

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        self.report(error)

    def _on_thread_exception(self, caught: threading.ExceptHookArgs) -> None:
        if caught.exc_value is not None:
            self.report(caught.exc_value)


class Station(QObject):
    """Everything that lives as long as the window.

    Parameters
    ----------
    models, sessions_dir : where models and sessions are
    settings_file : where settings are kept
    build : makes a lane of a system; by default the engine's
    language : of this window; by default the operator's choice or the system's
    """

    def __init__(
        self,
        models: ModelFolders,
        sessions_dir: Path,
        settings_file: SettingsFile,
        build: BuildLane | None = None,
        language: Language | None = None,
    ) -> None:
        super().__init__()
        self._file = settings_file
        settings = settings_file.load()
        # The command line and the environment go before what the settings name.
        if settings.site and current_site() is None:
            use_site(Path(settings.site))
        check_site()
        languages.use(language or settings.language or system_language())
        apply_theme(_app(), settings.theme)
        self.errors = ErrorReporter(self)
        self.controller = Controller(
            settings,
            models,
            sessions_dir,
            find_policy(models.with_policy),
            load_people(),
            build or _build_lane,
            self,
        )
        self.window = MainWindow(self.controller)
        self.journal = StationJournal(self.controller, self.window.conversations.model_work)
        self.auto_lock = AutoLock(self.controller.people)
        self.controller.settings_changed.connect(self._on_settings)
        self.window.language_chosen.connect(self._on_language)
        self.window.theme_chosen.connect(self._on_theme)
        self.window.announcements.crashed.connect(self.errors.report)
        self.housekeeping = Housekeeping(sessions_dir, self.controller.files, self)
        self.housekeeping.told.connect(self.window.announcements.tell)
        self.housekeeping.failed.connect(self.window.announcements.tell_error)
        self.housekeeping.begin()
        self.errors.unexpected.connect(
            self.window.conversations.show_crash, Qt.ConnectionType.QueuedConnection
        )
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_desktop_colours)

    def discard_window(self) -> None:
        """Delete the closed window; called before the application ends.

        Plots that are left to the interpreter's end outlive Qt, and crash the process.
        """
        self.window.deleteLater()
        QApplication.sendPostedEvents(self.window, QEvent.Type.DeferredDelete)

    def tell_unlogged(self, problem: str) -> None:
        """Tell that the program's log cannot be written; work goes on without it."""
        error = InspectionError("program_log_failed", folder=str(logs_folder()), problem=problem)
        self.window.announcements.tell_error(error)

    def _on_settings(self, settings: Settings) -> None:
        try:
            self._file.save(settings)
        except OSError as error:
            log.warning("settings cannot be saved: %s", error)
            problem = error.strerror or str(error)
            self.window.announcements.tell_error(
                InspectionError("settings_not_saved", problem=problem)
            )

    def _on_language(self, language: str) -> None:
        languages.use("ko" if language == "ko" else "en")
        self._change(language=language)

    def _on_theme(self, theme: str) -> None:
        self._change(theme=theme)
        apply_theme(_app(), self.controller.settings.theme)

    def _on_desktop_colours(self) -> None:
        if self.controller.settings.theme == "system":
            apply_theme(_app(), "system")

    def _change(self, **values: str) -> None:
        self.controller.change(self.controller.settings.model_copy(update=values))


def run(
    lot: Path | None,
    models: ModelFolders,
    sessions_dir: Path,
    *,
    autostart: bool = False,
    language: Language | None = None,
) -> int:
    """Show the window until it is closed.

    Parameters
    ----------
    lot : opened at once where given
    models, sessions_dir : where models and sessions are
    autostart : inspect the lot at once
    language : of this window; by default the operator's choice or the system's

    Returns
    -------
    int
        The process's exit code.
    """
    app = make_application()
    log_file = LogFile(logs_folder())
    station = Station(models, sessions_dir, SettingsFile(), language=language)
    log_file.refused.connect(station.tell_unlogged, Qt.ConnectionType.QueuedConnection)
    if log_file.problem:
        station.tell_unlogged(log_file.problem)
    station.errors.install()
    station.window.show()
    # After the first paint: imports hold Python's lock for moments at a time.
    QTimer.singleShot(WARM_UP_MS, station.controller.runner.warm_up)
    station.controller.files.submit(
        partial(clear_leftovers, sessions_dir, models), None, station.errors.report
    )
    if lot is not None:
        station.controller.open_lot(lot.resolve(), autostart=autostart)
    else:
        station.controller.writer.list_sessions()
    # Python sees Ctrl-C only while it runs: give it a moment now and then.
    heartbeat = QTimer()
    heartbeat.timeout.connect(lambda: None)
    heartbeat.start(300)
    code = app.exec()
    station.discard_window()
    station.errors.uninstall()
    log_file.close()
    return code


def make_application() -> QApplication:
    """Return the application with its style and fonts."""
    app = QApplication.instance() or QApplication(["station"])
    assert isinstance(app, QApplication)
    app.setApplicationName("battery-station")
    app.setApplicationDisplayName("")
    app.setStyle("Fusion")
    install_fonts(app)
    app.setWindowIcon(QIcon(icon("station", "#4f9dff")))
    return app


def _build_lane(system: SystemName, settings: LaneSettings) -> Lane:
    # Imported in the lane's thread: numpy and OpenCV are not needed to paint the window.
    from inspection.run.lanes import build_lane

    return build_lane(system, settings)


def _app() -> QApplication:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    return app

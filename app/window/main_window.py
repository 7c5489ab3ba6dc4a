"""The window: arranges docks, bars and menus, and joins them to the controller. No logic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QByteArray, QEvent, QSize, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import (
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.controller import Controller
from app.review import Row
from app.window.actions import Actions
from app.window.announcements import Announcements
from app.window.banner import Banner
from app.window.conversations import Conversations
from app.window.hold_key import HoldKey
from app.window.menus import MainBar, Menus
from app.window.panel_set import PanelSet
from app.window.run_progress import RunProgress
from app.window.start import StartPage
from app.window.status import StationStatus
from app.window.workbench import Workbench
from app.wording import languages
from inspection.records import Lot
from inspection.results import SessionRecord, SystemName

FIRST_SIZE = (1600, 960)
FRAME = QSize(16, 40)
"""Room for the desktop's own frame, whose size is not known before the window is shown."""


class MainWindow(QMainWindow):
    """The station's one window."""

    language_chosen = Signal(str)
    theme_chosen = Signal(str)

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.controller = controller
        self.setAcceptDrops(True)
        self.resize(QSize(*FIRST_SIZE).boundedTo(self.screen().availableSize() - FRAME))
        self.actions_ = Actions(self)
        self._build_panels()
        self.conversations = Conversations(self, controller, self.actions_)
        self.progress = RunProgress(controller.runner)
        self.addToolBar(MainBar(self.actions_, self.progress))
        self.menus = Menus(self.menuBar(), self.actions_)
        self.status = StationStatus(self.actions_["operator"])
        self.setStatusBar(self.status)
        self._build_body()
        self.announcements = Announcements(self, self.banner, controller)
        self.hold = HoldKey(self)
        self._close_confirmed = False
        self._connect()
        self._take_settings()
        self.retranslate()
        self._sync_actions()

    # -- building --------------------------------------------------------------------------

    def _build_panels(self) -> None:
        panels = self.panels = PanelSet(self.controller, self.actions_, self)
        self.lot_panel, self.history, self.scores = panels.lot, panels.history, panels.scores
        self.ct, self.rgb, self.verdict = panels.ct, panels.rgb, panels.verdict
        self.vlm, self.vlg, self.comparison = panels.vlm, panels.vlg, panels.comparison

    def _build_body(self) -> None:
        self.start_page = StartPage()
        self.workbench = Workbench(self.panels.by_name())
        for dock in self.workbench.docks.values():
            self.menus.docks.addAction(dock.toggleViewAction())
        self.banner = Banner()
        self.pages = QStackedWidget()
        self.pages.addWidget(self.start_page)
        self.pages.addWidget(self.workbench)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.banner)
        layout.addWidget(self.pages, 1)
        self.setCentralWidget(body)

    def _connect(self) -> None:
        controller, actions, talk = self.controller, self.actions_, self.conversations
        orders = {
            "open_lot": talk.open_lot,
            "export": talk.export,
            "quit": self.close,
            "start": controller.start,
            "cancel": controller.runner.cancel,
            "again": self._on_again,
            "start_over": controller.start_over,
            "unload": controller.runner.unload,
            "previous": partial(self.lot_panel.step, -1),
            "next": partial(self.lot_panel.step, 1),
            "suspicious": self.lot_panel.next_suspicious,
            "conflict": self.lot_panel.next_conflict,
            "accept": controller.decisions.accept,
            "accept_next": self._on_accept_next,
            "override": talk.override,
            "undo": controller.decisions.undo,
            "slice_back": partial(self.ct.step, -1),
            "slice_on": partial(self.ct.step, 1),
            "view_back": partial(self.rgb.step, -1),
            "view_on": partial(self.rgb.step, 1),
            "answer_back": partial(self.panels.step_answer, -1),
            "answer_on": partial(self.panels.step_answer, 1),
            "axis": self.ct.next_axis,
            "worst": self.panels.to_worst,
            "find": self._on_find,
            "operator": talk.ask_operator,
            "findings": talk.show_findings,
            "models": talk.show_models,
            "reset_layout": self.workbench.reset,
            "keys": talk.show_keys,
            "about": talk.show_about,
        }
        for name, order in orders.items():
            actions[name].triggered.connect(_without_arguments(order))
        # Triggered by the operator, not toggled by the run itself.
        actions["pause"].triggered.connect(controller.runner.set_paused)
        actions["lock"].toggled.connect(self.workbench.set_locked)
        actions["compare"].toggled.connect(self.workbench.set_comparing)
        self.workbench.comparing_changed.connect(actions["compare"].setChecked)
        for action in actions.languages.values():
            action.triggered.connect(self._on_language)
        for action in actions.themes.values():
            action.triggered.connect(self._on_theme)
        self.menus.systems_chosen.connect(self._on_systems)
        self.menus.lot_wanted.connect(controller.open_lot)
        self.hold.held.connect(self.panels.set_bare)
        self._connect_panels()
        self._connect_controller()

    def _connect_panels(self) -> None:
        controller = self.controller
        talk, panels = self.conversations, self.panels
        panels.failed.connect(self.announcements.tell_error)
        panels.models_wanted.connect(talk.show_models)
        panels.lot.findings_wanted.connect(talk.show_findings)
        panels.history.compare_wanted.connect(talk.show_changes)
        panels.comparison.figures_wanted.connect(talk.show_figures)
        self.start_page.open_wanted.connect(talk.open_lot)
        self.start_page.lot_wanted.connect(controller.open_lot)
        talk.model_work.changed.connect(controller.take_models)
        talk.told.connect(self.announcements.toast.tell)
        talk.overtaken.connect(self.announcements.toast.take_back)
        talk.close_confirmed.connect(self._on_close_confirmed)

    def _connect_controller(self) -> None:
        controller = self.controller
        controller.lot_changed.connect(self._on_lot)
        controller.current_changed.connect(self._sync_actions)
        controller.session_changed.connect(self._on_session)
        controller.decisions.operator_needed.connect(self.conversations.ask_operator)
        controller.settings_changed.connect(self._on_settings)
        controller.runner.lane_changed.connect(self.status.set_lane)
        controller.runner.progress_changed.connect(self._sync_actions)

    # -- from the controller ---------------------------------------------------------------

    def _on_lot(self, _lot: Lot, _rows: list[Row]) -> None:
        self.pages.setCurrentWidget(self.workbench)
        self.lot_panel.table.setFocus()
        self.retranslate_title()
        self._sync_actions()

    def _on_session(self, record: SessionRecord | None) -> None:
        self.status.set_session(record)
        self._sync_actions()

    # -- from the operator -----------------------------------------------------------------

    def _on_accept_next(self) -> None:
        if self.controller.decisions.may_accept:
            self.controller.decisions.accept()
            self.lot_panel.step(1)

    def _on_again(self) -> None:
        if self.controller.current_id is not None:
            self.controller.inspect_again(self.controller.current_id)

    def _on_find(self) -> None:
        self.workbench.docks["lot"].raise_()
        self.lot_panel.search.setFocus()
        self.lot_panel.search.selectAll()

    def _on_language(self) -> None:
        self.language_chosen.emit(self.sender().data())

    def _on_theme(self) -> None:
        self.theme_chosen.emit(self.sender().data())

    def _on_systems(self, chosen: tuple[SystemName, ...]) -> None:
        settings = self.controller.settings
        self.controller.change(settings.model_copy(update={"systems": chosen}))

    # -- settings --------------------------------------------------------------------------

    def _take_settings(self) -> None:
        settings = self.controller.settings
        if settings.geometry:
            self.restoreGeometry(QByteArray.fromBase64(settings.geometry.encode("ascii")))
        self._restored = self.workbench.restore_layout(settings.layout)
        self.actions_["overlay"].setChecked(settings.overlay)
        self.actions_["boxes"].setChecked(True)
        self.actions_["lock"].setChecked(settings.layout_locked)
        self.panels.set_opacity(settings.opacity)
        self.actions_.languages[languages.current].setChecked(True)
        self.actions_.themes[settings.theme].setChecked(True)
        self._on_settings(settings)

    def _on_settings(self, settings: object) -> None:
        current = self.controller.settings
        self.status.set_operator(current.operator)
        self.start_page.show_recent(current.recent_lots)
        self.menus.show_systems(current.systems)
        self.menus.show_recent(current.recent_lots)

    def remember(self) -> None:
        """Put the places of the window into the settings."""
        geometry = bytes(self.saveGeometry().toBase64().data()).decode("ascii")
        self.controller.change(
            self.controller.settings.model_copy(
                update={
                    "geometry": geometry,
                    "layout": self.workbench.layout_text(),
                    "layout_locked": self.actions_["lock"].isChecked(),
                    "overlay": self.actions_["overlay"].isChecked(),
                    "opacity": self.ct.opacity.value(),
                }
            )
        )

    # -- words and colours -----------------------------------------------------------------

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        self.actions_.retranslate()
        self.menus.retranslate()
        self.status.retranslate()
        self.retranslate_title()

    def retranslate_title(self) -> None:
        """Name the lot in the title bar."""
        name = self.tr("Battery inspection station")
        lot = self.controller.lot
        self.setWindowTitle(f"{lot.root.name} – {name}" if lot else name)

    def _sync_actions(self, *_changed: object) -> None:
        controller, decisions = self.controller, self.controller.decisions
        self.actions_.enable(
            phase=controller.runner.phase,
            has_lot=controller.lot is not None,
            has_session=controller.writer.record is not None,
            writable=not controller.writer.read_only,
            may_accept=decisions.may_accept,
            may_decide=decisions.may_decide,
            may_undo=decisions.may_undo,
        )

    # -- Qt --------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        """Qt: the language or the theme has changed."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
        elif event.type() == QEvent.Type.PaletteChange:
            self.actions_.restyle()
            self.status.restyle()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt: the toast keeps to its corner."""
        super().resizeEvent(event)
        self.announcements.toast.place()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Qt: only folders are welcome."""
        if _dropped_folder(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Qt: a folder is opened as a lot."""
        folder = _dropped_folder(event)
        if folder is not None:
            event.acceptProposedAction()
            # After the drop: the other program waits until this returns.
            QTimer.singleShot(0, self, partial(self.controller.open_lot, folder))

    def closeEvent(self, event: QCloseEvent) -> None:
        """Qt: end the threads, keep the places; ask first where something is at stake."""
        if not self._close_confirmed and not self.conversations.may_close():
            event.ignore()
            return
        self.remember()
        self.hide()
        self.conversations.model_work.shut_down()
        self.controller.shut_down()
        event.accept()

    def _on_close_confirmed(self) -> None:
        self._close_confirmed = True
        self.close()


def _dropped_folder(event: QDragEnterEvent | QDropEvent) -> Path | None:
    for url in event.mimeData().urls():
        path = Path(url.toLocalFile())
        if url.isLocalFile() and path.is_dir():
            return path
    return None


def _without_arguments(order: Callable[[], object]) -> Callable[[bool], None]:
    """Return a slot that ignores the ``checked`` of a triggered action."""

    def slot(_checked: bool = False) -> None:
        order()

    return slot

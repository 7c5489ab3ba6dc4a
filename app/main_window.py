"""The window: arranges docks, bars and menus, and joins them to the controller. No logic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QByteArray, QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import (
    QMainWindow,
    QMenu,
    QSizePolicy,
    QStackedWidget,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from app.actions import Actions
from app.controller import Controller
from app.conversations import Conversations
from app.hold_key import HoldKey
from app.panels.ct import CtPanel
from app.panels.history import HistoryPanel
from app.panels.lot import LotPanel
from app.panels.rgb import RgbPanel
from app.panels.scores import ScoresPanel
from app.panels.start import StartPage
from app.panels.verdict import VerdictPanel
from app.panels.vlg import VlgPanel
from app.panels.vlm import VlmPanel
from app.review import BatteryView, Row
from app.runner import LaneView
from app.widgets.banner import Banner, Toast
from app.widgets.run_progress import RunProgress
from app.widgets.status import StationStatus
from app.wording import SYSTEM_NAMES, error_text, languages, message_text
from app.workbench import Workbench
from inspection.errors import InspectionError
from inspection.records import Lot
from inspection.results import SYSTEMS, SessionRecord
from inspection.session import SessionListing

FIRST_SIZE = (1600, 960)


class MainWindow(QMainWindow):
    """The station's one window."""

    language_chosen = Signal(str)
    theme_chosen = Signal(str)
    crashed = Signal(object)

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.controller = controller
        self.setAcceptDrops(True)
        self.resize(*FIRST_SIZE)
        self.actions_ = Actions(self)
        self._build_panels()
        self.conversations = Conversations(self, controller, self.actions_)
        self._build_bars()
        self._build_menus()
        self._build_body()
        self.toast = Toast(self)
        self.hold = HoldKey(self)
        self._close_confirmed = False
        self._connect()
        self._take_settings()
        self.retranslate()
        self._sync_actions()

    # -- building --------------------------------------------------------------------------

    def _build_panels(self) -> None:
        actions, inspector = self.actions_, self.controller.inspector
        layers = (actions["overlay"], actions["boxes"])
        deciding = (actions["accept"], actions["override"], actions["undo"])
        fused = inspector.weighted_average.threshold
        marks = (fused, inspector.aggregation.slice_threshold, 0.5)
        self.lot_panel = LotPanel()
        self.history = HistoryPanel()
        self.ct = CtPanel(self.controller.files, layers)
        self.rgb = RgbPanel(self.controller.files, layers)
        self.vlm = VlmPanel()
        self.vlg = VlgPanel()
        self.scores = ScoresPanel(fused)
        self.verdict = VerdictPanel(deciding, marks)

    def _build_bars(self) -> None:
        actions = self.actions_
        bar = QToolBar()
        bar.setObjectName("main")
        bar.setMovable(False)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        bar.addAction(actions["open_lot"])
        bar.addSeparator()
        for name in ("start", "pause", "cancel"):
            bar.addAction(actions[name])
        self.progress = RunProgress(self.controller.runner)
        self._progress_place = bar.addWidget(self.progress)
        gap = QWidget()
        gap.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        bar.addWidget(gap)
        for name in ("previous", "next", "suspicious"):
            bar.addAction(actions[name])
        bar.addSeparator()
        bar.addAction(actions["export"])
        for name in ("pause", "cancel", "previous", "next"):
            bar.widgetForAction(actions[name]).setToolButtonStyle(
                Qt.ToolButtonStyle.ToolButtonIconOnly
            )
        self._bar = bar
        self.addToolBar(bar)
        self.status = StationStatus(actions["operator"])
        self.setStatusBar(self.status)

    def _build_menus(self) -> None:
        actions = self.actions_
        self._menus: dict[str, QMenu] = {}
        for name in ("file", "inspection", "review", "view", "help"):
            self._menus[name] = self.menuBar().addMenu("")
        self._recent = QMenu(self)
        self._systems = QMenu(self)
        self._fill("file", ["open_lot", self._recent, None, "export", None, "quit"])
        self._fill(
            "inspection",
            ["start", "pause", "cancel", None, "again", "start_over", None, self._systems],
        )
        self._fill(
            "review",
            ["previous", "next", "suspicious", "find", None, "accept", "accept_next", "override"],
        )
        self._fill("review", ["undo", None, "findings", "operator"])
        self._language_menu, self._theme_menu, self._docks_menu = QMenu(), QMenu(), QMenu()
        self._fill("view", ["overlay", "boxes", "worst", "slice_back", "slice_on", "axis"])
        self._fill("view", ["view_back", "view_on", None, self._docks_menu, "lock"])
        self._fill("view", ["reset_layout", None, self._language_menu, self._theme_menu])
        self._fill("help", ["keys", "about"])
        self._language_menu.addActions(list(actions.languages.values()))
        self._theme_menu.addActions(list(actions.themes.values()))
        for system in SYSTEMS:
            action = QAction(SYSTEM_NAMES[system], self._systems)
            action.setCheckable(True)
            action.setData(system)
            action.triggered.connect(self._on_systems)
            self._systems.addAction(action)

    def _fill(self, menu: str, entries: Sequence[str | QMenu | None]) -> None:
        for entry in entries:
            if entry is None:
                self._menus[menu].addSeparator()
            elif isinstance(entry, QMenu):
                self._menus[menu].addMenu(entry)
            else:
                self._menus[menu].addAction(self.actions_[entry])

    def _build_body(self) -> None:
        self.start_page = StartPage()
        self.workbench = Workbench(
            {
                "lot": self.lot_panel,
                "history": self.history,
                "ct": self.ct,
                "rgb": self.rgb,
                "vlm": self.vlm,
                "vlg": self.vlg,
                "scores": self.scores,
                "verdict": self.verdict,
            }
        )
        for dock in self.workbench.docks.values():
            self._docks_menu.addAction(dock.toggleViewAction())
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
            "previous": partial(self.lot_panel.step, -1),
            "next": partial(self.lot_panel.step, 1),
            "suspicious": self.lot_panel.next_suspicious,
            "accept": controller.accept,
            "accept_next": self._on_accept_next,
            "override": talk.override,
            "undo": controller.undo,
            "slice_back": partial(self.ct.step, -1),
            "slice_on": partial(self.ct.step, 1),
            "view_back": partial(self.rgb.step, -1),
            "view_on": partial(self.rgb.step, 1),
            "axis": self.ct.next_axis,
            "worst": self._on_worst,
            "find": self._on_find,
            "operator": talk.ask_operator,
            "findings": talk.show_findings,
            "reset_layout": self.workbench.reset,
            "keys": talk.show_keys,
            "about": talk.show_about,
        }
        for name, order in orders.items():
            actions[name].triggered.connect(_without_arguments(order))
        actions["pause"].toggled.connect(controller.runner.set_paused)
        actions["lock"].toggled.connect(self.workbench.set_locked)
        for action in actions.languages.values():
            action.triggered.connect(self._on_language)
        for action in actions.themes.values():
            action.triggered.connect(self._on_theme)
        self.hold.held.connect(self.ct.set_bare)
        self.hold.held.connect(self.rgb.set_bare)
        self._connect_panels()
        self._connect_controller()

    def _connect_panels(self) -> None:
        controller = self.controller
        self.lot_panel.chosen.connect(controller.choose)
        self.lot_panel.findings_wanted.connect(self.conversations.show_findings)
        self.history.open_wanted.connect(controller.open_session)
        self.history.refresh_wanted.connect(controller.writer.list_sessions)
        self.verdict.retry_wanted.connect(controller.writer.retry)
        self.start_page.open_wanted.connect(self.conversations.open_lot)
        self.start_page.lot_wanted.connect(controller.open_lot)
        for panel in (self.ct, self.rgb):
            panel.failed.connect(self.show_error)
            panel.opacity_changed.connect(self._on_opacity)
        self.conversations.told.connect(self.toast.tell)
        self.conversations.close_confirmed.connect(self._on_close_confirmed)
        self.banner.answered.connect(self._on_answer)

    def _connect_controller(self) -> None:
        controller = self.controller
        controller.lot_changed.connect(self._on_lot)
        controller.row_changed.connect(self._on_row)
        controller.current_changed.connect(self._on_current)
        controller.session_changed.connect(self._on_session)
        controller.sessions_listed.connect(self.history.show_sessions)
        controller.resume_offered.connect(self._on_resume_offered)
        controller.operator_needed.connect(self.conversations.ask_operator)
        controller.settings_changed.connect(self._on_settings)
        controller.unsaved_changed.connect(self._on_unsaved)
        controller.scanning.connect(self._on_scanning)
        controller.failed.connect(self.show_error)
        controller.runner.lane_changed.connect(self._on_lane)
        controller.runner.progress_changed.connect(self._sync_actions)

    # -- from the controller ---------------------------------------------------------------

    def _on_lot(self, lot: Lot, rows: list[Row]) -> None:
        self.pages.setCurrentWidget(self.workbench)
        self.banner.dismiss("resume")
        self.lot_panel.show_lot(lot, rows)
        self.scores.show_rows(rows)
        self.retranslate_title()
        self._sync_actions()

    def _on_row(self, row: Row) -> None:
        self.lot_panel.update_row(row)
        self.scores.update_row(row)

    def _on_current(self, view: BatteryView | None) -> None:
        root = self.controller.lot.root if self.controller.lot else Path()
        self.ct.show_battery(view, root)
        self.rgb.show_battery(view, root)
        self.vlm.show_battery(view)
        self.vlg.show_battery(view)
        self.verdict.show_battery(view)
        self.scores.set_current(view.row.battery_id if view else None)
        if view is not None:
            self.lot_panel.set_current(view.row.battery_id)
        self._sync_actions()

    def _on_lane(self, view: LaneView) -> None:
        self.status.set_lane(view)
        if view.system == "vlm":
            self.vlm.set_lane(view)
        elif view.system == "vlg":
            self.vlg.set_lane(view)
        if view.system == "ensemble" and view.phase in ("not_installed", "failed"):
            reason = message_text(view.message) if view.message else ""
            self.banner.ask("lane", reason, [], "warning")

    def _on_session(self, record: SessionRecord | None) -> None:
        self.status.set_session(record)
        self.history.set_open(record)
        self.banner.dismiss("resume")
        self._sync_actions()

    def _on_resume_offered(self, listing: SessionListing) -> None:
        assert listing.record is not None
        record = listing.record
        self._resume = listing.folder
        done = sum(row.state in ("done", "skipped") for row in record.batteries)
        text = self.tr("This lot has an unfinished session of {time}: {done} of {total} done.")
        self.banner.ask(
            "resume",
            text.format(
                time=f"{record.created_at.astimezone():%Y-%m-%d %H:%M}",
                done=done,
                total=len(record.batteries),
            ),
            [("resume", self.tr("Resume")), ("new", self.tr("New session"))],
        )

    def _on_answer(self, name: str) -> None:
        if name == "resume":
            self.controller.resume(self._resume)
        elif name == "new":
            self.controller.start()
        elif name == "save":
            self.controller.writer.retry()

    def _on_unsaved(self, error: InspectionError | None) -> None:
        if error is None:
            self.banner.dismiss("unsaved")
            return
        kept = self.tr("Nothing is lost while the window is open.")
        self.banner.ask(
            "unsaved",
            f"{error_text(error)} {kept}",
            [("save", self.tr("Save again"))],
            "critical",
        )

    def _on_scanning(self, busy: bool) -> None:
        if busy:
            self.setCursor(Qt.CursorShape.BusyCursor)
            self.status.showMessage(self.tr("Reading the lot ..."))
        else:
            self.unsetCursor()
            self.status.clearMessage()
        self.actions_["open_lot"].setEnabled(not busy)

    def show_error(self, error: Exception) -> None:
        """Tell an error: a sentence where there is one, else the trace."""
        if isinstance(error, InspectionError):
            self.toast.tell(error_text(error), "critical")
        else:
            self.crashed.emit(error)

    # -- from the operator -----------------------------------------------------------------

    def _on_accept_next(self) -> None:
        if self.controller.may_accept:
            self.controller.accept()
            self.lot_panel.step(1)

    def _on_again(self) -> None:
        if self.controller.current_id is not None:
            self.controller.inspect_again(self.controller.current_id)

    def _on_worst(self) -> None:
        self.ct.to_worst()
        self.rgb.to_worst()

    def _on_find(self) -> None:
        self.workbench.docks["lot"].raise_()
        self.lot_panel.search.setFocus()
        self.lot_panel.search.selectAll()

    def _on_opacity(self, value: int) -> None:
        for panel in (self.ct, self.rgb):
            panel.opacity.setValue(value)

    def _on_language(self) -> None:
        self.language_chosen.emit(self.sender().data())

    def _on_theme(self) -> None:
        self.theme_chosen.emit(self.sender().data())

    def _on_systems(self) -> None:
        chosen = tuple(a.data() for a in self._systems.actions() if a.isChecked())
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
        self.ct.opacity.setValue(settings.opacity)
        self.rgb.opacity.setValue(settings.opacity)
        self.actions_.languages[languages.current].setChecked(True)
        self.actions_.themes[settings.theme].setChecked(True)
        self._on_settings(settings)

    def _on_settings(self, settings: object) -> None:
        current = self.controller.settings
        self.status.set_operator(current.operator)
        self.start_page.show_recent(current.recent_lots)
        for action in self._systems.actions():
            action.setChecked(action.data() in current.systems)
        self._recent.clear()
        for name in current.recent_lots:
            action = self._recent.addAction(name)
            action.triggered.connect(partial(self.controller.open_lot, Path(name)))
        self._recent.setEnabled(bool(current.recent_lots))

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
        words = {
            "file": self.tr("&File"),
            "inspection": self.tr("&Inspection"),
            "review": self.tr("&Review"),
            "view": self.tr("&View"),
            "help": self.tr("&Help"),
        }
        for name, menu in self._menus.items():
            menu.setTitle(words[name])
        self._recent.setTitle(self.tr("Recent lots"))
        self._systems.setTitle(self.tr("Systems"))
        self._docks_menu.setTitle(self.tr("Docks"))
        self._theme_menu.setTitle(self.tr("Colours"))
        self._language_menu.setTitle("Language · 언어")
        self.status.retranslate()
        self.retranslate_title()

    def retranslate_title(self) -> None:
        """Name the lot in the title bar."""
        name = self.tr("Battery inspection station")
        lot = self.controller.lot
        self.setWindowTitle(f"{lot.root.name} – {name}" if lot else name)

    def _sync_actions(self) -> None:
        controller, actions = self.controller, self.actions_
        phase = controller.runner.phase
        idle, has_lot = phase == "idle", controller.lot is not None
        row = controller.rows.get(controller.current_id or "")
        writable = not controller.writer.read_only
        for name in ("start", "start_over", "again"):
            actions[name].setEnabled(idle and has_lot and writable)
        actions["pause"].setEnabled(phase in ("running", "paused"))
        actions["pause"].blockSignals(True)
        actions["pause"].setChecked(phase == "paused")
        actions["pause"].blockSignals(False)
        actions["cancel"].setEnabled(phase in ("running", "paused"))
        for name in ("previous", "next", "suspicious", "find", "findings"):
            actions[name].setEnabled(has_lot)
        actions["accept"].setEnabled(controller.may_accept)
        actions["accept_next"].setEnabled(controller.may_accept)
        actions["override"].setEnabled(controller.may_decide)
        actions["undo"].setEnabled(
            controller.may_decide and row is not None and row.decision is not None
        )
        actions["export"].setEnabled(controller.writer.record is not None)

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
        self.toast.place()

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

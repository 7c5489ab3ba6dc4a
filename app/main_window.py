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

from app.actions import Actions
from app.announcements import Announcements
from app.controller import Controller
from app.conversations import Conversations
from app.hold_key import HoldKey
from app.menus import MainBar, Menus
from app.panels.comparison import ComparisonPanel
from app.panels.ct import CtPanel
from app.panels.history import HistoryPanel
from app.panels.lot import LotPanel
from app.panels.rgb import RgbPanel
from app.panels.scores import ScoresPanel
from app.panels.start import StartPage
from app.panels.verdict import VerdictPanel
from app.panels.vlg import VlgPanel
from app.panels.vlm import VlmPanel
from app.plots import Plots
from app.review import BatteryView, LiveAnswers, Row
from app.runner import LaneView
from app.widgets.banner import Banner
from app.widgets.run_progress import RunProgress
from app.widgets.status import StationStatus
from app.wording import languages
from app.workbench import Workbench
from inspection.records import Lot
from inspection.results import SessionRecord, SystemName

FIRST_SIZE = (1600, 960)


class MainWindow(QMainWindow):
    """The station's one window."""

    language_chosen = Signal(str)
    theme_chosen = Signal(str)

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.controller = controller
        self.setAcceptDrops(True)
        self.resize(QSize(*FIRST_SIZE).boundedTo(self.screen().availableSize()))
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
        self._show_thresholds()
        self.retranslate()
        self._sync_actions()

    # -- building --------------------------------------------------------------------------

    def _build_panels(self) -> None:
        actions = self.actions_
        layers = (actions["overlay"], actions["boxes"])
        deciding = (actions["accept"], actions["override"], actions["undo"])
        self.lot_panel = LotPanel()
        self.history = HistoryPanel()
        self.ct = CtPanel(self.controller.files, layers)
        plots = Plots(self.controller.files, self)
        plots.failed.connect(self.controller.failed)
        self.rgb = RgbPanel(self.controller.files, layers, plots)
        self.vlm = VlmPanel(self.controller.files, actions["boxes"])
        self.vlg = VlgPanel(self.controller.files, actions["boxes"])
        self.comparison = ComparisonPanel(self.controller.files, layers)
        self.scores = ScoresPanel(plots)
        self.verdict = VerdictPanel(deciding)

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
                "comparison": self.comparison,
                "scores": self.scores,
                "verdict": self.verdict,
            }
        )
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
            "unload": controller.unload_models,
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
            "answer_back": partial(self._step_answer, -1),
            "answer_on": partial(self._step_answer, 1),
            "axis": self.ct.next_axis,
            "worst": self._on_worst,
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
        for panel in (self.ct, self.rgb, self.vlm, self.vlg, self.comparison):
            self.hold.held.connect(panel.set_bare)
        self._connect_panels()
        self._connect_controller()

    def _connect_panels(self) -> None:
        controller = self.controller
        self.lot_panel.chosen.connect(controller.choose)
        self.lot_panel.findings_wanted.connect(self.conversations.show_findings)
        self.history.open_wanted.connect(controller.open_session)
        self.history.compare_wanted.connect(self.conversations.show_changes)
        self.comparison.figures_wanted.connect(self.conversations.show_figures)
        self.history.refresh_wanted.connect(controller.writer.list_sessions)
        self.verdict.retry_wanted.connect(controller.writer.retry)
        self.start_page.open_wanted.connect(self.conversations.open_lot)
        self.start_page.lot_wanted.connect(controller.open_lot)
        for panel in (self.ct, self.rgb):
            panel.failed.connect(self.announcements.tell_error)
            panel.opacity_changed.connect(self._on_opacity)
        for missing in (self.vlm.missing, self.vlg.missing):
            missing.models_wanted.connect(self.conversations.show_models)
        for panel in (self.vlm, self.vlg, self.comparison):
            panel.failed.connect(self.announcements.tell_error)
        # The two look at the same images, and side by side they show the same one.
        self.vlm.image_chosen.connect(self.vlg.show_image)
        self.vlg.image_chosen.connect(self.vlm.show_image)
        self.conversations.model_work.changed.connect(controller.take_models)
        self.conversations.told.connect(self.announcements.toast.tell)
        self.conversations.close_confirmed.connect(self._on_close_confirmed)

    def _connect_controller(self) -> None:
        controller = self.controller
        controller.lot_changed.connect(self._on_lot)
        controller.row_changed.connect(self._on_row)
        controller.current_changed.connect(self._on_current)
        controller.session_changed.connect(self._on_session)
        controller.sessions_listed.connect(self.history.show_sessions)
        controller.decisions.operator_needed.connect(self.conversations.ask_operator)
        controller.settings_changed.connect(self._on_settings)
        controller.policy_changed.connect(self._show_thresholds)
        controller.runner.lane_changed.connect(self._on_lane)
        controller.runner.live_changed.connect(self._on_live)
        controller.runner.progress_changed.connect(self._sync_actions)

    # -- from the controller ---------------------------------------------------------------

    def _on_lot(self, lot: Lot, rows: list[Row]) -> None:
        self.pages.setCurrentWidget(self.workbench)
        self.lot_panel.show_lot(lot, rows)
        self.lot_panel.table.setFocus()
        self.scores.show_rows(rows)
        self.retranslate_title()
        self._sync_actions()

    def _on_row(self, row: Row) -> None:
        self.lot_panel.update_row(row)
        self.scores.update_row(row)

    def _on_current(self, view: BatteryView | None) -> None:
        self.ct.show_battery(view)
        self.rgb.show_battery(view)
        self.vlm.show_battery(view)
        self.vlg.show_battery(view)
        self.comparison.show_battery(view)
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

    def _on_live(self, system: SystemName, live: LiveAnswers | None) -> None:
        self.comparison.show_live(system, live)
        if system == "vlm":
            self.vlm.show_live(live)
        elif system == "vlg":
            self.vlg.show_live(live)

    def _on_session(self, record: SessionRecord | None) -> None:
        self.status.set_session(record)
        self.history.set_open(record)
        self._show_thresholds()
        self._sync_actions()

    def _show_thresholds(self) -> None:
        inspector = self.controller.policy_shown.inspector
        fused = inspector.weighted_average.threshold
        self.scores.set_threshold(fused)
        self.verdict.set_marks((fused, inspector.aggregation.slice_threshold, 0.5))

    # -- from the operator -----------------------------------------------------------------

    def _on_accept_next(self) -> None:
        if self.controller.decisions.may_accept:
            self.controller.decisions.accept()
            self.lot_panel.step(1)

    def _on_again(self) -> None:
        if self.controller.current_id is not None:
            self.controller.inspect_again(self.controller.current_id)

    def _step_answer(self, delta: int) -> None:
        if self.workbench.comparing:
            self.comparison.step(delta)
            return
        # Behind the other's tab a panel has no visible part.
        hidden = self.vlm.visibleRegion().isEmpty()
        (self.vlg if hidden else self.vlm).step(delta)

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
        self.ct.opacity.setValue(settings.opacity)
        self.rgb.opacity.setValue(settings.opacity)
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

    def _sync_actions(self) -> None:
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

"""The window: arranges docks, bars and menus, and joins them to the controller. No logic."""

from __future__ import annotations

from functools import partial
from itertools import permutations
from pathlib import Path

from PySide6.QtCore import QByteArray, QEvent, QSize, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QWidget

from app.actions import Actions
from app.controller import Controller
from app.dialogs.archives import Archives
from app.dialogs.conversations import Conversations
from app.panels.answers import AnswersPanel
from app.panels.demo_note import DemoModels
from app.panels.dock import DockPanel, PanelContext
from app.panels.registry import DOCKS
from app.settings import Settings
from app.widgets.grey_display import GreyDisplay
from app.widgets.layers import Layers
from app.widgets.panel import column
from app.widgets.plots import Plots
from app.window.announcements import Announcements
from app.window.banner import Banner
from app.window.hold_key import HoldKey
from app.window.lock_page import LockPage
from app.window.menus import MainBar, Menus
from app.window.privacy import Privacy
from app.window.run_progress import RunProgress
from app.window.start import StartPage
from app.window.status import StationStatus
from app.window.workbench import Workbench
from app.wording import languages, person_text
from inspection.names import told_name
from inspection.results import SystemName

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
        self.conversations = Conversations(self, controller, self.actions_)
        self.archives = Archives(self, controller)
        # Before the window connects itself: a lot is listed by its panel before its page is shown.
        self.panels = self._make_panels()
        self.progress = RunProgress(controller.runner)
        self.addToolBar(MainBar(self.actions_, self.progress))
        self.menus = Menus(self.menuBar(), self.actions_)
        self.status = StationStatus(self.actions_["operator"], self.actions_["hand_over"])
        self.setStatusBar(self.status)
        self.start_page = StartPage()
        self.workbench = Workbench(self.panels)
        for dock in self.workbench.docks.values():
            self.menus.docks.addAction(dock.toggleViewAction())
        self.banner = Banner()
        self.pages = QStackedWidget()
        self.pages.addWidget(self.start_page)
        self.pages.addWidget(self.workbench)
        body = QWidget()
        layout = column(body, margin=0, gap=0)
        layout.addWidget(self.banner)
        layout.addWidget(self.pages, 1)
        self.lock_page = LockPage(controller.people, controller.runner)
        self.cover = QStackedWidget()
        self.cover.addWidget(body)
        self.cover.addWidget(self.lock_page)
        self.setCentralWidget(self.cover)
        self.announcements = Announcements(self, self.banner, controller)
        self._close_confirmed = False
        self.privacy = Privacy(self, controller.people)
        self._connect()
        self._take_settings()
        self.retranslate()
        self._on_people()

    def _make_panels(self) -> dict[str, DockPanel]:
        controller, actions = self.controller, self.actions_
        plots = Plots(controller.files, self)
        plots.failed.connect(controller.failed)
        opacity = controller.settings.opacity
        self.layers = Layers(actions["overlay"], actions["boxes"], controller.marks, opacity, self)
        HoldKey(self).held.connect(self.layers.set_bare)
        self.display = display = GreyDisplay(self)
        # Before the panels: they show a battery as it is to be shown at first.
        controller.current_changed.connect(display.show_battery)
        demo = DemoModels(controller, self)
        demo.teach_wanted.connect(self.conversations.teach_slot)
        context = PanelContext(
            controller, actions, self.conversations, self.layers, display, demo, plots
        )
        panels = {kind.name: kind(context) for kind in DOCKS}
        # These look at the same images, and side by side they show the same one.
        answering = [panel for panel in panels.values() if isinstance(panel, AnswersPanel)]
        for one, other in permutations(answering, 2):
            one.image_chosen.connect(other.show_image)
        return panels

    def _connect(self) -> None:
        controller, actions, talk = self.controller, self.actions_, self.conversations
        controller.other_judges.asked.connect(talk.ask_other_judges)
        for name, order in {
            "open_lot": talk.open_lot,
            "export": talk.export,
            "quit": self.close,
            "pack": self.archives.pack,
            "open_packed": self.archives.open_packed,
            "back_up": self.archives.back_up,
            "start": controller.start,
            "cancel": controller.runner.cancel,
            "again": self._on_again,
            "start_over": controller.start_over,
            "unload": controller.runner.unload,
            "accept": controller.decisions.accept,
            "override": talk.decide,
            "change": talk.decide,
            "mark": controller.marks.set_active,
            "leave_mark": partial(controller.marks.set_active, False),
            "drop_corner": controller.marks.drop_corner,
            "undo": controller.decisions.undo,
            "answer_back": partial(self._step_answer, -1),
            "answer_on": partial(self._step_answer, 1),
            "level_up": partial(self.display.step_level, 1),
            "level_down": partial(self.display.step_level, -1),
            "width_up": partial(self.display.step_width, 1),
            "width_down": partial(self.display.step_width, -1),
            "reset_grey": self.display.reset,
            "operator": talk.ask_operator,
            "hand_over": talk.hand_over,
            "lock_screen": controller.people.lock,
            "own_pin": talk.change_pin,
            "users": talk.show_users,
            "sign": talk.sign,
            "findings": talk.show_findings,
            "models": talk.show_models,
            "teach": talk.teach,
            # Triggered by the operator, not toggled by the run itself.
            "pause": controller.runner.set_paused,
            "reset_layout": self.workbench.reset,
            "keys": talk.show_keys,
            "messages": self.announcements.show_messages,
            "about": talk.show_about,
        }.items():
            actions[name].triggered.connect(order)
        actions["lock"].toggled.connect(self.workbench.set_locked)
        actions["compare"].toggled.connect(self.workbench.set_comparing)
        actions["planes"].toggled.connect(self._sync_actions)
        self.workbench.comparing_changed.connect(actions["compare"].setChecked)
        for choice, chosen in (
            (actions.languages, self.language_chosen),
            (actions.themes, self.theme_chosen),
        ):
            for name, action in choice.items():
                action.triggered.connect(partial(chosen.emit, name))
        self.menus.systems_chosen.connect(self._on_systems)
        self.menus.lot_wanted.connect(controller.open_lot)
        self.start_page.open_wanted.connect(talk.open_lot)
        self.start_page.lot_wanted.connect(controller.open_lot)
        talk.model_work.changed.connect(controller.take_models)
        talk.told.connect(self.announcements.toast.tell)
        self.archives.told.connect(self.announcements.toast.tell)
        talk.overtaken.connect(self.announcements.toast.take_back)
        talk.close_confirmed.connect(self._on_close_confirmed)
        controller.lot_changed.connect(self._on_lot)
        controller.current_changed.connect(self._sync_actions)
        controller.session_changed.connect(self._sync_actions)
        controller.session_changed.connect(self._on_session)
        controller.following.holder_changed.connect(self._on_session)
        controller.people.needed.connect(talk.ask_operator)
        controller.people.changed.connect(self._on_people)
        # After a signature nothing can be undone.
        controller.writer.signed.connect(self._sync_actions)
        controller.settings_changed.connect(self._on_settings)
        controller.writer.signed.connect(self._sync_actions)
        controller.marks.changed.connect(self._sync_actions)
        controller.decisions.images.changed.connect(self._sync_actions)
        controller.decisions.second_needed.connect(talk.second_person)
        controller.runner.lane_changed.connect(self.status.set_lane)
        controller.runner.progress_changed.connect(self._sync_actions)

    # -- what happens ----------------------------------------------------------------------

    def _on_lot(self) -> None:
        self.pages.setCurrentWidget(self.workbench)
        if not self.controller.people.locked:
            self.panels["lot"].setFocus()
        self.retranslate_title()
        self._sync_actions()

    def _on_session(self, _changed: object) -> None:
        writer = self.controller.writer
        self.status.set_session(writer.record, writer.seal)
        live = self.controller.following.live
        self.progress.follow(self.controller.writer.record if live else None)

    def _on_again(self) -> None:
        if self.controller.current_id is not None:
            self.controller.inspect_again(self.controller.current_id)

    def _step_answer(self, delta: int) -> None:
        """Go to a neighbour among the images that the VLM and the VLG looked at."""
        walking = [panel for panel in self.panels.values() if panel.walks_answers]
        # Behind another's tab, or hidden, a panel has no visible part.
        seen = [panel for panel in walking if not panel.visibleRegion().isEmpty()]
        (seen or walking)[0].step(delta)

    def _on_systems(self, chosen: tuple[SystemName, ...]) -> None:
        settings = self.controller.settings
        self.controller.change(settings.model_copy(update={"systems": chosen}))

    # -- settings --------------------------------------------------------------------------

    def _take_settings(self) -> None:
        settings = self.controller.settings
        if settings.geometry:
            self.restoreGeometry(QByteArray.fromBase64(settings.geometry.encode("ascii")))
        self.workbench.restore_layout(settings.layout)
        self.actions_["overlay"].setChecked(settings.overlay)
        self.actions_["planes"].setChecked(settings.planes)
        self.actions_["boxes"].setChecked(True)
        self.actions_["lock"].setChecked(settings.layout_locked)
        self.actions_.languages[languages.current].setChecked(True)
        self.actions_.themes[settings.theme].setChecked(True)
        self._on_settings(settings)

    def _on_settings(self, current: Settings) -> None:
        self.start_page.show_recent(current.recent_lots)
        self.menus.show_systems(current.systems)
        self.menus.show_recent(current.recent_lots)

    def _on_people(self) -> None:
        people = self.controller.people
        self._show_person()
        if people.locked != bool(self.cover.currentIndex()):
            self.cover.setCurrentIndex(int(people.locked))
            # The keys of the review go on working where they did before.
            opened = self.controller.lot is not None
            (self.panels["lot"] if opened else self.start_page).setFocus()
        self.menus.allow(systems=people.may("settings"), shown=not people.locked)
        if people.locked:
            self.lock_page.ask()
        self._sync_actions()

    def _show_person(self) -> None:
        people = self.controller.people
        nobody = self.tr("Not signed in") if people.locked else ""
        self.status.set_operator(person_text(people.current) if people.current else nobody)

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
                    "planes": self.actions_["planes"].isChecked(),
                    "opacity": self.layers.opacity,
                }
            )
        )

    # -- words and colours -----------------------------------------------------------------

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        self.actions_.retranslate()
        self.menus.retranslate()
        self.status.retranslate()
        self._show_person()
        self.retranslate_title()
        # Why something may not be done is told in its tip.
        self._sync_actions()

    def retranslate_title(self) -> None:
        """Name the lot in the title bar."""
        name = self.tr("Battery inspection station")
        lot = self.controller.lot
        self.setWindowTitle(f"{told_name(lot.root.name)} – {name}" if lot else name)

    def _sync_actions(self, *_changed: object) -> None:
        self.actions_.offer(self.controller)

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
        if folder is not None and not self.controller.people.locked:
            event.acceptProposedAction()
            # After the drop: the other program waits until this returns.
            QTimer.singleShot(0, self, partial(self.controller.open_lot, folder))

    def closeEvent(self, event: QCloseEvent) -> None:
        """Qt: end the threads, keep the places; ask first where something is at stake."""
        if not self._close_confirmed and not self.conversations.may_close():
            event.ignore()
            return
        self.remember()
        # Hidden at once: to wait for the image in work may take seconds.
        self.hide()
        self.conversations.shut_down()
        self.controller.shut_down()
        event.accept()

    def _on_close_confirmed(self) -> None:
        # The question was answered: closing asks no more.
        self._close_confirmed = True
        self.close()


def _dropped_folder(event: QDragEnterEvent | QDropEvent) -> Path | None:
    for url in event.mimeData().urls():
        path = Path(url.toLocalFile())
        if url.isLocalFile() and path.is_dir():
            return path
    return None

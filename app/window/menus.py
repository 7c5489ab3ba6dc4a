"""The menu bar and the tool bar."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QAction, QHelpEvent
from PySide6.QtWidgets import QMenu, QMenuBar, QSizePolicy, QToolBar, QToolButton, QWidget

from app.actions import Actions
from app.wording import system_text
from inspection.results import SYSTEMS, SystemName

# None is a separator, a name in capitals a menu within.
MENUS: dict[str, tuple[str | None, ...]] = {
    "file": (
        *("open_lot", "RECENT", "open_packed", None),
        *("sign", "export", "pack", "back_up", None),
        *("hand_over", "lock_screen", "own_pin", "users", None, "quit"),
    ),
    "inspection": (
        *("start", "pause", "cancel", None, "again", "start_over", None),
        *("SYSTEMS", "models", "teach", "unload"),
    ),
    "review": (
        *("previous", "next", "suspicious", "conflict", "find", None),
        *("accept", "accept_next", "override", "change", "undo", "mark", None),
        *("confirm_slice", "confirm_view", None),
        *("findings", "operator"),
    ),
    "view": (
        *("overlay", "boxes", "worst", "compare", None, "slice_back", "slice_on", "axis"),
        *("view_back", "view_on", "answer_back", "answer_on", None),
        *("planes", "enlarge", "ruler", None),
        *("GREYS", "DOCKS", "lock", "reset_layout", None),
        *("LANGUAGE", "THEME"),
    ),
    "help": ("keys", "messages", None, "about"),
}
GREYS = ("level_up", "level_down", "width_up", "width_down", "reset_grey")
ICON_ONLY = ("pause", "cancel", "previous", "next", "compare")


class Menu(QMenu):
    """Says of what cannot be chosen why not; the tip of anything else would only say it twice."""

    def event(self, event: QEvent) -> bool:
        """Qt: something happens to the menu."""
        if isinstance(event, QHelpEvent):
            action = self.actionAt(event.pos())
            self.setToolTipsVisible(action is not None and not action.isEnabled())
        return super().event(event)


class Menus(QObject):
    """Fills the menu bar and words it."""

    systems_chosen = Signal(object)
    lot_wanted = Signal(object)

    def __init__(self, bar: QMenuBar, actions: Actions) -> None:
        super().__init__(bar)
        names = ("RECENT", "SYSTEMS", "GREYS", "DOCKS", "LANGUAGE", "THEME")
        self._inner = {name: QMenu(bar) for name in names}
        self._menus: dict[str, QMenu] = {}
        for name, entries in MENUS.items():
            self._menus[name] = menu = Menu(bar)
            bar.addMenu(menu)
            for entry in entries:
                if entry is None:
                    menu.addSeparator()
                elif entry in self._inner:
                    menu.addMenu(self._inner[entry])
                else:
                    menu.addAction(actions[entry])
        self._inner["GREYS"].addActions([actions[name] for name in GREYS])
        self._inner["LANGUAGE"].addActions(list(actions.languages.values()))
        self._inner["THEME"].addActions(list(actions.themes.values()))
        for system in SYSTEMS:
            action = QAction(self._inner["SYSTEMS"])
            action.setCheckable(True)
            action.setData(system)
            # Triggered, not toggled: `show_systems` ticks them without the operator.
            action.triggered.connect(self._on_system)
            self._inner["SYSTEMS"].addAction(action)

    @property
    def docks(self) -> QMenu:
        """The menu that shows and hides docks."""
        return self._inner["DOCKS"]

    def show_systems(self, chosen: Sequence[SystemName]) -> None:
        """Tick the systems that are switched on."""
        for action in self._inner["SYSTEMS"].actions():
            action.setChecked(action.data() in chosen)

    def show_recent(self, lots: Sequence[str]) -> None:
        """Offer the lots that were opened last."""
        menu = self._inner["RECENT"]
        menu.clear()
        for name in lots:
            action = menu.addAction(name)
            action.triggered.connect(partial(self.lot_wanted.emit, Path(name)))
        menu.setEnabled(bool(lots))

    def allow(self, *, systems: bool, shown: bool) -> None:
        """Offer the menus within.

        Parameters
        ----------
        systems : whether systems may be switched on and off
        shown : False while the screen is locked
        """
        self._inner["SYSTEMS"].setEnabled(systems and shown)
        self._inner["DOCKS"].setEnabled(shown)
        recent = self._inner["RECENT"]
        recent.setEnabled(shown and bool(recent.actions()))

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        words = {
            "file": self.tr("&File"),
            "inspection": self.tr("&Inspection"),
            "review": self.tr("&Review"),
            "view": self.tr("&View"),
            "help": self.tr("&Help"),
        }
        for name, menu in self._menus.items():
            menu.setTitle(words[name])
        self._inner["RECENT"].setTitle(self.tr("Recent lots"))
        self._inner["SYSTEMS"].setTitle(self.tr("Systems"))
        self._inner["GREYS"].setTitle(self.tr("Greys of CT pictures (display only)"))
        self._inner["DOCKS"].setTitle(self.tr("Docks"))
        self._inner["THEME"].setTitle(self.tr("Colours"))
        # In both languages at once, so that whoever is lost finds it.
        self._inner["LANGUAGE"].setTitle("Language · 언어")
        for action in self._inner["SYSTEMS"].actions():
            action.setText(system_text(action.data()))

    def _on_system(self) -> None:
        actions = self._inner["SYSTEMS"].actions()
        self.systems_chosen.emit(tuple(a.data() for a in actions if a.isChecked()))


class MainBar(QToolBar):
    """Open, run, progress, step, export: what is used all day.

    Parameters
    ----------
    progress : shown in the middle
    """

    def __init__(self, actions: Actions, progress: QWidget) -> None:
        super().__init__()
        self.setObjectName("main")
        self.setMovable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.addAction(actions["open_lot"])
        self.addSeparator()
        for name in ("start", "pause", "cancel"):
            self.addAction(actions[name])
        self.addWidget(progress)
        gap = QWidget()
        gap.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(gap)
        for name in ("previous", "next", "suspicious"):
            self.addAction(actions[name])
        self.addSeparator()
        self.addAction(actions["compare"])
        self.addAction(actions["export"])
        for name in ICON_ONLY:
            button = self.widgetForAction(actions[name])
            assert isinstance(button, QToolButton)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)

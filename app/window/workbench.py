"""The docks and their places: saved, lockable, resettable."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabWidget, QWidget

from app.widgets.panel import Panel

LAYOUT_VERSION = 2
LEFT, RIGHT = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
FEATURES = QDockWidget.DockWidgetFeature
MOVABLE = FEATURES.DockWidgetMovable | FEATURES.DockWidgetFloatable | FEATURES.DockWidgetClosable
SIDE_WIDTH = 396
VERDICT_WIDTH = 336
ASIDE = ("ct", "rgb", "vlm", "vlg", "scores")
"""Docks that make room for the comparison: three pictures need the width of all of them."""


class Workbench(QMainWindow):
    """Arranges panels as docks around nothing: every part can be moved, tabbed or floated.

    Parameters
    ----------
    panels : by name; lot, history, ct, rgb, vlm, vlg, comparison, scores and verdict
    """

    comparing_changed = Signal(bool)

    def __init__(self, panels: dict[str, Panel]) -> None:
        super().__init__()
        # Inside another window: not a window of its own.
        self.setWindowFlags(Qt.WindowType.Widget)
        self.setDockNestingEnabled(True)
        self.setDockOptions(
            QMainWindow.DockOption.AllowNestedDocks
            | QMainWindow.DockOption.AllowTabbedDocks
            | QMainWindow.DockOption.AnimatedDocks
        )
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        empty = QWidget()
        empty.setMaximumSize(0, 0)
        self.setCentralWidget(empty)
        empty.hide()
        self._panels = panels
        self.docks: dict[str, QDockWidget] = {}
        for name, panel in panels.items():
            dock = QDockWidget(panel.title())
            dock.setObjectName(name)
            dock.setWidget(panel)
            self.docks[name] = dock
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(0)
        self._settle.timeout.connect(self._dress_titles)
        for dock in self.docks.values():
            dock.dockLocationChanged.connect(self._settle.start)
            dock.topLevelChanged.connect(self._settle.start)
            dock.visibilityChanged.connect(self._settle.start)
        self._shared = False
        self._before: QByteArray | None = None
        toggle = self.docks["comparison"].toggleViewAction()
        toggle.toggled.connect(self._on_comparison_toggled)
        # Shown by `set_comparing` only, not from the list of docks.
        toggle.setVisible(False)
        self.reset()

    def reset(self) -> None:
        """Put every dock in its first place."""
        docks = self.docks
        self._before = None
        for dock in docks.values():
            dock.setFloating(False)
            self.removeDockWidget(dock)
        self.addDockWidget(LEFT, docks["lot"])
        self.splitDockWidget(docks["lot"], docks["comparison"], Qt.Orientation.Horizontal)
        self.splitDockWidget(docks["comparison"], docks["ct"], Qt.Orientation.Horizontal)
        self.splitDockWidget(docks["ct"], docks["rgb"], Qt.Orientation.Horizontal)
        self.splitDockWidget(docks["rgb"], docks["verdict"], Qt.Orientation.Horizontal)
        self.splitDockWidget(docks["ct"], docks["vlm"], Qt.Orientation.Vertical)
        self.splitDockWidget(docks["rgb"], docks["scores"], Qt.Orientation.Vertical)
        self.tabifyDockWidget(docks["lot"], docks["history"])
        self.tabifyDockWidget(docks["vlm"], docks["vlg"])
        for name, dock in docks.items():
            dock.setVisible(name != "comparison")
        for name in ("lot", "vlm"):
            docks[name].raise_()
        self._shared = False
        self._share()

    def _share(self) -> None:
        """Give the docks their first sizes, once it is known how much room there is."""
        if self._shared or not self.isVisible():
            return
        self._shared = True
        docks = self.docks
        side = min(SIDE_WIDTH, round(self.width() * 0.27))
        verdict = min(VERDICT_WIDTH, round(self.width() * 0.25))
        pictures = max(2, self.width() - side - verdict)
        self.resizeDocks(
            [docks["lot"], docks["ct"], docks["rgb"], docks["verdict"]],
            [side, round(pictures * 0.56), round(pictures * 0.44), verdict],
            Qt.Orientation.Horizontal,
        )
        height = max(4, self.height())
        self.resizeDocks(
            [docks["ct"], docks["vlm"], docks["rgb"], docks["scores"]],
            [round(height * 0.76), round(height * 0.24)] * 2,
            Qt.Orientation.Vertical,
        )

    @property
    def comparing(self) -> bool:
        """True while the comparison has the place of the other pictures."""
        return not self.docks["comparison"].isHidden()

    def set_comparing(self, on: bool) -> None:
        """Give the comparison the place of the other pictures, or give it back."""
        if on == self.comparing:
            return
        if on:
            # First, or the window would grow to hold them all.
            self._before = self.saveState(LAYOUT_VERSION)
            for name in ASIDE:
                # A floating dock is in nobody's way.
                if not self.docks[name].isFloating():
                    self.docks[name].hide()
        self.docks["comparison"].setVisible(on)

    def _on_comparison_toggled(self, on: bool) -> None:
        """However the comparison was closed, the pictures come back as they were."""
        if not on and self._before is not None:
            before, self._before = self._before, None
            # Shown one by one they would come back in other sizes.
            self.restoreState(before, LAYOUT_VERSION)
        self.comparing_changed.emit(on)

    def set_locked(self, locked: bool) -> None:
        """Hold the docks where they are, or let them move."""
        for dock in self.docks.values():
            dock.setFeatures(FEATURES.NoDockWidgetFeatures if locked else MOVABLE)

    def layout_text(self) -> str:
        """Return the places as text; a start begins with the pictures."""
        self.set_comparing(False)
        return bytes(self.saveState(LAYOUT_VERSION).toBase64().data()).decode("ascii")

    def restore_layout(self, text: str) -> bool:
        """Restore saved places; False where there are none or they do not fit."""
        if not text:
            return False
        state = QByteArray.fromBase64(text.encode("ascii", errors="replace"))
        self._shared = self.restoreState(state, LAYOUT_VERSION)
        return self._shared

    def _dress_titles(self) -> None:
        """A dock that has a tab needs no title besides."""
        for dock in self.docks.values():
            tabbed = bool(self.tabifiedDockWidgets(dock)) and not dock.isFloating()
            bare = dock.titleBarWidget() is not None
            if tabbed and not bare:
                dock.setTitleBarWidget(QWidget())
            elif bare and not tabbed:
                empty = dock.titleBarWidget()
                dock.setTitleBarWidget(None)
                empty.deleteLater()

    def showEvent(self, event: QShowEvent) -> None:
        """Qt: the room is known now."""
        super().showEvent(event)
        self._share()

    def changeEvent(self, event: QEvent) -> None:
        """Qt: the language has changed."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            for name, dock in self.docks.items():
                dock.setWindowTitle(self._panels[name].title())

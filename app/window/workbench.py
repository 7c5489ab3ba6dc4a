"""The docks and their places: saved, lockable, resettable."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QByteArray, QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabWidget, QWidget

from app.panels.dock import DockPanel

# Counted up when a dock changes its name: Qt takes no state of another version.
LAYOUT_VERSION = 2
FEATURES = QDockWidget.DockWidgetFeature
MOVABLE = FEATURES.DockWidgetMovable | FEATURES.DockWidgetFloatable | FEATURES.DockWidgetClosable
ORDER = ("right", "below", "tab")
"""A column is split once it stands beside its neighbours, and tabs come into what was split."""


class Workbench(QMainWindow):
    """Arranges panels as docks around nothing: every part can be moved, tabbed or floated.

    Parameters
    ----------
    panels : by name
    """

    comparing_changed = Signal(bool)

    def __init__(self, panels: Mapping[str, DockPanel]) -> None:
        super().__init__()
        # Inside another window: not a window of its own.
        self.setWindowFlags(Qt.WindowType.Widget)
        self.setDockNestingEnabled(True)
        # Not animated, as the style sheet has it too: without it Qt still makes animations, of no
        # duration, and a dock that is deleted with one ends the program.
        self.setDockOptions(
            QMainWindow.DockOption.AllowNestedDocks | QMainWindow.DockOption.AllowTabbedDocks
        )
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        # Qt lays docks out around a widget in the middle; the docks are all there is.
        empty = QWidget()
        empty.setMaximumSize(0, 0)
        self.setCentralWidget(empty)
        empty.hide()
        # Qt tells of tabs one by one, before they are where they will be: look once they are.
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(0)
        self._settle.timeout.connect(self._dress_titles)
        # Not while Qt is still at hiding the comparison: places that are restored meanwhile delete
        # what it is at, and Qt ends the program.
        self._bring_back = QTimer(self)
        self._bring_back.setSingleShot(True)
        self._bring_back.setInterval(0)
        self._bring_back.timeout.connect(self._restore_pictures)
        self._panels = panels
        self.docks: dict[str, QDockWidget] = {}
        for name, panel in panels.items():
            dock = self.docks[name] = QDockWidget(panel.title())
            dock.setObjectName(name)
            dock.setWidget(panel)
            dock.dockLocationChanged.connect(self._settle.start)
            dock.topLevelChanged.connect(self._settle.start)
            dock.visibilityChanged.connect(self._settle.start)
        self._shared = False
        self._before: QByteArray | None = None
        self._comparison = next(
            self.docks[name] for name, panel in panels.items() if panel.room == "takes"
        )
        toggle = self._comparison.toggleViewAction()
        toggle.toggled.connect(self._on_comparison_toggled)
        # Shown by `set_comparing` only, not from the list of docks.
        toggle.setVisible(False)
        self.reset()

    def reset(self) -> None:
        """Put every dock in its first place."""
        self._before = None
        self._bring_back.stop()
        for dock in self.docks.values():
            dock.setFloating(False)
            self.removeDockWidget(dock)
        orientations = {"right": Qt.Orientation.Horizontal, "below": Qt.Orientation.Vertical}
        places = {name: panel.place for name, panel in self._panels.items()}
        for name, place in sorted(places.items(), key=lambda item: ORDER.index(item[1].side)):
            dock = self.docks[name]
            if not place.of:
                self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
            elif place.side == "tab":
                self.tabifyDockWidget(self.docks[place.of], dock)
            else:
                self.splitDockWidget(self.docks[place.of], dock, orientations[place.side])
        for dock in self.docks.values():
            dock.setVisible(dock is not self._comparison)
        for place in places.values():
            if place.side == "tab":
                self.docks[place.of].raise_()
        self._shared = False
        self._share()

    def _share(self) -> None:
        """Give the docks their first sizes, once it is known how much room there is."""
        if self._shared or not self.isVisible():
            return
        self._shared = True
        widths: dict[str, int] = {}
        heights: dict[str, int] = {}
        pictures: dict[str, float] = {}
        height = max(4, self.height())
        for name, panel in self._panels.items():
            place = panel.place
            if place.share is None:
                continue
            if place.side == "below":
                heights[place.of] = round(height * (1 - place.share))
                heights[name] = round(height * place.share)
            elif place.widest is not None:
                widths[name] = min(place.widest, round(self.width() * place.share))
            else:
                pictures[name] = place.share
        left = max(2, self.width() - sum(widths.values()))
        widths |= {name: round(left * share) for name, share in pictures.items()}
        side_by_side = [name for name in self._panels if name in widths]
        self.resizeDocks(
            [self.docks[name] for name in side_by_side],
            [widths[name] for name in side_by_side],
            Qt.Orientation.Horizontal,
        )
        self.resizeDocks(
            [self.docks[name] for name in heights],
            list(heights.values()),
            Qt.Orientation.Vertical,
        )

    @property
    def comparing(self) -> bool:
        """True while the comparison has the place of the other pictures."""
        return not self._comparison.isHidden()

    def set_comparing(self, on: bool) -> None:
        """Give the comparison the place of the other pictures, or give it back."""
        if not self.comparing:
            self._restore_pictures()
        if on == self.comparing:
            return
        if on:
            # First, or the window would grow to hold them all.
            self._before = self.saveState(LAYOUT_VERSION)
            for name, dock in self.docks.items():
                # A floating dock is in nobody's way.
                if self._panels[name].room == "makes" and not dock.isFloating():
                    dock.hide()
        self._comparison.setVisible(on)
        self._restore_pictures()

    def _on_comparison_toggled(self, on: bool) -> None:
        """However the comparison was closed, the pictures come back as they were."""
        if not on:
            self._bring_back.start()
        self.comparing_changed.emit(on)

    def _restore_pictures(self) -> None:
        self._bring_back.stop()
        if self._before is not None and not self.comparing:
            before, self._before = self._before, None
            # Shown one by one they would come back in other sizes.
            self.restoreState(before, LAYOUT_VERSION)

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
            bare = dock.titleBarWidget()
            if tabbed and bare is None:
                dock.setTitleBarWidget(QWidget())
            elif bare is not None and not tabbed:
                # Qt takes None for its own title bar; PySide's stubs do not say so.
                dock.setTitleBarWidget(None)  # type: ignore[arg-type]
                bare.deleteLater()

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

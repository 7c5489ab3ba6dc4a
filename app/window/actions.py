"""Everything the operator can do: words, keys and icons in one place."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow

from app.dialogs.shortcuts import key_text
from app.run_bridge import RunPhase
from app.theme import icon, tokens

# name -> (icon, keys). A letter typed into a text field stays in the field: Qt asks it first.
SPECS: dict[str, tuple[str, tuple[str, ...]]] = {
    "open_lot": ("open", ("Ctrl+O",)),
    "export": ("report", ("Ctrl+E",)),
    "quit": ("", ("Ctrl+Q",)),
    "start": ("start", ("F5",)),
    "pause": ("pause", ("F6",)),
    "cancel": ("cancel", ("Shift+F5",)),
    "again": ("retry", ("Ctrl+R",)),
    "start_over": ("", ()),
    "unload": ("", ()),
    "models": ("models", ("Ctrl+M",)),
    "previous": ("previous", ("Up", "K")),
    "next": ("next", ("Down", "J")),
    "suspicious": ("suspicious", ("N",)),
    "conflict": ("conflict", ("Shift+N",)),
    "accept": ("accept", ("A",)),
    "accept_next": ("", ("Return", "Enter")),
    "override": ("override", ("O",)),
    "undo": ("undo", ("Ctrl+Z",)),
    "slice_back": ("", ("Left",)),
    "slice_on": ("", ("Right",)),
    "view_back": ("", ("Shift+Left",)),
    "view_on": ("", ("Shift+Right",)),
    "answer_back": ("", ("Ctrl+Left",)),
    "answer_on": ("", ("Ctrl+Right",)),
    "axis": ("", ("X",)),
    "worst": ("worst", ("W",)),
    "overlay": ("overlay", ("H",)),
    "boxes": ("boxes", ("B",)),
    "compare": ("compare", ("C",)),
    "find": ("search", ("Ctrl+F",)),
    "operator": ("person", ()),
    "findings": ("warning", ()),
    "lock": ("", ()),
    "reset_layout": ("", ()),
    "keys": ("keys", ("F1",)),
    "about": ("info", ()),
}
CHECKABLE = ("pause", "overlay", "boxes", "compare", "lock")
REPEATED = ("slice", "view", "answer")
GROUPS = (
    (
        *("previous", "next", "suspicious", "conflict"),
        *("accept", "accept_next", "override", "undo", "find"),
    ),
    (
        *("slice_back", "slice_on", "view_back", "view_on", "answer_back", "answer_on"),
        *("axis", "worst", "overlay", "boxes", "compare"),
    ),
    ("open_lot", "start", "pause", "cancel", "again", "models", "export", "keys", "quit"),
)


class Actions(QObject):
    """The window's actions by name."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._by_name: dict[str, QAction] = {}
        for name, (_, keys) in SPECS.items():
            action = QAction(window)
            action.setObjectName(name)
            action.setShortcuts([QKeySequence(key) for key in keys])
            action.setCheckable(name in CHECKABLE)
            action.setAutoRepeat(name in ("previous", "next") or name.startswith(REPEATED))
            window.addAction(action)
            self._by_name[name] = action
        self.languages = self._choice(window, ("en", "ko"))
        self.themes = self._choice(window, ("system", "light", "dark"))
        self.retranslate()
        self.restyle()

    def __getitem__(self, name: str) -> QAction:
        return self._by_name[name]

    def _choice(self, window: QMainWindow, names: tuple[str, ...]) -> dict[str, QAction]:
        group = QActionGroup(window)
        made = {}
        for name in names:
            action = QAction(group)
            action.setCheckable(True)
            action.setData(name)
            made[name] = action
        return made

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        for name, text in self._words().items():
            action = self._by_name[name]
            action.setText(text)
            plain = text.replace("...", "").strip()
            keys = key_text(action)
            action.setToolTip(f"{plain} ({keys})" if keys else plain)
        # A language is named in itself, so that whoever is lost finds it.
        self.languages["en"].setText("English")
        self.languages["ko"].setText("한국어")
        self.themes["system"].setText(self.tr("As the desktop"))
        self.themes["light"].setText(self.tr("Light"))
        self.themes["dark"].setText(self.tr("Dark"))

    def _words(self) -> dict[str, str]:
        return {
            "open_lot": self.tr("Open lot ..."),
            "export": self.tr("Export report ..."),
            "quit": self.tr("Quit"),
            "start": self.tr("Start inspection"),
            "pause": self.tr("Pause"),
            "cancel": self.tr("Cancel inspection"),
            "again": self.tr("Inspect this battery again"),
            "start_over": self.tr("Inspect the whole lot again, in a new session"),
            "unload": self.tr("Unload the models"),
            "models": self.tr("Models ..."),
            "previous": self.tr("Previous battery"),
            "next": self.tr("Next battery"),
            "suspicious": self.tr("Next suspicious"),
            "conflict": self.tr("Next conflict of the systems"),
            "accept": self.tr("Accept"),
            "accept_next": self.tr("Accept and go on"),
            "override": self.tr("Override ..."),
            "undo": self.tr("Undo"),
            "slice_back": self.tr("Previous slice"),
            "slice_on": self.tr("Next slice"),
            "view_back": self.tr("Previous view"),
            "view_on": self.tr("Next view"),
            "answer_back": self.tr("Previous image of the VLM and VLG"),
            "answer_on": self.tr("Next image of the VLM and VLG"),
            "axis": self.tr("Next axis"),
            "worst": self.tr("Worst slice and view"),
            "overlay": self.tr("Heat-map"),
            "boxes": self.tr("Boxes"),
            "compare": self.tr("Compare the systems"),
            "find": self.tr("Search the lot"),
            "operator": self.tr("Operator ..."),
            "findings": self.tr("Findings of the intake ..."),
            "lock": self.tr("Lock the layout"),
            "reset_layout": self.tr("Reset the layout"),
            "keys": self.tr("Keys"),
            "about": self.tr("About"),
        }

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        for name, (drawn, _) in SPECS.items():
            if drawn:
                colour = tokens().accent if name == "start" else ""
                self._by_name[name].setIcon(icon(drawn, colour))

    def enable(
        self,
        *,
        phase: RunPhase,
        has_lot: bool,
        has_session: bool,
        writable: bool,
        may_accept: bool,
        may_decide: bool,
        may_undo: bool,
    ) -> None:
        """Offer only what can be done now."""
        running = phase in ("running", "paused")
        offered = dict.fromkeys(
            ("start", "start_over", "again"), phase == "idle" and has_lot and writable
        )
        offered |= dict.fromkeys(("pause", "cancel"), running)
        offered |= dict.fromkeys(
            ("previous", "next", "suspicious", "conflict", "find", "findings"), has_lot
        )
        offered |= dict.fromkeys(("accept", "accept_next"), may_accept)
        offered |= {"override": may_decide, "undo": may_undo, "export": has_session}
        offered |= dict.fromkeys(("open_lot", "unload"), phase == "idle")
        for name, on in offered.items():
            self._by_name[name].setEnabled(on)
        self._by_name["pause"].setChecked(phase == "paused")

    def sheet(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return the keys in groups, for the sheet."""
        titles = (self.tr("Reviewing"), self.tr("Pictures"), self.tr("Station"))
        sheet = []
        for title, names in zip(titles, GROUPS, strict=True):
            entries = []
            for name in names:
                action = self._by_name[name]
                entries.append((action.text().replace("...", "").strip(), key_text(action)))
            sheet.append((title, entries))
        sheet[1][1].append((self.tr("Bare picture while held"), self.tr("Space")))
        sheet[1][1].append((self.tr("Zoom; with Ctrl, step"), self.tr("Wheel")))
        return sheet

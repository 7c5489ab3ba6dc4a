"""Everything the operator can do: words, keys and icons in one place."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow

from app.controller import Controller
from app.theme import icon, tokens
from app.wording import message_text
from inspection.people.roles import Deed
from inspection.records import Modality

CHECKABLE = (
    "pause",
    "overlay",
    "boxes",
    "compare",
    "lock",
    "mark",
    "planes",
    "ruler",
    "confirm_slice",
    "confirm_view",
)
OF_A_PART = ("accept_next",)
"""Keys that count where a part of the window has the focus, which takes the action to itself."""
DEEDS: dict[str, Deed] = {
    **dict.fromkeys(("start", "start_over", "again", "pause", "cancel"), "start"),
    **dict.fromkeys(("accept", "override", "confirm_slice", "confirm_view"), "decide"),
    **dict.fromkeys(("models", "teach", "unload"), "models"),
    "change": "change_decision",
    "undo": "undo",
    "sign": "sign",
    **dict.fromkeys(("export", "pack"), "export"),
    "back_up": "keeping",
    "users": "users",
}
"""What a person needs the right to; everything else anybody who is signed in may do."""
CONFIRMING: dict[str, Modality] = {"confirm_slice": "ct", "confirm_view": "rgb"}
WHILE_LOCKED = ("quit", "keys", "about")
REPEATED = ("slice", "view", "answer", "level", "width")
GROUPS = (
    (
        *("previous", "next", "suspicious", "conflict"),
        *("accept", "accept_next", "override", "change", "undo", "mark", "find"),
        *("confirm_slice", "confirm_view"),
    ),
    (
        *("slice_back", "slice_on", "view_back", "view_on", "answer_back", "answer_on"),
        *("axis", "worst", "overlay", "boxes", "compare", "planes", "enlarge", "ruler"),
        *("level_up", "level_down", "width_up", "width_down", "reset_grey"),
    ),
    (
        *("open_lot", "start", "pause", "cancel", "again", "models", "teach", "sign", "export"),
        *("hand_over", "lock_screen", "keys", "quit"),
    ),
)


class Actions(QObject):
    """The window's actions by name."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._by_name: dict[str, QAction] = {}
        for name, (_, keys, _) in self._specs().items():
            action = QAction(window)
            action.setObjectName(name)
            action.setShortcuts([QKeySequence(key) for key in keys])
            action.setCheckable(name in CHECKABLE)
            action.setAutoRepeat(name in ("previous", "next") or name.startswith(REPEATED))
            if name in OF_A_PART:
                action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            else:
                window.addAction(action)
            self._by_name[name] = action
        self.languages: dict[str, QAction] = {}
        self.themes: dict[str, QAction] = {}
        for choice, names in (
            (self.languages, ("en", "ko")),
            (self.themes, ("system", "light", "dark")),
        ):
            group = QActionGroup(window)
            for name in names:
                choice[name] = QAction(group)
                choice[name].setCheckable(True)
        self.retranslate()
        self.restyle()

    def __getitem__(self, name: str) -> QAction:
        return self._by_name[name]

    def _specs(self) -> dict[str, tuple[str, tuple[str, ...], str]]:
        """Return each action's icon, keys and words.

        A letter typed into a text field stays in the field: Qt asks it first.
        """
        return {
            "open_lot": ("open", ("Ctrl+O",), self.tr("Open lot ...")),
            "export": ("report", ("Ctrl+E",), self.tr("Export report ...")),
            "pack": ("", (), self.tr("Export the session as a sealed zip ...")),
            "open_packed": ("", (), self.tr("Open a packed session ...")),
            "back_up": ("", (), self.tr("Back up the station ...")),
            "quit": ("", ("Ctrl+Q",), self.tr("Quit")),
            "start": ("start", ("F5",), self.tr("Start inspection")),
            "pause": ("pause", ("F6",), self.tr("Pause")),
            "cancel": ("cancel", ("Shift+F5",), self.tr("Cancel inspection")),
            "again": ("retry", ("Ctrl+R",), self.tr("Inspect this battery again")),
            "start_over": ("", (), self.tr("Inspect the whole lot again, in a new session")),
            "unload": ("", (), self.tr("Unload the models")),
            "models": ("models", ("Ctrl+M",), self.tr("Models ...")),
            "teach": ("teach", ("Ctrl+T",), self.tr("Teach ...")),
            "previous": ("previous", ("Up", "K"), self.tr("Previous battery")),
            "next": ("next", ("Down", "J"), self.tr("Next battery")),
            "suspicious": ("suspicious", ("N",), self.tr("Next suspicious")),
            "conflict": ("conflict", ("Shift+N",), self.tr("Next conflict of the systems")),
            "accept": ("accept", ("A",), self.tr("Accept")),
            "accept_next": ("", ("Return", "Enter"), self.tr("Accept or decide, and go on")),
            "override": ("override", ("O",), self.tr("Decide ...")),
            "change": ("override", ("Shift+O",), self.tr("Change the decision ...")),
            "undo": ("undo", ("Ctrl+Z",), self.tr("Undo")),
            "mark": ("boxes", ("M",), self.tr("Mark a region")),
            "confirm_slice": ("accept", ("G",), self.tr("Confirm this slice as normal")),
            "confirm_view": ("accept", ("Shift+G",), self.tr("Confirm this view as normal")),
            "leave_mark": ("", ("Esc",), self.tr("Leave marking")),
            "drop_corner": ("", ("Backspace",), self.tr("Take a corner back")),
            "slice_back": ("", ("Left",), self.tr("Previous slice")),
            "slice_on": ("", ("Right",), self.tr("Next slice")),
            "view_back": ("", ("Shift+Left",), self.tr("Previous view")),
            "view_on": ("", ("Shift+Right",), self.tr("Next view")),
            "answer_back": ("", ("Ctrl+Left",), self.tr("Previous image of the VLM and VLG")),
            "answer_on": ("", ("Ctrl+Right",), self.tr("Next image of the VLM and VLG")),
            "axis": ("", ("X",), self.tr("Next axis")),
            "worst": ("worst", ("W",), self.tr("Worst slice and view")),
            "overlay": ("overlay", ("H",), self.tr("Heat-map")),
            "boxes": ("boxes", ("B",), self.tr("Boxes")),
            "compare": ("compare", ("C",), self.tr("Compare the systems")),
            "planes": ("planes", ("P",), self.tr("Three planes of CT")),
            "enlarge": ("", ("L",), self.tr("One plane large")),
            "ruler": ("ruler", ("R",), self.tr("Ruler")),
            "level_up": ("", (".",), self.tr("CT darker (level up)")),
            "level_down": ("", (",",), self.tr("CT brighter (level down)")),
            "width_up": ("", ("]",), self.tr("CT with less contrast (width up)")),
            "width_down": ("", ("[",), self.tr("CT with more contrast (width down)")),
            "reset_grey": ("contrast", ("0",), self.tr("CT greys as inspected")),
            "find": ("search", ("Ctrl+F",), self.tr("Search the lot")),
            "operator": ("person", (), self.tr("Operator ...")),
            "hand_over": ("person", ("Ctrl+H",), self.tr("Hand over ...")),
            "lock_screen": ("lock", ("Ctrl+L",), self.tr("Lock the screen")),
            "own_pin": ("", (), self.tr("Change my PIN ...")),
            "users": ("", (), self.tr("Users ...")),
            "sign": ("sign", ("Ctrl+S",), self.tr("Sign the session ...")),
            "findings": ("warning", (), self.tr("Findings of the intake ...")),
            "lock": ("", (), self.tr("Lock the layout")),
            "reset_layout": ("", (), self.tr("Reset the layout")),
            "keys": ("keys", ("F1",), self.tr("Keys")),
            "messages": ("session", (), self.tr("Messages ...")),
            "about": ("info", (), self.tr("About")),
        }

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        for name, (_, _, text) in self._specs().items():
            action = self._by_name[name]
            action.setText(text)
            action.setToolTip(self._tip(name))
        # A language is named in itself, so that whoever is lost finds it.
        self.languages["en"].setText("English")
        self.languages["ko"].setText("한국어")
        self.themes["system"].setText(self.tr("As the desktop"))
        self.themes["light"].setText(self.tr("Light"))
        self.themes["dark"].setText(self.tr("Dark"))

    def _tip(self, name: str) -> str:
        action = self._by_name[name]
        plain = action.text().replace("...", "").strip()
        keys = key_text(action)
        return f"{plain} ({keys})" if keys else plain

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        for name, (drawn, _, _) in self._specs().items():
            if drawn:
                colour = tokens().accent if name == "start" else ""
                self._by_name[name].setIcon(icon(drawn, colour))

    def offer(self, controller: Controller) -> None:
        """Offer only what can be done now."""
        phase, has_lot = controller.runner.phase, controller.lot is not None
        writer, decisions = controller.writer, controller.decisions
        running = phase in ("running", "paused")
        offered = dict.fromkeys(
            ("start", "start_over", "again"), phase == "idle" and has_lot and not writer.read_only
        )
        offered |= dict.fromkeys(("pause", "cancel"), running)
        offered |= dict.fromkeys(
            ("previous", "next", "suspicious", "conflict", "find", "findings"), has_lot
        )
        offered |= {"accept": decisions.may_accept, "accept_next": has_lot}
        offered |= {"override": decisions.may_decide, "change": decisions.may_change}
        offered |= {"undo": decisions.may_undo}
        offered["mark"] = decisions.may_decide or decisions.may_change
        offered |= dict.fromkeys(("leave_mark", "drop_corner"), controller.marks.active)
        offered |= {
            name: decisions.images.may_say(modality) for name, modality in CONFIRMING.items()
        }
        offered |= dict.fromkeys(("export", "pack"), writer.record is not None)
        offered |= dict.fromkeys(("open_lot", "open_packed", "unload"), phase == "idle")
        offered["sign"] = writer.record is not None and not writer.read_only and not running
        people = controller.people
        for name, action in self._by_name.items():
            deed = DEEDS.get(name)
            forbidden = people.why_not(deed) if deed else None
            hidden = people.locked and name not in WHILE_LOCKED
            action.setEnabled(offered.get(name, True) and forbidden is None and not hidden)
            action.setToolTip(message_text(forbidden) if forbidden else self._tip(name))
        for name in ("hand_over", "lock_screen", "own_pin", "users"):
            self._by_name[name].setVisible(people.config.sign_in)
        self._by_name["operator"].setVisible(not people.config.sign_in)
        for name in ("enlarge", "ruler"):
            self._by_name[name].setEnabled(
                self._by_name[name].isEnabled() and self._by_name["planes"].isChecked()
            )
        self._by_name["pause"].setChecked(phase == "paused")
        self._by_name["mark"].setChecked(controller.marks.active)
        for name, modality in CONFIRMING.items():
            self._by_name[name].setChecked(decisions.images.is_normal(modality))

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
        sheet[1][1].append((self.tr("Level (up, down) and width of CT"), self.tr("Right-drag")))
        sheet[1][1].append((self.tr("Crosshair of the planes"), self.tr("Click, drag")))
        sheet[1][1].append((self.tr("Planes moved"), self.tr("Middle-drag")))
        sheet[1][1].append((self.tr("Zoom; with Ctrl, step"), self.tr("Wheel")))
        return sheet


def key_text(action: QAction) -> str:
    """Return an action's keys as the desktop writes them."""
    return ", ".join(
        key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts()
    )

"""A person's own verdict on a battery: kind, type, reason, comment, and a region as evidence."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QPlainTextEdit, QRadioButton, QWidget

from app.dialogs.frame import DialogFrame
from app.lot.review import Row
from app.people.decision_words import decision_details, decision_words, region_words, verdict_words
from app.people.decisions import Word, needs_reason, occasion_of
from app.people.region_marks import RegionMarks
from app.widgets.panel import button, fill, label, line
from app.wording import DASH, class_text, kind_text, languages
from inspection.classes import class_table
from inspection.reasons import reasons
from inspection.results import DEFECT_KINDS, Kind

KINDS: tuple[Kind, ...] = ("normal", *DEFECT_KINDS)
"""Chosen by the digits 1 to 4."""
COMMENT_HEIGHT = 60
INDENT = 24


class DecisionDialog(DialogFrame):
    """Asks for what a person says of a battery: where it is open, and over what stands.

    It chooses nothing by itself. By keyboard: a digit for the verdict, then the reason where one
    is required, then Enter.

    Parameters
    ----------
    row : the battery
    marks : where the region comes from
    """

    decided = Signal(str, object)

    def __init__(self, parent: QWidget, row: Row, marks: RegionMarks) -> None:
        super().__init__(parent, width=480)
        self._row, self._marks = row, marks
        self._occasion = occasion_of(row)
        self._marking = False
        self.verdict = self.add_text("", "muted")
        if row.decision is not None:
            self._add_standing()
        self._add_verdict()
        self._add_words()
        self._add_region()
        self.cancel = self.add_button(self.tr("Cancel"), self.reject)
        self.confirm = self.add_button("", self._decide, primary=True)
        self._tell_row()
        marks.changed.connect(self._show_region)
        marks.ended.connect(self._on_marked)
        self._show_region()
        self.kinds["normal"].setFocus()

    def take_row(self, row: Row) -> None:
        """Take what is said of the battery by now: its verdict may come while this is open."""
        before = self._row
        if row.battery_id != before.battery_id or not (self.isVisible() or self._marking):
            return
        if row.decision != before.decision:
            # What this would have been said over is not what stands any more.
            self.reject()
        elif (row.kind, row.defect_type) != (before.kind, before.defect_type):
            self._row, self._occasion = row, occasion_of(row)
            self._tell_row()
            self._offer()

    def _tell_row(self) -> None:
        """Word what depends on what is said of the battery so far."""
        row = self._row
        title, confirm = {
            "decide": (self.tr("Decide on {id}"), self.tr("Decide")),
            "override": (self.tr("Override the verdict on {id}"), self.tr("Override")),
            "change": (self.tr("Change the decision on {id}"), self.tr("Change")),
        }[self._occasion]
        self.setWindowTitle(title.format(id=row.battery_id))
        self.confirm.setText(confirm)
        verdict = verdict_words(row.kind, row.defect_type) if row.kind else self.tr("none")
        told = self.tr("Verdict of the station: {verdict}")
        self.verdict.setText(told.format(verdict=verdict))
        required = needs_reason(self._occasion)
        self._reason_label.setText(
            self.tr("Reason (required)") if required else self.tr("Reason (if there is one)")
        )

    # -- its parts -------------------------------------------------------------------------

    def _add_standing(self) -> None:
        decision = self._row.decision
        assert decision is not None  # asked before
        told = [decision_words(decision), *decision_details(decision)]
        self.add_text(self.tr("Decided already"), "section")
        self.add_text("\n".join(told)).setTextFormat(Qt.TextFormat.PlainText)
        self.add_text(self.tr("It stays in the record; yours takes its place."), "muted")

    def _add_verdict(self) -> None:
        self.add_text(self.tr("Your verdict"), "section")
        self.defect = QRadioButton(self.tr("Defect"))
        self.kinds: dict[Kind, QRadioButton] = {}
        for number, kind in enumerate(KINDS, start=1):
            self.kinds[kind] = QRadioButton(f"{number}  {kind_text(kind)}")
            self.kinds[kind].toggled.connect(partial(self._on_kind, kind))
            digit = QShortcut(QKeySequence(str(number)), self)
            digit.activated.connect(partial(self._choose, kind))
        self.defect.toggled.connect(self._on_defect)
        # Of three, one is chosen; a parent of their own keeps them apart from the two above.
        self._which = QWidget()
        which = line(*(self.kinds[kind] for kind in DEFECT_KINDS), None)
        which.setContentsMargins(INDENT, 0, 0, 0)
        self._which.setLayout(which)
        self.type = QComboBox()
        self.type.currentIndexChanged.connect(self._sync)
        self._type_label = label("muted", text=self.tr("Defect type"))
        of_type = line(self._type_label, (self.type, 1))
        of_type.setContentsMargins(INDENT, 0, 0, 0)
        fill(self.body, self.kinds["normal"], self.defect, self._which, of_type)

    def _add_words(self) -> None:
        self._reason_label = self.add_text("", "section")
        self.reason = QComboBox()
        self.reason.setEditable(True)
        self.reason.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        written = self.reason.lineEdit()
        assert written is not None  # it is editable
        written.setPlaceholderText(self.tr("Choose a reason or write one"))
        self.reason.editTextChanged.connect(self._sync)
        self.body.addWidget(self.reason)
        self.add_text(self.tr("Comment"), "section")
        self.comment = QPlainTextEdit()
        self.comment.setFixedHeight(COMMENT_HEIGHT)
        self.comment.setTabChangesFocus(True)
        self.body.addWidget(self.comment)
        for keys in ("Ctrl+Return", "Ctrl+Enter"):
            QShortcut(QKeySequence(keys), self).activated.connect(self._decide)

    def _add_region(self) -> None:
        self.add_text(self.tr("Region on a picture"), "section")
        self.region = label("muted", wrap=True)
        self.region.setTextFormat(Qt.TextFormat.PlainText)
        self.mark = button(text=self.tr("Mark (M)"))
        self.mark.clicked.connect(self._on_mark)
        QShortcut(QKeySequence("M"), self).activated.connect(self._on_mark)
        self.unmark = button("flat", text=self.tr("Remove"))
        self.unmark.clicked.connect(self._marks.clear)
        self.body.addLayout(line((self.region, 1), self.unmark, self.mark))

    # -- what happens ----------------------------------------------------------------------

    @property
    def chosen(self) -> Kind | None:
        """The verdict that is chosen."""
        if self.defect.isChecked():
            return next((k for k in DEFECT_KINDS if self.kinds[k].isChecked()), None)
        return "normal" if self.kinds["normal"].isChecked() else None

    def _choose(self, kind: Kind) -> None:
        """Take a verdict by its digit, and go to what is missing still."""
        self.kinds[kind].setChecked(True)
        missing = needs_reason(self._occasion) and not self.reason.currentText().strip()
        (self.reason if missing else self.kinds[kind]).setFocus()

    def _on_kind(self, kind: Kind, on: bool) -> None:
        if on and kind != "normal":
            self.defect.setChecked(True)
        self._offer()

    def _on_defect(self, on: bool) -> None:
        if not on:
            for kind in DEFECT_KINDS:
                choice = self.kinds[kind]
                # One of an exclusive group cannot be let go otherwise.
                choice.setAutoExclusive(False)
                choice.setChecked(False)
                choice.setAutoExclusive(True)
        self._offer()

    def _offer(self) -> None:
        """Offer the types and reasons of the verdict that is chosen."""
        kind, written, named = self.chosen, self.reason.currentText(), self.type.currentData()
        before = [self.reason.itemText(place) for place in range(self.reason.count())]
        offered = reasons().offered(kind, self._occasion, languages.current) if kind else []
        self.reason.clear()
        self.reason.addItems(offered)
        # Nothing is said until it is chosen; one's own words stay.
        self.reason.setCurrentIndex(-1)
        self.reason.setEditText("" if written in before and written not in offered else written)
        self.type.clear()
        if kind in DEFECT_KINDS:
            names = _types(kind, self._row)
            self.type.addItem(self.tr("Not named"), None)
            for name in names:
                self.type.addItem(class_text(name), name)
            likely = named if named in names else self._row.defect_type
            self.type.setCurrentIndex(max(0, self.type.findData(likely)))
        self._sync()

    def _sync(self) -> None:
        is_defect = self.chosen in DEFECT_KINDS
        self._type_label.setEnabled(is_defect)
        self.type.setEnabled(is_defect)
        self.confirm.setEnabled(self._word() is not None)

    def _word(self) -> Word | None:
        """Return what is said; None while something is missing, or as long as it says nothing."""
        kind, row, reason = self.chosen, self._row, self.reason.currentText().strip()
        if kind is None or (needs_reason(self._occasion) and not reason):
            return None
        region = self._marks.marked
        comment = self.comment.toPlainText().strip()
        word = Word(kind, self.type.currentData(), reason, comment, region)
        stands = row.decision
        if stands is not None:
            same = word.repeats(stands.kind, stands.defect_type) and region in (None, stands.region)
            return None if same and not stands.is_outdated(row.kind) else word
        # What the station has said already would be no override.
        repeated = self._occasion == "override" and word.repeats(row.kind, row.defect_type)
        return None if repeated else word

    def _decide(self) -> None:
        word = self._word()
        if word is not None:
            self.decided.emit(self._row.battery_id, word)
            self.accept()

    # -- the region ------------------------------------------------------------------------

    def _show_region(self) -> None:
        marked = self._marks.marked
        self.region.setText(region_words(marked) if marked else DASH)
        self.unmark.setVisible(marked is not None)
        self._sync()

    def _on_mark(self) -> None:
        # Out of the way: a region is marked on the pictures of the window below.
        self._marking = True
        self.hide()
        self._marks.set_active(True)

    def _on_marked(self) -> None:
        if self._marking:
            self._marking = False
            self.open()


def _types(kind: Kind, row: Row) -> list[str]:
    """Return the types of defect that a battery of its sort can have."""
    table = class_table()
    names = {
        "internal_defect": table.ct_defects,
        "external_defect": table.rgb_defects,
        "composite_defect": table.all_defects,
    }[kind]
    body = row.battery.battery_type
    return [name for name in names if not body or table.rows[name].battery_type in (None, body)]

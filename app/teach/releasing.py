"""Fourth page: the comparison that a release rests on, and who signs for it where somebody must."""

from __future__ import annotations

import json
from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QTreeWidgetItem, QWidget

from app.people.people import People
from app.widgets.panel import column, label, table
from app.widgets.sign_in_form import SignInForm
from app.wording import DASH, message_text
from inspection.errors import InspectionError
from inspection.messages import Message
from inspection.modelstore.release_records import Comparison, Difference, Outcomes


class ReleasingPage(QWidget):
    """What the trainer has compared."""

    signed = Signal(str, str)
    """Name and PIN of whoever signs."""

    def __init__(self) -> None:
        super().__init__()
        self.comparison: Comparison | None = None
        self._on = label(wrap=True)
        heads = (self.tr("New model"), self.tr("In use"), self.tr("Difference (95 %)"))
        self.figures = table("", *heads, wide=(0,))
        self.figures.setMaximumHeight(150)
        self._against = label("warning", wrap=True)
        self._notes = label("muted", wrap=True)
        self._who = label("section", wrap=True)
        self.form = SignInForm(self.tr("Sign, and put it in use"))
        self.form.setMaximumWidth(360)
        self.form.tried.connect(self._on_tried)
        parts = (self._on, self.figures, self._against, self._notes, self._who, self.form, None)
        column(self, *parts, margin=0)

    def show_printed(self, printed: str, people: People) -> None:
        """Show what the trainer has printed of a comparison."""
        comparison = Comparison.model_validate(json.loads(printed)["comparison"])
        roles = people.config.roles_of("release")
        try:
            signers = [user.name for user in people.users.users() if user.role in roles]
        except InspectionError as error:
            signers = []
            people.failed.emit(error)
        self.show_comparison(comparison, signers)

    def show_comparison(self, comparison: Comparison, signers: Sequence[str]) -> None:
        """Show a comparison; ``signers`` are the people who may sign for the model."""
        self.comparison = comparison
        measured, old = comparison.measured, comparison.measured.present
        words = self.tr(
            "Compared on {defective} defective and {normal} good batteries of {lot} "
            "that neither model has learned from."
        )
        self._on.setText(
            words.format(
                defective=measured.defective, normal=measured.normal, lot=", ".join(measured.data)
            )
        )
        self.figures.clear()
        both = measured.defective + measured.normal
        for name, total, found in (
            ("escapes", measured.defective, measured.escape),
            ("overkills", measured.normal, measured.overkill),
            ("gate_stops", both, None),
        ):
            cells = (_of(measured.challenger, name, total), _of(old, name, total))
            title = message_text(Message(code=f"release_figure_{name}"))
            self.figures.addTopLevelItem(QTreeWidgetItem([title, *cells, _difference(found)]))
        self._against.setText("\n".join(f"• {message_text(m)}" for m in comparison.reservations))
        self._against.setVisible(bool(comparison.reservations))
        self._notes.setText("\n".join(message_text(note) for note in comparison.notes))
        self._notes.setVisible(bool(comparison.notes))
        needed = not comparison.may_be_released
        who = self.tr("Somebody who may release models has to sign for this one.")
        nobody = self.tr(
            "Nobody here may sign for it. An administrator adds somebody: "
            "station users add NAME --role quality"
        )
        self._who.setText(who if signers else nobody)
        self._who.setVisible(needed)
        self.form.setVisible(needed and bool(signers))
        self.form.setEnabled(True)
        self.form.offer(signers)

    def refuse(self, problem: Message) -> None:
        """Tell why a signature does not hold; it can be given again."""
        self.form.setEnabled(True)
        self.form.secret.clear()
        self.form.tell(message_text(problem), "critical")
        self.form.to_first_field()

    def _on_tried(self, name: str, secret: str, _new: str) -> None:
        self.signed.emit(name, secret)


def _of(outcomes: Outcomes | None, name: str, total: int) -> str:
    if outcomes is None or not total:
        return DASH
    counts = {
        "escapes": outcomes.escapes,
        "overkills": outcomes.overkills,
        "gate_stops": outcomes.gate,
    }
    return f"{counts[name]} / {total}"


def _difference(found: Difference | None) -> str:
    if found is None:
        return DASH
    value = f"{100 * found.value:+.1f} %p"
    if found.low is None or found.high is None:
        return value
    return f"{value}  ({100 * found.low:+.1f} … {100 * found.high:+.1f})"

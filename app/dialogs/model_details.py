"""Where a model comes from, what it may be used for, and its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFormLayout, QLabel, QWidget

from app.widgets.panel import Panel, button, label, line
from app.wording import DASH, message_text

if TYPE_CHECKING:
    from inspection.modelstore.listing import SlotState


class ModelDetails(Panel):
    """Everything the list has no room for; texts can be selected."""

    card_wanted = Signal(str, object)
    """The name of a model whose card is to be shown, and the file."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "")
        form = QFormLayout(self)
        form.setContentsMargins(0, 4, 0, 4)
        form.setHorizontalSpacing(14)
        form.setVerticalSpacing(5)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._state: SlotState | None = None
        self._restricted = False
        self._titles: dict[str, QLabel] = {}
        self.values: dict[str, QLabel] = {}
        self.copy, self.card = button("flat"), button("flat")
        self.copy.clicked.connect(self._on_copy)
        self.card.clicked.connect(self._on_card)
        beside = {"sha256": self.copy, "card": self.card}
        for name in ("source", "licence", "folder", "card", "sha256", "note"):
            self._titles[name], value = label("muted"), label(wrap=name not in beside)
            value.setTextFormat(Qt.TextFormat.PlainText)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self.values[name] = value
            if name in beside:
                held = QWidget()
                row = line(value, beside[name])
                row.addStretch(1)
                held.setLayout(row)
                form.addRow(self._titles[name], held)
            else:
                form.addRow(self._titles[name], value)
        self.retranslate()

    def show_slot(self, state: SlotState | None, *, restricted: bool) -> None:
        """Show a slot; ``restricted`` where the licence forbids commercial use."""
        self._state, self._restricted = state, restricted
        self.retranslate()

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        titles = {
            "source": self.tr("Source"),
            "licence": self.tr("Licence"),
            "folder": self.tr("Folder"),
            "card": self.tr("Model card"),
            "sha256": "SHA-256",
            "note": self.tr("Note"),
        }
        for name, title in self._titles.items():
            title.setText(titles[name])
        self.copy.setText(self.tr("Copy"))
        self.card.setText(self.tr("Read ..."))
        state = self._state
        licence = state.licence if state else ""
        if self._restricted:
            licence = self.tr("{licence} – not for commercial use").format(licence=licence or DASH)
        elif state is not None and state.condition == "installed" and not licence:
            licence = self.tr("not stated")
        texts = {
            "source": state.source if state else "",
            "licence": licence,
            "folder": str(state.folder) if state else "",
            "card": state.card.name if state and state.card else "",
            "sha256": state.sha256 if state else "",
            "note": self._note(),
        }
        for name, value in self.values.items():
            value.setText(texts[name] or DASH)
        self.copy.setVisible(bool(texts["sha256"]))
        self.card.setVisible(bool(texts["card"]))

    def _note(self) -> str:
        state = self._state
        if state is None:
            return ""
        if state.problem is not None:
            return message_text(state.problem)
        if state.demo:
            return self.tr("Demo model, trained on synthetic images: not for production.")
        return ""

    def _on_card(self) -> None:
        if self._state is not None and self._state.card is not None:
            self.card_wanted.emit(self._state.name, self._state.card)

    def _on_copy(self) -> None:
        if self._state is not None:
            QGuiApplication.clipboard().setText(self._state.sha256)

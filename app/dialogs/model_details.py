"""Where a model comes from, what it may be used for, and its digest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFormLayout, QLabel, QTextBrowser, QWidget

from app.dialogs.frame import DialogFrame
from app.widgets.panel import button, label, let_select, line
from app.wording import DASH, message_text

if TYPE_CHECKING:
    from inspection.modelstore.listing import SlotState

LONGEST = 200_000
"""Characters; a card that came with a model may be of any length."""


class ModelCardDialog(DialogFrame):
    """Shows a card; its links lead nowhere, for the station opens no pages.

    Parameters
    ----------
    name : of the model
    card : a Markdown file
    """

    def __init__(self, parent: QWidget, name: str, card: Path) -> None:
        super().__init__(parent, width=640)
        self.setWindowTitle(name)
        self.resize(820, 620)
        self.text = QTextBrowser()
        self.text.setOpenLinks(False)
        self.body.addWidget(self.text, 1)
        self.add_button(self.tr("Close"), self.accept, primary=True)
        try:
            written = card.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            # Removed since the list was made.
            self.text.setPlainText(f"{card}: {error.strerror}")
        else:
            self.text.setMarkdown(written[:LONGEST])


class ModelDetails(QWidget):
    """Everything the list has no room for; texts can be selected."""

    def __init__(self) -> None:
        super().__init__()
        form = QFormLayout(self)
        form.setContentsMargins(0, 4, 0, 4)
        form.setHorizontalSpacing(14)
        form.setVerticalSpacing(5)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._state: SlotState | None = None
        self.values: dict[str, QLabel] = {}
        self.copy = button("flat", text=self.tr("Copy"))
        self.card = button("flat", text=self.tr("Read ..."))
        self.copy.clicked.connect(self._on_copy)
        self.card.clicked.connect(self._on_card)
        beside = {"sha256": self.copy, "card": self.card}
        for name, title in (
            ("source", self.tr("Source")),
            ("licence", self.tr("Licence")),
            ("folder", self.tr("Folder")),
            ("card", self.tr("Model card")),
            ("release", self.tr("Released")),
            ("sha256", "SHA-256"),
            ("note", self.tr("Note")),
        ):
            # Beside a button a text does not wrap: a digest is one word.
            value = self.values[name] = label(wrap=name not in beside)
            let_select(value)
            field: QWidget = value
            if name in beside:
                field = QWidget()
                field.setLayout(line(value, beside[name], None))
            form.addRow(label("muted", text=title), field)

    def show_slot(self, state: SlotState | None, *, restricted: bool) -> None:
        """Show a slot; ``restricted`` where the licence forbids commercial use."""
        self._state = state
        texts = dict.fromkeys(self.values, "")
        if state is not None:
            licence = state.licence
            if restricted:
                licence = self.tr("{licence} – not for commercial use").format(
                    licence=licence or DASH
                )
            elif state.condition == "installed" and not licence:
                licence = self.tr("not stated")
            note = ""
            if state.problem is not None or state.unrecorded is not None:
                told = [m for m in (state.problem, state.unrecorded) if m is not None]
                note = " ".join(map(message_text, told))
            elif state.demo:
                note = self.tr("Demo model, trained on synthetic images: not for production.")
            texts = {
                "source": state.source,
                "licence": licence,
                "folder": str(state.folder),
                "card": state.card.name if state.card else "",
                "sha256": state.sha256,
                "release": _released(state),
                "note": note,
            }
        for name, value in self.values.items():
            value.setText(texts[name] or DASH)
        self.copy.setVisible(bool(texts["sha256"]))
        self.card.setVisible(bool(texts["card"]))

    def _on_card(self) -> None:
        if self._state is not None and self._state.card is not None:
            ModelCardDialog(self.window(), self._state.name, self._state.card).open()

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self.values["sha256"].text())


def _released(state: SlotState) -> str:
    """Return by whom and when a model was released, empty where it was not."""
    if state.release is None:
        return ""
    who = state.release.signed_by or state.release.by
    return f"{who}, {state.release.released_at.astimezone():%Y-%m-%d %H:%M}"

"""Says that what a panel shows comes from a demo model."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QLabel

from app.controller import Controller
from app.theme import tokens
from inspection.modelstore.catalogue import demo_slots, demo_systems
from inspection.results import ModelProvenance
from inspection.session.record import SessionRecord

TAUGHT = ("rgb_ae", "ct_cnn")
"""Slots of which something can be taught here."""


class DemoModels(QObject):
    """Which demo models have spoken in the session that is open, by slot and by system."""

    changed = Signal()
    teach_wanted = Signal(str)
    """A model for this slot is to be taught."""

    def __init__(self, controller: Controller, parent: QObject) -> None:
        super().__init__(parent)
        self._slots: frozenset[str] = frozenset()
        controller.session_changed.connect(self._on_session)
        controller.runner.models_changed.connect(self._on_models)

    @property
    def names(self) -> frozenset[str]:
        """Slots and systems."""
        return self._slots | demo_systems(self._slots)

    def _on_session(self, record: SessionRecord | None) -> None:
        self._slots = demo_slots(record.models) if record else frozenset()
        self.changed.emit()

    def _on_models(self, models: list[ModelProvenance], _device: str) -> None:
        self._slots |= demo_slots(models)
        self.changed.emit()


class DemoNote(QLabel):
    """One sentence; hidden where no demo model has spoken.

    Parameters
    ----------
    name : slot or system it is about; empty for any
    """

    def __init__(self, demo: DemoModels, name: str = "") -> None:
        super().__init__()
        self._demo, self._of = demo, name
        self.linkActivated.connect(demo.teach_wanted)
        # By mouse: with the focus it would take the review keys.
        self.setTextInteractionFlags(Qt.TextInteractionFlag.LinksAccessibleByMouse)
        demo.changed.connect(self._refresh)
        self.setProperty("role", "warning")
        self.setWordWrap(True)
        self._refresh()

    def changeEvent(self, event: QEvent) -> None:
        """Qt: the language has changed."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.LanguageChange, QEvent.Type.PaletteChange):
            self._refresh()

    def _refresh(self) -> None:
        names = self._demo.names
        self.setVisible(self._of in names if self._of else bool(names))
        text = self.tr("Demo model, trained on synthetic images")
        if self._of in TAUGHT:
            words = self.tr("Teach it on your own parts")
            text += f' · <a href="{self._of}" style="color: {tokens().accent}">{words}</a>'
        self.setText(text)

"""Says that what a panel shows comes from a demo model."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QLabel

from app.controller import Controller
from inspection.modelstore.catalogue import demo_slots, demo_systems
from inspection.results import ModelProvenance
from inspection.session.record import SessionRecord


class DemoModels(QObject):
    """Which demo models have spoken in the session that is open, by slot and by system."""

    changed = Signal()

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
        demo.changed.connect(self._refresh)
        self.setProperty("role", "warning")
        self.setWordWrap(True)
        self._refresh()

    def changeEvent(self, event: QEvent) -> None:
        """Qt: the language has changed."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._refresh()

    def _refresh(self) -> None:
        names = self._demo.names
        self.setVisible(self._of in names if self._of else bool(names))
        self.setText(self.tr("Demo model, trained on synthetic images"))

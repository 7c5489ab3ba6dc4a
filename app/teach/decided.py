"""What people have decided about the batteries of the lot, for whoever teaches with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.controller import Controller
from app.wording import error_text
from inspection.errors import InspectionError
from inspection.records import Modality
from inspection.results import Kind

if TYPE_CHECKING:
    from inspection.session.confirmed import Confirmed

DEFECT_OF: dict[Modality, tuple[Kind, ...]] = {
    "rgb": ("external_defect", "composite_defect"),
    "ct": ("internal_defect", "composite_defect"),
}
"""Kinds of battery that show a defect on images of a modality."""


class DecidedBatteries(QObject):
    """Reads the session that is open; without one nothing is decided."""

    normal = Signal(object)
    """Batteries that were confirmed as normal."""
    refused = Signal(str)
    """Why nothing of the session is used."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._defects: dict[Modality, tuple[str, ...]] = {}

    def defects(self, modality: Modality) -> tuple[str, ...]:
        """Return the batteries that were decided to have a defect which these images show."""
        return self._defects.get(modality, ())

    def read(self, controller: Controller) -> None:
        """Read it in a thread."""
        session = controller.writer.folder
        if session is None:
            return

        def work() -> Confirmed:
            from inspection.session.confirmed import read_confirmed

            return read_confirmed(session)

        controller.files.submit(work, self._on_read, self._on_failed)

    def _on_read(self, confirmed: Confirmed) -> None:
        for modality, kinds in DEFECT_OF.items():
            self._defects[modality] = tuple(
                one.battery_id for one in confirmed.decided if one.kind in kinds
            )
        self.normal.emit(confirmed.normal)

    def _on_failed(self, error: Exception) -> None:
        # What nobody can vouch for is not used; batteries can be ticked all the same.
        if isinstance(error, InspectionError):
            self.refused.emit(error_text(error))

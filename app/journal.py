"""What is done in the window and not in a session goes into the station's log."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.controller import Controller
from app.dialogs.model_work import ModelWork
from app.settings import Settings
from inspection import __version__
from inspection.seals.chain import canonical

if TYPE_CHECKING:
    from inspection.modelstore.install import Installed

LOGGED = ("operator", "station", "systems", "device", "site")
"""Settings that bear on what is inspected and decided; the others are a matter of taste."""


class StationJournal(QObject):
    """Records the start, and changes of settings, policy and models.

    Parameters
    ----------
    work : the model manager's
    """

    def __init__(self, controller: Controller, work: ModelWork) -> None:
        super().__init__(controller)
        self._people = controller.people
        self._settings = controller.settings
        self._people.start(__version__, _digests(controller))
        controller.settings_changed.connect(self._on_settings)
        work.installed.connect(self._on_installed)
        work.removed.connect(self._on_removed)

    def _on_settings(self, settings: Settings) -> None:
        before, self._settings = self._settings, settings
        for name in LOGGED:
            old, new = getattr(before, name), getattr(settings, name)
            if old != new:
                self._people.record("settings_changed", name=name, before=old, after=new)

    def _on_installed(self, installed: Installed) -> None:
        self._people.record("models_changed", installed=list(installed.slots))

    def _on_removed(self, slot: str) -> None:
        self._people.record("models_changed", removed=[slot])


def _digests(controller: Controller) -> dict[str, str]:
    """Return the digest of each part of what verdicts and rights follow from."""
    parts = {**controller.policy.snapshot(), "people": controller.people.config.model_dump()}
    return {
        name: hashlib.sha256(canonical({"": part})).hexdigest()
        for name, part in parts.items()
        if name != "inspector_from"
    }

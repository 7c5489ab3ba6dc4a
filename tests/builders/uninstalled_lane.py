"""A system without a model: it says so, and judges nothing."""

from __future__ import annotations

import threading

from inspection.errors import ModelMissingError
from inspection.messages import Message
from inspection.predictions import LaneResult
from inspection.records import Battery
from inspection.results import ModelProvenance, SystemName
from inspection.systems.lane import LaneSettings, OnEvent


class UninstalledLane:
    """The least that a lane is; tests build on it."""

    def __init__(self, name: SystemName, settings: LaneSettings) -> None:
        self.name = name
        self.settings = settings

    def load(self) -> list[ModelProvenance]:
        raise ModelMissingError("model_not_installed", system=self.name.upper())

    def expect(self, battery) -> None:
        pass

    def inspect(self, battery: Battery, cancel: threading.Event, on_event: OnEvent) -> LaneResult:
        message = Message(code="model_not_installed", params={"system": self.name.upper()})
        return LaneResult(self.name, "not_installed", message)

    def close(self) -> None:
        """Nothing is held."""

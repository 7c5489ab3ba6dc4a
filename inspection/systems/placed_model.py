"""A loaded VLM or VLG with the limits it works under, which steps down where memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, Protocol, Self, TypeVar

from inspection.messages import Message
from inspection.results import SystemName
from inspection.systems.lane import LaneSettings
from inspection.systems.memory import Ladder, Step
from inspection.systems.placement import place_model, require_ram


class PixelLimits(Protocol):
    """Limits that can be lowered."""

    @property
    def max_pixels(self) -> int:
        """Pixels of the largest image that the model sees."""

    def fewer_pixels(self) -> Self | None:
        """Return these limits with half the pixels, None where that is under the floor."""


class Movable(Protocol):
    """A model that can leave the GPU."""

    def move_to_cpu(self) -> None:
        """Move the model off the GPU."""


Limits = TypeVar("Limits", bound=PixelLimits)
Model = TypeVar("Model", bound=Movable)


class PlacedModel(Generic[Model, Limits]):
    """Loads a model where it fits; ``ladder`` gives up pixels, then the GPU.

    Parameters
    ----------
    system : whose memory it takes
    name : of the model, for the operator
    settings : where it may go
    limits : what it works under at first; lowered by ``ladder``
    bytes_on : what it needs on ``cpu`` or on ``cuda``
    load : loads it onto a device

    Raises
    ------
    BundleError
        If it fits nowhere, or cannot be loaded.
    """

    def __init__(
        self,
        system: SystemName,
        name: str,
        settings: LaneSettings,
        limits: Limits,
        bytes_on: Callable[[str], int],
        load: Callable[[str], Model],
    ) -> None:
        self._system = system
        self._name = name
        self._gpu = settings.gpu
        self._bytes_on = bytes_on
        self.limits = limits
        placement = place_model(system, name, settings, bytes_on)
        self.device = placement.device
        loading = Ladder(self._cpu_step(self._leave_gpu), placement.steps)
        self.model = loading.run(lambda: load(self.device))
        self.ladder = Ladder(
            [*self._pixel_steps(), *self._cpu_step(self._move_to_cpu)], loading.taken
        )

    def _pixel_steps(self) -> list[Step]:
        steps: list[Step] = []
        limits = self.limits.fewer_pixels()
        while limits is not None:
            words = Message(code="memory_step_pixels", params={"pixels": limits.max_pixels})
            steps.append((words, partial(setattr, self, "limits", limits)))
            limits = limits.fewer_pixels()
        return steps

    def _cpu_step(self, leave: Callable[[], None]) -> list[Step]:
        return [] if self.device == "cpu" else [(Message(code="memory_step_cpu"), leave)]

    def _leave_gpu(self) -> None:
        # Refused, it stays on the GPU, and so does what is set aside for it.
        require_ram(self._name, self._bytes_on("cpu"))
        self._gpu.release(self._system)
        self.device = "cpu"

    def _move_to_cpu(self) -> None:
        self._leave_gpu()
        self.model.move_to_cpu()

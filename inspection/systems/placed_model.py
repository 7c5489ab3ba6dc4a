"""A loaded VLM or VLG with the limits it works under, where memory has room for it.

Where it is loaded is decided from the memory it needs, before anything is loaded; where memory
runs out all the same, it steps down.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, Protocol, Self, TypeVar

from inspection.errors import BundleError
from inspection.messages import Message
from inspection.results import SystemName
from inspection.systems.lane import LaneSettings, resolve_device
from inspection.systems.memory import Ladder, Step, free_ram
from inspection.systems.pretrained import import_transformers


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

    The library that loads it is imported then, and not for a model that is refused.

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
        self._system, self._name, self._gpu = system, name, settings.gpu
        self._bytes_on = bytes_on
        self.limits = limits
        self.max_pixels = limits.max_pixels
        """Of an image, as the model took it at most before memory ran out."""
        given_up: list[Message] = []
        self.device = resolve_device(settings.device)
        if self.device != "cpu" and not self._gpu.reserve(system, bytes_on(self.device)):
            sizes = _gigabytes(bytes_on(self.device), self._gpu.free_for(system))
            given_up.append(Message(code="model_on_cpu", params={"name": name, **sizes}))
            self.device = "cpu"
        if self.device == "cpu":
            self._require_ram()
        import_transformers()
        to_cpu = Message(code="memory_step_cpu")
        leave: list[Step] = [(to_cpu, self._leave_gpu)] if self.device != "cpu" else []
        loading = Ladder(leave, given_up)
        self.model = loading.run(lambda: load(self.device))
        steps: list[Step] = []
        fewer = limits.fewer_pixels()
        while fewer is not None:
            words = Message(code="memory_step_pixels", params={"pixels": fewer.max_pixels})
            steps.append((words, partial(setattr, self, "limits", fewer)))
            fewer = fewer.fewer_pixels()
        if self.device != "cpu":
            steps.append((to_cpu, self._move_to_cpu))
        self.ladder = Ladder(steps, loading.taken)

    def _leave_gpu(self) -> None:
        # Refused, it stays on the GPU, and so does what is set aside for it.
        self._require_ram()
        self._gpu.release(self._system)
        self.device = "cpu"

    def _move_to_cpu(self) -> None:
        self._leave_gpu()
        self.model.move_to_cpu()

    def _require_ram(self) -> None:
        """Refuse what main memory has no room for: it would push the station into swap."""
        needed, free = self._bytes_on("cpu"), free_ram()
        if needed > free:
            raise BundleError("model_does_not_fit", name=self._name, **_gigabytes(needed, free))


def _gigabytes(needed: int, available: int) -> dict[str, float]:
    sizes = {"needed": needed, "available": available}
    return {key: round(size / (1 << 30), 1) for key, size in sizes.items()}

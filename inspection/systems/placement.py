"""Where a VLM or a VLG is loaded: decided from the memory it needs, before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inspection.errors import BundleError
from inspection.messages import Message
from inspection.results import SystemName
from inspection.systems.importing import import_transformers
from inspection.systems.lane import LaneSettings, resolve_device
from inspection.systems.memory import free_ram


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a model goes, and what that gives up."""

    device: str
    steps: tuple[Message, ...] = ()


def place_model(
    system: SystemName, name: str, settings: LaneSettings, bytes_on: Callable[[str], int]
) -> Placement:
    """Return the GPU with its memory reserved where the model fits it, else the CPU.

    The library that loads it is imported then, and not for a model that is refused.

    Parameters
    ----------
    system : whose memory it becomes
    name : of the model, for the operator
    bytes_on : what the model needs on ``cpu`` or on ``cuda``

    Raises
    ------
    BundleError
        If it fits neither.
    """
    placement = _placement(system, name, settings, bytes_on)
    import_transformers()
    return placement


def _placement(
    system: SystemName, name: str, settings: LaneSettings, bytes_on: Callable[[str], int]
) -> Placement:
    device = resolve_device(settings.device)
    if device == "cpu":
        require_ram(name, bytes_on("cpu"))
        return Placement("cpu")
    needed = bytes_on(device)
    if settings.gpu.reserve(system, needed):
        return Placement(device)
    free = settings.gpu.free_for(system)
    require_ram(name, bytes_on("cpu"))
    params: dict[str, str | int | float] = {
        "name": name,
        "needed": _gb(needed),
        "available": _gb(free),
    }
    return Placement("cpu", (Message(code="model_on_cpu", params=params),))


def require_ram(name: str, needed: int) -> None:
    """Refuse what main memory has no room for: it would push the whole station into swap.

    Raises
    ------
    BundleError
        If less than ``needed`` bytes are free.
    """
    free = free_ram()
    if needed > free:
        raise BundleError("model_does_not_fit", name=name, needed=_gb(needed), available=_gb(free))


def _gb(size: int) -> float:
    return round(size / (1 << 30), 1)

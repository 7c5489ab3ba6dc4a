"""What a lane is: one of the three systems, owned by one thread from loading to closing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from inspection.config import GateConfig, InspectorConfig
from inspection.errors import InspectionError, ModelMissingError
from inspection.messages import Language, Message
from inspection.modelstore.folders import ModelFolders
from inspection.predictions import LaneEvent, LaneResult
from inspection.records import Battery
from inspection.results import ImageResult, ModelProvenance, SystemName, SystemState
from inspection.systems.image_choice import ImageChooser
from inspection.systems.memory import GpuBudget
from inspection.volumes.stopping import ReadingStopped, until

if TYPE_CHECKING:
    from inspection.images.stack_grey import StackWindows

log = logging.getLogger(__name__)

OnEvent = Callable[[LaneEvent], None]


class Lane(Protocol):
    """One of the three systems. Owned by one thread from ``load`` to ``close``.

    Between two jobs that load the same models (`LaneSettings.same_models`) ``settings`` may be
    replaced instead of loading again.
    """

    name: SystemName
    settings: LaneSettings

    def load(self) -> list[ModelProvenance]:
        """Load the models.

        Raises
        ------
        ModelMissingError
            If no model is installed for this system.
        BundleError
            If a model is incomplete or altered.
        """

    def expect(self, battery: Battery | None) -> None:
        """Hear which battery comes after the one that `inspect` is called with next.

        None where none does. A hint: what comes may be another one.
        """

    def inspect(self, battery: Battery, cancel: threading.Event, on_event: OnEvent) -> LaneResult:
        """Judge one battery; returns early with ``cancelled`` once ``cancel`` is set."""

    def close(self) -> None:
        """Release models and threads."""


def _windows() -> StackWindows:
    # The window imports lanes before it is painted, and need not wait for numpy.
    from inspection.images.stack_grey import StackWindows

    return StackWindows()


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """What a lane needs to know.

    Parameters
    ----------
    models : where the models are
    lot_root : images are named relative to it
    inspector : fusion policy
    gate : what is looked at before a verdict
    chooser : which images the VLM and the VLG look at; shared by the lanes of a run
    device : ``auto``, ``cpu`` or ``cuda``
    evidence_dir : where pictures and maps go; None keeps none
    language : of what the VLM writes
    gpu : shared by every lane of the process
    cache_dir : where it is kept what computes fastest on this computer; None computes in PyTorch
    greys : grey windows of the batteries, shared by the lanes of a run
    """

    models: ModelFolders
    lot_root: Path
    inspector: InspectorConfig
    chooser: ImageChooser
    device: str = "auto"
    evidence_dir: Path | None = None
    language: Language = "en"
    gpu: GpuBudget = field(default_factory=GpuBudget)
    cache_dir: Path | None = None
    greys: StackWindows = field(default_factory=_windows)
    gate: GateConfig = field(default_factory=GateConfig)

    def same_models(self, other: LaneSettings) -> bool:
        """Return True where a lane loaded for ``other`` can serve these settings as it is."""
        return (self.models, self.inspector, self.gate, self.device) == (
            other.models,
            other.inspector,
            other.gate,
            other.device,
        )


def none_opened(images: Sequence[ImageResult]) -> bool:
    """Return True where a battery has images, and the files of none could be opened.

    Where a model is missing its images were not tried: that is another reason.
    """
    tried = [i for i in images if i.error is None or i.error.code.startswith(("image_", "volume_"))]
    return bool(tried) and all(image.state == "failed" for image in tried)


def load_failure(lane_name: SystemName, error: Exception) -> tuple[SystemState, Message]:
    """Return the state and the words of a lane whose models cannot be loaded.

    A model library may fail in any way (a wrong driver, a missing system library); what is not
    an `InspectionError` is logged in full.
    """
    if isinstance(error, InspectionError):
        missing = isinstance(error, ModelMissingError)
        return ("not_installed" if missing else "failed"), error.message
    log.error("%s cannot be loaded", lane_name, exc_info=error)
    return "failed", _unforeseen(lane_name, error)


def inspect_safely(
    lane: Lane,
    battery: Battery,
    cancel: threading.Event,
    on_event: OnEvent,
    following: Battery | None = None,
) -> LaneResult:
    """Return the lane's result, or a ``failed`` one, so that the other systems go on.

    This is the one place where an unforeseen error of a model becomes a result; it is logged in
    full and can only ever read as "not inspected".

    Parameters
    ----------
    following : the battery that comes next, which the lane may prepare for
    """
    started = time.monotonic()
    try:
        lane.expect(following)
        with until(cancel.is_set):
            return lane.inspect(battery, cancel, on_event)
    except ReadingStopped:
        return LaneResult(lane.name, "cancelled", Message(code="cancelled_by_operator"))
    except InspectionError as error:
        message = error.message
    except Exception as error:
        log.exception("%s failed on battery %s", lane.name, battery.battery_id)
        message = _unforeseen(lane.name, error)
    if lane.name == "ensemble":
        # Nobody need wait for a word that does not come.
        lane.settings.chooser.set_worst(battery.battery_id, (), ())
    return LaneResult(lane.name, "failed", message, time.monotonic() - started)


def _unforeseen(lane_name: SystemName, error: Exception) -> Message:
    problem = f"{type(error).__name__}: {error}".splitlines()[0]
    return Message(code="lane_failed", params={"system": lane_name, "problem": problem})


def resolve_device(device: str) -> str:
    """Return ``cpu`` or ``cuda``; ``auto`` takes the GPU where there is one.

    Raises
    ------
    InspectionError
        If a GPU is asked for and there is none.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InspectionError("device_missing", device=device)
    return device

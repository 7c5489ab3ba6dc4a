"""What a model says of one image, with its arrays; lives in memory only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspection.errors import InspectionError
from inspection.messages import Message
from inspection.records import ImageRef, Rect
from inspection.results import (
    Box,
    ChosenImages,
    EnsembleResult,
    ImageResult,
    JudgedBy,
    Peak,
    SliceRun,
    StackGrey,
    SystemName,
    SystemState,
    Verdict,
    VlgImage,
    VlgResult,
    VlmImage,
    VlmResult,
)
from inspection.volume_results import DefectBody, VolumeSeen

if TYPE_CHECKING:
    # The window's first paint reads this file and can do without numpy.
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class GateFinding:
    """What the gate found on one image.

    Parameters
    ----------
    failed : the checks that it did not pass; with any, nothing that was judged of it counts
    unlike : distance from all that the model has seen, over 1 like none of it; None where the
        model brings nothing to compare with
    brightness : mean grey level of the ROI, 0 to 255
    digest : the same for the same picture only
    """

    failed: tuple[Message, ...]
    unlike: float | None
    brightness: float
    digest: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """One image judged.

    Parameters
    ----------
    image : which image
    pred_label : CT: one of the classes; RGB: ``normal`` or ``defect``
    probabilities : CT: class to probability, summing to 1; RGB: empty
    pred_score : CT: summed probability of the defect classes; RGB: reconstruction score
    threshold : ``pred_score`` above it is an anomaly
    anomaly_map : (h, w) float32 in [0, 1] on the model's fixed display scale, covering exactly
        ``roi``; small (feature or input resolution), never the source size
    roi : the part of the source image that was judged, source pixels
    source_size : (width, height) of the source image
    pred_boxes : regions of the map over 0.5, hottest first, source pixels
    peak : hottest point of the map, source pixels
    seconds : time spent on this image, its share of the batch
    window : stored values shown as 0 and 255 in the slice's stack; None under ``dtype`` and on RGB
    ct_ae_score, ct_ae_threshold : the CT autoencoder's, where one was asked
    gate : what was found before; None where nobody looked
    """

    image: ImageRef
    pred_label: str
    probabilities: dict[str, float]
    pred_score: float
    threshold: float
    anomaly_map: NDArray[np.float32]
    roi: Rect
    source_size: tuple[int, int]
    pred_boxes: tuple[Box, ...]
    peak: Peak
    seconds: float
    window: tuple[float, float] | None = None
    ct_ae_score: float | None = None
    ct_ae_threshold: float | None = None
    gate: GateFinding | None = None

    def __post_init__(self) -> None:
        if self.anomaly_map.ndim != 2 or self.anomaly_map.dtype != "float32":
            raise ValueError(
                f"anomaly_map must be (h, w) float32, "
                f"got {self.anomaly_map.shape} {self.anomaly_map.dtype}"
            )
        if not math.isfinite(self.pred_score):
            raise ValueError(f"pred_score of {self.image.file_name} is not finite")

    @property
    def is_anomaly(self) -> bool:
        """True where the score is over the threshold."""
        return self.pred_score > self.threshold


@dataclass(frozen=True, slots=True)
class FailedPrediction:
    """One image that could not be judged, and why."""

    image: ImageRef
    error: InspectionError


@dataclass(frozen=True, slots=True)
class ImageTaken:
    """A VLM or VLG has taken up an image."""

    image: ImageRef


@dataclass(frozen=True, slots=True)
class PartialAnswer:
    """What a VLM has written on an image so far; ``text`` is the whole of it."""

    image: ImageRef
    text: str


@dataclass(frozen=True, slots=True)
class ImageAnswered:
    """A VLM or VLG has spoken on an image."""

    image: ImageRef
    answer: VlmImage | VlgImage


LaneEvent = Prediction | FailedPrediction | ImageTaken | PartialAnswer | ImageAnswered
"""What a lane tells while it works on a battery."""


@dataclass(frozen=True, slots=True)
class LaneResult:
    """What one system says of one battery; ``message`` says why where ``state`` is not ``done``.

    ``memory_steps`` are in force, whether this battery or an earlier one made them necessary.
    ``judged_by`` is what it judged with, known to whoever drives the lane.
    """

    system: SystemName
    state: SystemState
    message: Message | None = None
    seconds: float = 0.0
    verdict: Verdict | None = None
    ensemble: EnsembleResult | None = None
    vlm: VlmResult | None = None
    vlg: VlgResult | None = None
    chosen: ChosenImages | None = None
    memory_steps: tuple[Message, ...] = ()
    images: tuple[ImageResult, ...] = ()
    runs: tuple[SliceRun, ...] = ()
    worst_slices: tuple[str, ...] = ()
    worst_views: tuple[str, ...] = ()
    grey: StackGrey | None = None
    defects: tuple[DefectBody, ...] = ()
    volume: VolumeSeen | None = None
    gate: tuple[Message, ...] = ()
    judged_by: JudgedBy | None = None

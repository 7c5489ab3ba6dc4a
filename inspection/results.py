"""Results on disk and between threads: images, systems, batteries, sessions.

Everything here is a `Record`, and imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import AwareDatetime, Field

from inspection.messages import Message
from inspection.record_base import Finite, Probability, Record, Score
from inspection.records import Axis, Modality
from inspection.volume_results import DefectBody, VolumeSeen

SCHEMA_VERSION = 3
"""1: before a battery told what judged it. 2: ``judged_by`` and ``prints``. 3: ``defects`` and
``volume``; what has none of them reads as it is, without."""

SystemName = Literal["ensemble", "vlm", "vlg"]
SYSTEMS: tuple[SystemName, ...] = ("ensemble", "vlm", "vlg")
Kind = Literal[
    "normal", "internal_defect", "external_defect", "composite_defect", "review", "not_inspected"
]
DEFECT_KINDS: tuple[Kind, ...] = ("internal_defect", "external_defect", "composite_defect")
SystemState = Literal[
    "queued", "running", "done", "failed", "cancelled", "skipped", "not_installed", "off"
]
BatteryState = Literal["queued", "running", "done", "failed", "cancelled", "skipped"]
Judgement = Literal["normal", "defect", "review"]
FusionMethod = Literal["weighted_average", "voting", "rule_based"]
ChannelState = Literal["normal", "defect", "uncertain", "missing", "failed"]


class Box(Record):
    """A rectangle in source pixels; ``score`` is the mean heat inside."""

    x: int = Field(ge=0)
    y: int = Field(ge=0)
    w: int = Field(ge=1)
    h: int = Field(ge=1)
    score: Probability | None = None


class Peak(Record):
    """The hottest point of an anomaly map, in source pixels."""

    x: int = Field(ge=0)
    y: int = Field(ge=0)
    value: Probability


class StackGrey(Record):
    """The grey window under which a battery's slices were judged.

    ``low`` and ``high`` are the stored values that became 0 and 255, absent under ``dtype``;
    ``air`` and ``body`` are what was found in the stack under ``auto``. ``problem`` says why the
    window cannot be trusted: the battery is at best ``review``.
    """

    method: Literal["auto", "dtype", "fixed"]
    low: Finite | None = None
    high: Finite | None = None
    air: Finite | None = None
    body: Finite | None = None
    problem: Message | None = None

    @property
    def told(self) -> Message:
        """Which window it was, in one line; ``problem`` is among the verdict's reasons."""
        values = {"low": self.low, "high": self.high, "air": self.air, "body": self.body}
        # Whole numbers, but of floating values within a few.
        wide = self.low is None or self.high is None or self.high - self.low >= 100
        told = {
            name: round(value) if wide else float(f"{value:.4g}")
            for name, value in values.items()
            if value is not None
        }
        return Message(code=f"grey_window_{self.method}", params={**told})


class ImageResult(Record):
    """What the ensemble found on one image.

    ``pred_score`` is the summed probability of the defect classes on CT and the
    reconstruction score on RGB; ``is_anomaly`` is ``pred_score > threshold``. ``ct_ae_score`` is
    the CT autoencoder's, where one is installed.

    ``gate`` are the checks that the image did not pass: then nothing is said of it, and it has
    none of these. ``unlike``, ``brightness`` and ``digest`` are as in `GateFinding`.
    """

    image: str
    modality: Modality
    axis: Axis | None = None
    number: int
    state: Literal["done", "failed"]
    error: Message | None = None
    pred_label: str | None = None
    probabilities: dict[str, Probability] = Field(default_factory=dict)
    pred_score: Score | None = None
    threshold: Score | None = None
    is_anomaly: bool | None = None
    ct_ae_score: Score | None = None
    ct_ae_threshold: Score | None = None
    pred_boxes: list[Box] = Field(default_factory=list)
    peak: Peak | None = None
    width: int | None = None
    height: int | None = None
    roi: Box | None = None
    evidence: dict[str, str] = Field(default_factory=dict)
    seconds: Score = 0.0
    gate: list[Message] = Field(default_factory=list)
    unlike: Score | None = None
    brightness: Score | None = None
    digest: str | None = None


class EnsembleResult(Record):
    """System 1: fusion of the CT classifier and the RGB autoencoder."""

    prediction: Kind
    defect_type: str | None = None
    confidence: Probability | None = None
    cnn_prob: Probability | None = None
    cnn_defect_type: str | None = None
    ae_score: Probability | None = None
    ct_ae_score: Probability | None = None
    method: FusionMethod
    weights: dict[str, float]
    gradcam_heatmap: str | None = None
    gradcam_bbox: list[Box] = Field(default_factory=list)


class ChosenImages(Record):
    """Which images of a battery the VLM and the VLG looked at, and how they were chosen.

    ``worst_and_even``: the ensemble's worst of each modality, the rest evenly spaced; ``even``:
    the ensemble had not spoken; ``sample``: drawn with ``seed``, so that the choice favours no
    system.
    """

    method: Literal["worst_and_even", "even", "sample"]
    seed: int | None = None
    images: list[str] = Field(default_factory=list)


class AnsweredImage(Record):
    """What a VLM's and a VLG's word on one image have in common."""

    image: str
    modality: Modality
    axis: Axis | None = None
    number: int
    state: Literal["done", "failed"]
    error: Message | None = None
    width: int | None = None
    height: int | None = None
    seconds: Score = 0.0


class VlmImage(AnsweredImage):
    """The VLM's answer on one image.

    ``answer`` is the text as the model wrote it; ``form`` is how it was read, ``unread`` where it
    could not be: such an answer counts as ``review``.
    """

    prediction: Judgement | None = None
    defect_type: str | None = None
    explanation: str = ""
    confidence: Probability | None = None
    bbox: list[Box] = Field(default_factory=list)
    answer: str = ""
    form: Literal["json", "boxes", "prose", "unread"] | None = None


class Alternative(Record):
    """What else a spot was taken for: a phrase that was less sure than the one that names it."""

    phrase: str
    defect_type: str
    score: Probability


class VlgImage(AnsweredImage):
    """The VLG's boxes on one image; parallel lists, surest first, each spot once.

    ``alternatives`` are those of each box; empty in sessions from before they were told.
    """

    bboxes: list[Box] = Field(default_factory=list)
    scores: list[Probability] = Field(default_factory=list)
    defect_types: list[str] = Field(default_factory=list)
    phrases: list[str] = Field(default_factory=list)
    alternatives: list[list[Alternative]] = Field(default_factory=list)

    def alternatives_of(self, number: int) -> list[Alternative]:
        """Return what else a box was taken for."""
        return self.alternatives[number] if number < len(self.alternatives) else []


class VlmResult(Record):
    """System 2: a vision-language model's judgement and explanation.

    The fields of the battery are those of ``image``, the image that decided; every image's answer
    is in ``images``.
    """

    prediction: Judgement
    defect_type: str | None = None
    explanation: str
    confidence: Probability | None = None
    bbox: list[Box] = Field(default_factory=list)
    image: str | None = None
    images: list[VlmImage] = Field(default_factory=list)


class VlgResult(Record):
    """System 3: phrase-grounded boxes; four parallel lists over every image looked at.

    ``box_images`` names the image of each box.
    """

    bboxes: list[Box] = Field(default_factory=list)
    scores: list[Probability] = Field(default_factory=list)
    defect_types: list[str] = Field(default_factory=list)
    box_images: list[str] = Field(default_factory=list)
    images: list[VlgImage] = Field(default_factory=list)


class SliceRun(Record):
    """Neighbouring slices of one axis above the threshold."""

    axis: Axis | None = None
    first: int
    last: int
    length: int = Field(ge=1)
    defect_type: str
    score: Probability


class Verdict(Record):
    """The station's judgement of one battery, before the operator's."""

    kind: Kind
    defect_type: str | None = None
    fused_score: Probability | None = None
    cnn_prob: Probability | None = None
    ae_score: Probability | None = None
    ct_ae_score: Probability | None = None
    ct_state: ChannelState = "missing"
    rgb_state: ChannelState = "missing"
    reasons: list[Message] = Field(default_factory=list)


class JudgedBy(Record):
    """What judged a battery: the SHA-256 of each slot's model and of the policy."""

    models: dict[str, str] = Field(default_factory=dict)
    policy: str


class ImagePrint(Record):
    """How an image's file was when the battery was taken up.

    ``modified_ns`` is its time, in nanoseconds; ``digest`` the SHA-256 of its bytes, where that
    was asked for.
    """

    image: str
    size: int = Field(ge=0)
    modified_ns: int
    digest: str | None = None


class BatteryResult(Record):
    """Everything known about one battery: ``batteries/{battery_id}.json``.

    ``memory_steps`` says what each system gave up for want of memory while it judged; ``gate``
    are the checks that its images together, or it among the lot's batteries, did not pass.
    ``judged_by`` is what each system that has spoken judged with, ``prints`` the files as they
    were when the battery was taken up; both are empty before version 2. ``defects`` are the bodies
    in its ``volume`` where its slices are planes of one.
    """

    schema_version: int = SCHEMA_VERSION
    battery_id: str
    ct_id: str | None = None
    rgb_id: str | None = None
    state: BatteryState
    systems: dict[SystemName, SystemState] = Field(default_factory=dict)
    system_messages: dict[SystemName, Message] = Field(default_factory=dict)
    verdict: Verdict
    ensemble: EnsembleResult | None = None
    vlm: VlmResult | None = None
    vlg: VlgResult | None = None
    chosen: dict[SystemName, ChosenImages] = Field(default_factory=dict)
    memory_steps: dict[SystemName, list[Message]] = Field(default_factory=dict)
    system_seconds: dict[SystemName, Score] = Field(default_factory=dict)
    images: list[ImageResult] = Field(default_factory=list)
    runs: list[SliceRun] = Field(default_factory=list)
    worst_slices: list[str] = Field(default_factory=list)
    worst_views: list[str] = Field(default_factory=list)
    grey: StackGrey | None = None
    defects: list[DefectBody] = Field(default_factory=list)
    volume: VolumeSeen | None = None
    gate: list[Message] = Field(default_factory=list)
    seconds: Score = 0.0
    judged_by: dict[SystemName, JudgedBy] = Field(default_factory=dict)
    prints: list[ImagePrint] = Field(default_factory=list)

    def images_of(self, system: SystemName) -> Sequence[AnyImage]:
        """Return what a system keeps of each image that it looked at."""
        images: dict[SystemName, Sequence[AnyImage]] = {
            "ensemble": self.images,
            "vlm": self.vlm.images if self.vlm else (),
            "vlg": self.vlg.images if self.vlg else (),
        }
        return images[system]


AnyImage = ImageResult | VlmImage | VlgImage
"""What a system keeps of an image."""


class ReleaseMark(Record):
    """Who let a model judge: the account or person, and who signed for it where somebody did.

    ``hash`` is that of the line in ``releases.jsonl`` beside the models, which holds the evidence.
    """

    released_at: AwareDatetime
    by: str
    signed_by: str | None = None
    hash: str


class ModelProvenance(Record):
    """Which model judged: enough to reproduce a verdict years later.

    ``prompt`` is the version and digest of what a VLM or a VLG is asked; ``versions`` are those of
    the libraries that run it, ``device`` is where it was loaded. ``gate`` is False where the model
    brings nothing by which pictures that it has never seen the like of could be told; None of a
    model that needs no such thing. ``release`` is None where it was never released.
    """

    slot: str
    name: str
    sha256: str
    thresholds: dict[str, float] = Field(default_factory=dict)
    trained_at: str | None = None
    demo: bool = False
    prompt: str | None = None
    device: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    gate: bool | None = None
    release: ReleaseMark | None = None

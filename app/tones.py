"""Which colour a verdict, a class or a state has. Colour never stands alone: each has a mark."""

from __future__ import annotations

from typing import Literal

from app.wording import class_row
from inspection.results import ChannelState, ImageResult, Judgement, Kind, SystemState
from inspection.run.status import LanePhase

Tone = Literal["success", "warning", "critical", "review", "neutral", "accent"]

_SEVERITIES: dict[str, Tone] = {
    "SUCCESS": "success",
    "WARNING": "warning",
    "CRITICAL": "critical",
}
_SAID: dict[str, Tone] = {
    "normal": "success",
    "defect": "critical",
    "review": "review",
    "uncertain": "review",
    "composite_defect": "critical",
    "done": "success",
    "failed": "critical",
    "running": "accent",
    "loading": "accent",
    "ready": "success",
}


def class_tone(name: str | None) -> Tone:
    """Return the tone of a class, by its severity in the class table."""
    row = class_row(name)
    return _SEVERITIES[row.severity] if row else "neutral"


def said_tone(said: Judgement | ChannelState | SystemState | LanePhase) -> Tone:
    """Return the tone of what a system or a channel says of a battery, or of its state."""
    return _SAID.get(said, "neutral")


def kind_tone(kind: Kind, defect_type: str | None = None) -> Tone:
    """Return the tone of a verdict; a defect of unknown type takes the graver one."""
    if kind in ("internal_defect", "external_defect"):
        return "warning" if class_tone(defect_type) == "warning" else "critical"
    return _SAID.get(kind, "neutral")


def image_tone(result: ImageResult | None) -> Tone:
    """Return the tone of one image: normal, suspicious, not judged, or not looked at yet."""
    if result is None:
        return "neutral"
    if result.state == "failed" or result.gate:
        return "review"
    if not result.is_anomaly:
        strange = (result.ct_ae_score or 0.0) > (result.ct_ae_threshold or 0.0)
        return "review" if strange else "success"
    if result.modality == "rgb":
        return "critical"
    tone = class_tone(result.pred_label)
    # The summed defect probability may be over the threshold while the likeliest class is normal.
    return "warning" if tone == "success" else tone

"""Which colour a verdict, a class or a state has. Colour never stands alone: each has a mark."""

from __future__ import annotations

from typing import Literal

from app.wording import class_row
from inspection.results import ChannelState, ImageResult, Judgement, Kind, SystemState

Tone = Literal["success", "warning", "critical", "review", "neutral", "accent"]

_SEVERITIES: dict[str, Tone] = {
    "SUCCESS": "success",
    "WARNING": "warning",
    "CRITICAL": "critical",
}


def class_tone(name: str | None) -> Tone:
    """Return the tone of a class, by its severity in the class table."""
    row = class_row(name)
    return _SEVERITIES[row.severity] if row else "neutral"


def kind_tone(kind: Kind, defect_type: str | None = None) -> Tone:
    """Return the tone of a verdict; a defect of unknown type takes the graver one."""
    if kind == "normal":
        return "success"
    if kind == "review":
        return "review"
    if kind == "not_inspected":
        return "neutral"
    if kind == "composite_defect":
        return "critical"
    row = class_row(defect_type)
    return "warning" if row is not None and row.severity == "WARNING" else "critical"


def judgement_tone(judgement: Judgement) -> Tone:
    """Return the tone of a system's judgement."""
    tones: dict[Judgement, Tone] = {"normal": "success", "defect": "critical", "review": "review"}
    return tones[judgement]


def state_tone(state: SystemState) -> Tone:
    """Return the tone of a system's state."""
    tones: dict[str, Tone] = {"done": "success", "failed": "critical", "running": "accent"}
    return tones.get(state, "neutral")


def channel_tone(state: ChannelState) -> Tone:
    """Return the tone of a channel's word."""
    tones: dict[str, Tone] = {
        "normal": "success",
        "defect": "critical",
        "uncertain": "review",
        "failed": "critical",
    }
    return tones.get(state, "neutral")


def image_tone(result: ImageResult | None) -> Tone:
    """Return the tone of one image: normal, suspicious, unreadable, or not looked at yet."""
    if result is None:
        return "neutral"
    if result.state == "failed":
        return "review"
    if not result.is_anomaly:
        return "success"
    if result.modality == "rgb":
        return "critical"
    tone = class_tone(result.pred_label)
    # The summed defect probability may be over the threshold while the likeliest class is normal.
    return "warning" if tone == "success" else tone

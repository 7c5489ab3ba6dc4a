"""``session.json``: the session, a row for each of its batteries, the operators' decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from inspection.people.person import Person, Role
from inspection.record_base import Probability, Record, Score
from inspection.results import BatteryState, Box, Kind, ModelProvenance

SCHEMA_VERSION = 2
"""1: before sessions were sealed. 2: digests, decisions with type, region, role and history."""

SessionStatus = Literal["pending", "processing", "completed", "failed", "cancelled"]
Action = Literal["accept", "decide", "override", "undo"]
Meaning = Literal["reviewed", "approved", "rejected"]


class Region(Record):
    """What a person marked on a picture as the evidence: a box or a polygon, in source pixels.

    ``image`` is the picture's path within the lot, ``polygon`` the corners as (x, y).
    """

    image: str = Field(min_length=1)
    box: Box | None = None
    polygon: list[tuple[int, int]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.box is None) == (len(self.polygon) < 3):
            raise ValueError("a region is a box, or a polygon of three corners or more")
        return self


class Decision(Record):
    """A person's word on a battery.

    ``accept`` takes the station's verdict, ``decide`` settles what the station left in review,
    ``override`` puts another in its place, ``undo`` takes the person's own last word back.
    ``defect_type`` is the type that the person names, of the class table; ``second`` is who
    confirmed it beside the ``operator``, where that is asked for. ``shown`` is the SHA-256 of the
    battery's file as it was on the screen; None where it had none, and before version 2.
    """

    action: Action
    kind: Kind
    defect_type: str | None = None
    region: Region | None = None
    reason: str = ""
    comment: str = ""
    operator: str = Field(min_length=1)
    role: Role | None = None
    second: Person | None = None
    decided_at: datetime
    shown: str | None = None

    def is_outdated(self, kind: Kind | None) -> bool:
        """Return whether it accepted a verdict that is not (any more) the station's ``kind``."""
        return self.action == "accept" and self.kind != kind


def final_kind(kind: Kind, decision: Decision | None) -> Kind:
    """Return a battery's last word: the operator's where there is one, else the station's.

    An accepted verdict that the station has changed since is open: ``review``.
    """
    if decision is None:
        return kind
    return "review" if decision.is_outdated(kind) else decision.kind


class Signature(Record):
    """Who signed a session, with what meaning, and when."""

    meaning: Meaning
    name: str = Field(min_length=1)
    role: Role | None = None
    signed_at: datetime


class BatterySummary(Record):
    """A battery's row in ``session.json``; ``reasons`` are sentences in the station's language.

    ``conflict`` is True where the systems contradict each other on the battery or on an image.
    ``decision`` is the one in force, ``earlier`` are those that it took the place of, oldest
    first. ``digest`` is the SHA-256 of the battery's file; None where it has none, and in
    sessions from before version 2.
    """

    battery_id: str
    ct_id: str | None = None
    rgb_id: str | None = None
    state: BatteryState
    kind: Kind
    defect_type: str | None = None
    fused_score: Probability | None = None
    cnn_prob: Probability | None = None
    ae_score: Probability | None = None
    ct_ae_score: Probability | None = None
    reasons: list[str] = Field(default_factory=list)
    conflict: bool = False
    seconds: Score = 0.0
    decision: Decision | None = None
    earlier: list[Decision] = Field(default_factory=list)
    digest: str | None = None


class LotRecord(Record):
    """Which lot was inspected, and what the intake had to say about it."""

    path: str
    name: str
    batteries: int = Field(ge=0)
    pairs: int = Field(ge=0)
    findings: list[str] = Field(default_factory=list)


class SessionRecord(Record):
    """``session.json``: the whole session but the per-image results.

    ``head`` is the hash of the last line of the session's chain when this was written.
    """

    schema_version: int = SCHEMA_VERSION
    run_id: str
    status: SessionStatus
    created_at: datetime
    updated_at: datetime
    total_images: int = Field(ge=0)
    processed_images: int = Field(ge=0)
    progress_percent: Annotated[float, Field(ge=0, le=100)]
    error_message: str | None = None
    lot: LotRecord
    operator: str = ""
    station: str = ""
    language: Literal["en", "ko"] = "en"
    version: str
    device: str
    config: dict[str, object]
    models: list[ModelProvenance] = Field(default_factory=list)
    batteries: list[BatterySummary] = Field(default_factory=list)
    signatures: list[Signature] = Field(default_factory=list)
    head: str | None = None

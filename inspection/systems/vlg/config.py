"""``configs/vlg.yaml``: what the VLG is asked for, and which of its boxes count."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from inspection.classes import ClassTable, Phrase, class_table
from inspection.config import Config, Fraction, load_section
from inspection.paths import config_path
from inspection.records import MODALITIES, BatteryType, Modality

Side = Annotated[int, Field(ge=64, le=4096)]


class VlgLimits(Config):
    """Which boxes count, and how large an image the model sees.

    Parameters
    ----------
    box_threshold : a box counts where the surest word of its phrase is at least as sure
    text_threshold : and the words of its phrase are as sure on average
    nms_iou : of two boxes of one defect type that overlap more, the surer stays
    spot_iou : of two boxes of different types that overlap more, the surer names the spot
    spot_containment : so it does of two of any type, one of which lies in the other to this share
    max_boxes : per image, the surest ones
    short_side, long_side : the image is scaled until its shorter side is ``short_side``, or its
        longer one ``long_side``, whichever is smaller
    floor_short_side : where memory runs out, the pixels are halved down to this
    """

    box_threshold: Fraction
    text_threshold: Fraction
    nms_iou: Fraction
    spot_iou: Fraction
    spot_containment: Fraction
    max_boxes: int = Field(ge=1, le=900)
    short_side: Side
    long_side: Side
    floor_short_side: Side

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.floor_short_side <= self.short_side <= self.long_side:
            raise ValueError("floor_short_side, short_side and long_side must not decrease")
        return self

    @property
    def max_pixels(self) -> int:
        """Pixels of the largest image that the model sees."""
        return self.short_side * self.long_side

    def as_trained(self, shorter: int, longer: int) -> VlgLimits:
        """Return these limits with sides no longer than those that a model was trained with."""
        short, long = min(self.short_side, shorter), min(self.long_side, longer)
        short = min(short, long)
        floor = min(self.floor_short_side, short)
        return self.model_copy(
            update={"short_side": short, "long_side": long, "floor_short_side": floor}
        )

    def fewer_pixels(self) -> VlgLimits | None:
        """Return these limits with half the pixels, None where that is under the floor."""
        short, long = (round(side / math.sqrt(2)) for side in (self.short_side, self.long_side))
        if short < self.floor_short_side:
            return None
        return self.model_copy(update={"short_side": short, "long_side": long})

    def recorded(self) -> dict[str, float]:
        """Return the numbers that a session records."""
        names = ("box_threshold", "text_threshold", "nms_iou", "spot_iou", "spot_containment")
        return {name: float(getattr(self, name)) for name in (*names, "max_boxes", "max_pixels")}


class Query(Config):
    """One kind of defect.

    Parameters
    ----------
    phrases : what it is called; any of them stands for it
    defect_type : its class by the type of the battery; it cannot occur where there is none
    """

    phrases: Annotated[list[Phrase], Field(min_length=1)]
    defect_type: Annotated[dict[BatteryType | Literal["unknown"], str], Field(min_length=1)]


def queries_of(table: ClassTable, modality: Modality) -> list[Query]:
    """Return what the class table has the VLG look for in a modality's images."""
    queries = []
    for names in table.kinds.values():
        rows = [(name, table.rows[name]) for name in names]
        phrases = dict.fromkeys(phrase for _, row in rows for phrase in row.phrases)
        if not phrases or rows[0][1].modality != modality:
            continue
        # A battery whose name says nothing of its type has the kind's first class.
        types: dict[BatteryType | Literal["unknown"], str] = {"unknown": names[0]}
        for name, row in reversed(rows):
            either = (row.battery_type,) if row.battery_type else get_args(BatteryType)
            types |= dict.fromkeys(either, name)
        queries.append(Query(phrases=list(phrases), defect_type=types))
    return queries


class VlgConfig(Config):
    """The VLG's settings.

    Parameters
    ----------
    version : of the queries
    limits : which boxes count
    queries : what to look for, by modality; by default the phrases of the class table
    """

    version: int = Field(ge=1)
    limits: VlgLimits
    queries: Annotated[
        dict[Modality, Annotated[list[Query], Field(min_length=1)]], Field(min_length=2)
    ] = Field(default_factory=lambda: {m: queries_of(class_table(), m) for m in MODALITIES})

    @model_validator(mode="after")
    def _clear(self) -> Self:
        for modality, queries in self.queries.items():
            phrases = [phrase for query in queries for phrase in query.phrases]
            twice = next((p for p in phrases if phrases.count(p) > 1), None)
            if twice is not None:
                raise ValueError(f"the phrase {twice!r} stands for two defects")
            for name in (name for query in queries for name in query.defect_type.values()):
                if name not in class_table().defects(modality):
                    raise ValueError(f"{name!r} is no defect type of {modality}")
        return self

    def phrases(self, modality: Modality) -> tuple[str, ...]:
        """Return every phrase that is looked for in a modality's images."""
        return tuple(phrase for query in self.queries[modality] for phrase in query.phrases)

    def defect_types(self, modality: Modality, battery_type: BatteryType | None) -> dict[str, str]:
        """Return the defect type of each phrase that can be found in a battery."""
        return {
            phrase: query.defect_type[battery_type or "unknown"]
            for query in self.queries[modality]
            if (battery_type or "unknown") in query.defect_type
            for phrase in query.phrases
        }

    def identity(self) -> str:
        """Return the version and hash of the queries, recorded with results."""
        queries = self.model_dump(mode="json")["queries"]
        digest = hashlib.sha256(json.dumps(queries, sort_keys=True).encode("utf-8")).hexdigest()
        return f"v{self.version} sha256:{digest}"


def load_vlg_config(path: Path | None = None) -> VlgConfig:
    """Return the VLG's settings, by default the installed ones.

    Raises
    ------
    ConfigError
        If the file is missing, malformed, or has an unknown or wrong key.
    """
    file = path or config_path("vlg.yaml")
    return load_section(file, VlgConfig, "vlg", with_site=path is None)

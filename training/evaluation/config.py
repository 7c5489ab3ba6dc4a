"""``configs/evaluation.yaml``: intervals, report and the grid of the fusion search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field

from inspection.comparison.bootstrap import BootstrapConfig
from inspection.config import Config, Fraction, Positive, SliceThreshold, load_config
from inspection.errors import ConfigError
from inspection.paths import config_path
from inspection.results import FusionMethod


class CalibrationConfig(Config):
    """Equal-width bins of confidence."""

    bins: int = Field(default=15, ge=2, le=100)


class LocalisationConfig(Config):
    """A box is right where its overlap with a labelled defect is over ``iou``."""

    iou: float = Field(default=0.5, ge=0.0, lt=1.0)


class ReportConfig(Config):
    """How much the HTML report shows."""

    batteries_shown: int = Field(default=12, ge=0)
    pictures_per_battery: int = Field(default=3, ge=1)
    picture_side: int = Field(default=360, ge=64, le=2000)


class AggregationGrid(Config):
    """Values tried for the step from images to a battery."""

    slice_threshold: list[SliceThreshold] = Field(min_length=1)
    min_run: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    top_k_views: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)


class WeightedAverageGrid(Config):
    """Values tried for the weighted average; ``w_ae`` is ``1 - w_cnn``."""

    w_cnn: list[Fraction] = Field(min_length=1)
    threshold: list[Fraction] = Field(min_length=1)


class VotingGrid(Config):
    """Values tried for the vote."""

    cnn_threshold: list[Fraction] = Field(min_length=1)
    ae_threshold_multiplier: list[Positive] = Field(min_length=1)
    tie_breaker: list[Literal["cnn", "ae", "uncertain"]] = Field(min_length=1)


class RuleBasedGrid(Config):
    """Values tried for the rules; the fallback keeps the current policy's own parameters."""

    high_confidence_cnn: list[Fraction] = Field(min_length=1)
    low_confidence_cnn: list[Fraction] = Field(min_length=1)
    ae_multiplier_high: list[Positive] = Field(min_length=1)
    ae_multiplier_low: list[Positive] = Field(min_length=1)
    fallback_method: list[Literal["weighted_average", "voting"]] = Field(min_length=1)


class FusionGrid(Config):
    """What `trainer fuse` tries; above ``max_overkill`` a policy counts as useless."""

    max_overkill: Fraction = 0.5
    methods: list[FusionMethod] = Field(min_length=1)
    aggregation: AggregationGrid
    weighted_average: WeightedAverageGrid
    voting: VotingGrid
    rule_based: RuleBasedGrid


class EvaluationConfig(Config):
    """The whole file."""

    bootstrap: BootstrapConfig = BootstrapConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    localisation: LocalisationConfig = LocalisationConfig()
    report: ReportConfig = ReportConfig()
    fusion: FusionGrid


def load_evaluation(path: Path | None = None) -> EvaluationConfig:
    """Return the evaluation's configuration, by default the installed one.

    Raises
    ------
    ConfigError
        If the file is missing, malformed, or has an unknown or wrong key; names the key.
    """
    return load_config(path or config_path("evaluation.yaml"), EvaluationConfig)


def with_methods(grid: FusionGrid, methods: Sequence[str]) -> FusionGrid:
    """Return the grid for some methods only; none given leaves it as it is.

    Raises
    ------
    ConfigError
        If a method is unknown.
    """
    known = get_args(FusionMethod)
    for method in methods:
        if method not in known:
            raise ConfigError("fuse_method_unknown", method=method, known=", ".join(known))
    # In the known order and once each, however they were typed.
    chosen = [method for method in known if method in methods]
    return grid.model_copy(update={"methods": chosen}) if chosen else grid

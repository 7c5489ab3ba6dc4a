"""``configs/features.yaml`` as a type; unknown keys are refused."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from inspection.images.preprocess import Preprocess
from inspection.records import Modality
from inspection.systems.ensemble.features_network import FeatureArchitecture
from training.autoencoder.config import AutoencoderConfig, FolderConfig, PaintedConfig
from training.autoencoder.thresholds import ThresholdConfig
from training.data.image_cache import CacheConfig
from training.loop.config import RunConfig, TrainingFile
from training.loop.sizes import check_multiple


class FitConfig(RunConfig):
    """The fit.

    Parameters
    ----------
    folds : parts of the batteries; each is judged by a fit to the others, and from what these say
        come what is normal at each place, and the threshold
    shrinkage : of the covariance towards features that do not depend on each other
    memory : places of normal pictures that ``knn`` remembers
    """

    batch_size: int = Field(default=8, ge=1)
    folds: int = Field(default=4, ge=2)
    shrinkage: float = Field(default=0.05, gt=0.0, le=1.0)
    memory: int = Field(default=8000, ge=1)


class FeaturesConfig(TrainingFile):
    """One detector of frozen features; ``name`` is the bundle's.

    Parameters
    ----------
    pixels : where given, the input's sides are chosen for the normal pictures' own shape, with
        about so many pixels in all; else ``preprocess`` says them
    """

    model: Literal["features"]
    modality: Modality
    name: str = Field(min_length=1)
    demo: bool = False
    architecture: FeatureArchitecture = FeatureArchitecture()
    preprocess: Preprocess
    pixels: int | None = Field(default=None, ge=64 * 64, le=1 << 23)
    folder: FolderConfig = FolderConfig()
    training: FitConfig = FitConfig()
    threshold: ThresholdConfig = ThresholdConfig()
    cache: CacheConfig = CacheConfig()

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        for side in ("width", "height"):
            value = getattr(self.preprocess, side)
            check_multiple(value, self.architecture.step, "preprocess", side)
        return self

    @property
    def run_name(self) -> str:
        """Name of the run."""
        return f"features_{self.architecture.backbone}_{self.modality}_{self.architecture.method}"


class CombinedConfig(PaintedConfig):
    """A detector of frozen features and one that is taught with painted defects, as one.

    Parameters
    ----------
    features, fit : of the frozen features; everything else is the taught detector's
    """

    model: Literal["combined"]
    features: FeatureArchitecture = FeatureArchitecture()
    fit: FitConfig = FitConfig()

    @model_validator(mode="after")
    def _features_can_be_built(self) -> Self:
        for side in ("width", "height"):
            check_multiple(getattr(self.preprocess, side), self.features.step, "preprocess", side)
        return self

    def of_taught(self) -> AutoencoderConfig:
        """Return the taught detector's own configuration."""
        rest = self.model_dump(exclude={"model", "features", "fit"})
        return AutoencoderConfig.model_validate({**rest, "model": "autoencoder"})

    def of_features(self) -> FeaturesConfig:
        """Return the frozen features' own configuration, with the same input."""
        return FeaturesConfig(
            model="features",
            modality=self.modality,
            name=self.name,
            demo=self.demo,
            architecture=self.features,
            preprocess=self.preprocess,
            training=self.fit,
            threshold=self.threshold,
            cache=self.cache,
        )

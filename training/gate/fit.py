"""From the features of training images and the limits of held-out ones to a gate. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection.errors import ConfigError
from inspection.gate.references import Features, FeatureSpace, GateReferences

AXES = 48
"""Directions in which the training pictures differ; more only describes their noise."""
IMAGES_PER_AXIS = 4
SHRINKAGE = 0.05
"""Of the covariance towards a sphere: a sample says little of directions of little spread."""
FEWEST_OF_A_CLASS = 20
"""Under this a class has no centre of its own."""
RARE = 1e-4
"""Share of the held-out images that may lie beyond what is taken as their largest distance."""
MARGIN = 1.25
"""From the largest distance of a held-out image to the limit."""
STRANGE_MARGIN = 1.15
"""The same for a battery's median, which spreads less."""
FEWEST_IMAGES = 16


@dataclass(frozen=True, slots=True, eq=False)
class LookedAt:
    """What a model computes of the images of some lots.

    Parameters
    ----------
    features : (N, d) float32 by group
    labels : (N,) what the model says
    sharpness : (N,) grey levels
    batteries : (N,) lot and battery of each image
    """

    features: Mapping[str, Features]
    labels: NDArray[np.str_]
    sharpness: NDArray[np.float64]
    batteries: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, kept: NDArray[np.bool_]) -> LookedAt:
        """Return some of the images."""
        features = {name: values[kept] for name, values in self.features.items()}
        return LookedAt(features, self.labels[kept], self.sharpness[kept], self.batteries[kept])


def fit_gate(
    seen: LookedAt, held_out: LookedAt, weights: str, fitted_on: str = "", checked_on: str = ""
) -> GateReferences:
    """Fit a gate.

    Parameters
    ----------
    seen : images that the model was trained on
    held_out : others of the same kind, which set the limits
    weights : SHA-256 of the model's weights
    fitted_on, checked_on : names of the lots

    Raises
    ------
    ConfigError
        If there are too few images.
    """
    if min(len(seen), len(held_out)) < FEWEST_IMAGES:
        raise ConfigError("gate_few_images", least=FEWEST_IMAGES)
    spaces = {}
    for name, features in seen.features.items():
        space = _space(features, seen.labels)
        found = space.distances(held_out.features[name])
        limits = MARGIN * np.quantile(found, 1.0 - RARE, axis=0)
        spaces[name] = FeatureSpace(
            space.mean,
            space.scale,
            space.axes,
            space.whiten,
            space.centres,
            np.maximum(limits, 1e-6).astype(np.float32),
        )
    without_median = GateReferences(spaces, weights, 0.0, 1.0)
    distances = without_median.unlikeness(held_out.features)
    return GateReferences(
        spaces,
        weights,
        sharpness=float(min(seen.sharpness.min(), held_out.sharpness.min())),
        strange=float(STRANGE_MARGIN * max(medians(distances, held_out.batteries).values())),
        fitted_on=fitted_on,
        checked_on=checked_on,
    )


def medians(distances: NDArray[np.float64], batteries: NDArray[np.str_]) -> dict[str, float]:
    """Return the median distance of each battery's images."""
    return {
        str(name): float(np.median(distances[batteries == name])) for name in np.unique(batteries)
    }


def _space(features: Features, labels: NDArray[np.str_]) -> FeatureSpace:
    wide = features.astype(np.float64)
    mean, spread = wide.mean(axis=0), wide.std(axis=0)
    # A feature that is always the same must not make the least change of it a distance.
    scale = spread + 1e-3 * spread.mean() + 1e-9
    z = (wide - mean) / scale
    count = max(1, min(AXES, len(z) // IMAGES_PER_AXIS, z.shape[1]))
    _, directions = np.linalg.eigh(z.T @ z)
    # Stored in half precision, so that the limits are found with what will be compared.
    axes = directions[:, ::-1][:, :count].T.astype(np.float16).astype(np.float64)  # (k, d)
    along = z @ axes.T  # (N, k)
    names, sizes = np.unique(labels, return_counts=True)
    common = names[sizes >= FEWEST_OF_A_CLASS]
    centres = np.stack([along[labels == name].mean(axis=0) for name in common] or [along.mean(0)])
    nearest = np.square(along[:, None] - centres).sum(axis=2).argmin(axis=1)
    offsets = along - centres[nearest]
    covariance = offsets.T @ offsets / len(offsets)
    covariance += SHRINKAGE * np.trace(covariance) / count * np.eye(count) + 1e-9 * np.eye(count)
    whiten = np.linalg.cholesky(np.linalg.inv(covariance))
    parts = (mean, scale, axes, whiten, centres, np.ones(2))
    return FeatureSpace(*(np.ascontiguousarray(part, np.float32) for part in parts))

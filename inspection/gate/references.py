"""What a model has seen, small enough to lie beside it: ``gate.safetensors``.

A picture's features are what the model computes of it anyway, in a few groups (`FeatureSpace`).
In each group two distances tell what is like nothing that the model was taught on: within the
directions in which its training pictures differ (Hotelling's T²), and beside them (the squared
prediction error). Both are divided by a limit from pictures that the model was not trained on.

References
----------
Jackson, Mudholkar, Control procedures for residuals associated with principal component analysis,
Technometrics 21 (1979).
Lee et al., A simple unified framework for detecting out-of-distribution samples,
arXiv:1807.03888.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inspection.errors import BundleError

GATE_FILE = "gate.safetensors"
Features = NDArray[np.float32]
Part = Literal["mean", "scale", "axes", "whiten", "centres", "limits"]
PARTS: tuple[Part, ...] = ("mean", "scale", "axes", "whiten", "centres", "limits")


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSpace:
    """One group of features of the training pictures, ``d`` numbers a picture.

    Parameters
    ----------
    mean, scale : (d,) float32, of each feature
    axes : (k, d) float32, orthonormal, along which the standardised features differ most
    whiten : (k, k) float32, makes the spread around the centres the same in every direction
    centres : (c, k) float32, the mean of each class
    limits : (2,) float32, largest distances within and beside the axes that are still known
    """

    mean: Features
    scale: Features
    axes: Features
    whiten: Features
    centres: Features
    limits: Features

    def __post_init__(self) -> None:
        d, k = self.mean.shape[0], self.axes.shape[0]
        shapes = {"mean": (d,), "scale": (d,), "axes": (k, d), "whiten": (k, k),
                  "centres": (len(self.centres), k), "limits": (2,)}  # fmt: skip
        for name in PARTS:
            part = getattr(self, name)
            if part.shape != shapes[name] or not np.isfinite(part).all():
                raise ValueError(f"{name} is {part.shape}, or not finite")
        if not len(self.centres) or min(self.scale.min(), self.limits.min()) <= 0:
            raise ValueError("no centre, or a scale or limit that is not positive")

    def distances(self, features: Features) -> NDArray[np.float64]:
        """Return (N, 2) distances within and beside the axes, before the limits.

        Parameters
        ----------
        features : (N, d) float32
        """
        z = (features - self.mean) / self.scale
        along = z @ self.axes.T  # (N, k)
        rest = z - along @ self.axes
        offsets = (along[:, None] - self.centres) @ self.whiten  # (N, c, k)
        within = np.sqrt(np.square(offsets, dtype=np.float64).sum(axis=2).min(axis=1))
        beside = np.sqrt(np.square(rest, dtype=np.float64).mean(axis=1))
        return np.stack([within, beside], axis=1)


class _Figures(BaseModel):
    """What the file says beside the arrays."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_version: Literal[1] = 1
    weights: str
    sharpness: float = Field(ge=0.0)
    strange: float = Field(gt=0.0)
    fitted_on: str
    checked_on: str


@dataclass(frozen=True, slots=True, eq=False)
class GateReferences:
    """What a gate compares a model's pictures with.

    Parameters
    ----------
    spaces : by the name of the group of features
    weights : SHA-256 of the weights that they were computed with; of no other model's
    sharpness : of the least sharp picture that the model was checked on
    strange : largest median distance of a battery's images that is still known
    fitted_on, checked_on : the lots
    """

    spaces: Mapping[str, FeatureSpace]
    weights: str
    sharpness: float
    strange: float
    fitted_on: str = ""
    checked_on: str = ""

    def unlikeness(self, features: Mapping[str, Features]) -> NDArray[np.float64]:
        """Return (N,) distances from all that the model has seen; over 1 is like none of it.

        Parameters
        ----------
        features : (N, d) of each group

        Raises
        ------
        ValueError
            If a group is missing or of another size: they are another model's.
        """
        if features.keys() != self.spaces.keys():
            raise ValueError(f"features {sorted(features)}, expected {sorted(self.spaces)}")
        found = []
        for name, space in self.spaces.items():
            if features[name].shape[1] != space.mean.shape[0]:
                raise ValueError(f"{name} has {features[name].shape[1]} features")
            found.append((space.distances(features[name]) / space.limits).max(axis=1))
        largest: NDArray[np.float64] = np.max(found, axis=0)
        # What has no distance is no picture that was seen.
        return np.nan_to_num(largest, nan=np.inf, posinf=np.inf)

    def to_bytes(self) -> bytes:
        """Return the file's content."""
        from safetensors.numpy import save

        arrays = {
            f"{name}.{part}": np.ascontiguousarray(getattr(space, part))
            for name, space in self.spaces.items()
            for part in PARTS
        }
        # The axes are nine tenths of the file, and the most that half precision moves a
        # distance by is a thousandth.
        halved = {k: v.astype(np.float16) if k.endswith(".axes") else v for k, v in arrays.items()}
        figures = _Figures(
            weights=self.weights,
            sharpness=self.sharpness,
            strange=self.strange,
            fitted_on=self.fitted_on,
            checked_on=self.checked_on,
        )
        content: bytes = save(halved, {"gate": figures.model_dump_json()})
        return content

    @classmethod
    def read(cls, path: Path, weights: str) -> GateReferences:
        """Read a model's references.

        Parameters
        ----------
        weights : SHA-256 of the model's weights

        Raises
        ------
        BundleError
            If they are damaged, or were fitted with other weights.
        """
        from safetensors import SafetensorError, safe_open

        names = {"folder": path.parent.name, "file": path.name}
        try:
            with safe_open(path, framework="numpy") as stream:
                figures = _Figures.model_validate(json.loads(stream.metadata()["gate"]))
                arrays = {key: stream.get_tensor(key).astype(np.float32) for key in stream.keys()}  # noqa: SIM118
            groups = dict.fromkeys(key.partition(".")[0] for key in arrays)
            spaces = {
                name: FeatureSpace(**{part: arrays[f"{name}.{part}"] for part in PARTS})
                for name in groups
            }
        except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
            problem = "not a gate" if isinstance(error, ValidationError) else str(error)
            raise BundleError("bundle_gate_damaged", **names, problem=problem) from error
        if figures.weights != weights:
            raise BundleError("bundle_gate_of_another", **names)
        return cls(
            spaces,
            figures.weights,
            figures.sharpness,
            figures.strange,
            figures.fitted_on,
            figures.checked_on,
        )

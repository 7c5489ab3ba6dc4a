"""Known answers: a few tiny pictures, and what a model said of them when it was exported.

A file's digest tells that it is the file that was written, not that it is a model that can tell
pictures apart. What it says of pictures whose answers are known tells that. Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from inspection.errors import BundleError
from inspection.records import Modality

ANSWERS_NAME = "answers.safetensors"
MAX_SIDE = 64
"""Of a picture, in pixels: kilobytes beside megabytes of weights."""
MAX_PICTURES = 16
MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class KnownAnswers:
    """Pictures with their answers.

    Parameters
    ----------
    pictures : (h, w) uint8 for CT, (h, w, 3) for RGB; at most `MAX_SIDE` high and wide
    outputs : (N, K) float32, a row a picture: the classes' probabilities, the score, and the mean
        of the map
    """

    pictures: tuple[NDArray[np.uint8], ...]
    outputs: NDArray[np.float32]

    def as_bytes(self) -> bytes:
        """Return the content of the file."""
        pictures = {f"picture.{n:02}": picture for n, picture in enumerate(self.pictures)}
        return save({**pictures, "outputs": self.outputs})


def read_answers(folder: Path, name: str, modality: Modality) -> KnownAnswers:
    """Read the known answers of a bundle.

    Raises
    ------
    BundleError
        If the file cannot be read, or holds something else than pictures and their answers.
    """
    unreadable = BundleError("bundle_unreadable", folder=folder.name, file=name)
    try:
        if (folder / name).stat().st_size > MAX_BYTES:
            raise unreadable
        content = load((folder / name).read_bytes())
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise unreadable from error
    outputs = content.pop("outputs", np.empty(0))
    pictures = tuple(content[key] for key in sorted(content))
    ndim = 2 if modality == "ct" else 3
    sound = all(
        picture.dtype == np.uint8
        and picture.ndim == ndim
        and picture.shape[2:] in ((), (3,))
        and min(picture.shape[:2]) >= 1
        and max(picture.shape[:2]) <= MAX_SIDE
        for picture in pictures
    )
    # One picture could not show that a model tells two apart.
    counted = 2 <= len(pictures) <= MAX_PICTURES
    if not (sound and counted and outputs.dtype == np.float32 and outputs.ndim == 2):
        raise unreadable
    if len(outputs) != len(pictures) or not outputs.size or not np.isfinite(outputs).all():
        raise unreadable
    return KnownAnswers(pictures, outputs)

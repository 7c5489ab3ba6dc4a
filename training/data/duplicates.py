"""Copies of images under other names: by file, by pixels, and nearly so.

Two pictures of different bodies in one holder look alike, but their finest texture does not agree;
that of a copy does, also after it was compressed anew, brightened or scaled.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inspection.errors import ImageError, InspectionError
from inspection.images.decoding import Decoder
from inspection.images.preprocess import ImageData, load_image
from inspection.records import ImageSource, Modality, Rect, Section, source_name
from inspection.volumes.opening import open_volume
from training.data.stack_windows import DeepStack

HASH_SIDE = 128
"""The ROI is reduced to a square of this side before it is hashed."""
COARSE_DISTANCE = 8
"""Bits of the 64-bit hash that copies differ in at most; a quick first sieve."""
FINE_DISTANCE = 16
"""The same for the 256-bit hash; other bodies differ in 26 bits or more on synthetic lots."""
TEXTURE_SIDE, TEXTURE_SIGMA = 256, 2.0
SAME_TEXTURE = 0.8
"""Correlation of what is finer than the blur: 0.83 and more for copies."""
NEAREST = 3
"""Candidates per image."""
MOST_CANDIDATES = 20_000
"""Pairs whose pixels are compared; decoding more would take longer than all the rest."""
_BLOCK = 128

Copy = Literal["identical", "near"]


@dataclass(frozen=True, slots=True)
class Compared:
    """An image to be compared.

    Parameters
    ----------
    roi : width and height of the part that counts, from the corner; None: the content
    stack : of a slice, which may need a window to be seen at all
    """

    source: ImageSource
    modality: Modality
    roi: tuple[int, int] | None
    stack: DeepStack | None = None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is kept of an image.

    Parameters
    ----------
    digest : of the file, or of a plane's values
    coarse : perceptual hash of 64 bits
    fine : perceptual hash of 256 bits, (4,) uint64
    size : (width, height) of the whole image
    """

    digest: bytes
    coarse: int
    fine: NDArray[np.uint64]
    size: tuple[int, int]


def near_pairs(
    coarse: NDArray[np.uint64], fine: NDArray[np.uint64], groups: NDArray[np.int64]
) -> list[tuple[int, int]]:
    """Return pairs of images of different groups whose hashes are close, the closest first.

    Parameters
    ----------
    coarse : (N,) 64-bit hashes
    fine : (N, 4) 256-bit hashes
    groups : (N,) images of one group are not compared

    Returns
    -------
    list of (int, int)
        At most ``NEAREST`` for each image.
    """
    # By group, so that the rest of a row is one slice.
    order = np.argsort(groups, kind="stable")
    coarse, fine, groups = coarse[order], fine[order], groups[order]
    found: list[tuple[int, int, int]] = []
    for start in range(0, len(order), _BLOCK):
        rows = slice(start, start + _BLOCK)
        # Later groups only: every pair is met once.
        first = int(np.searchsorted(groups, groups[start], side="right"))
        if first == len(order):
            break
        distances = np.bitwise_count(coarse[rows, None] ^ coarse[None, first:])
        near_row, near_column = np.nonzero(distances <= COARSE_DISTANCE)
        left, right = near_row + start, near_column + first
        apart = groups[left] < groups[right]
        left, right = left[apart], right[apart]
        bits = np.bitwise_count(fine[left] ^ fine[right]).sum(axis=1, dtype=np.int64)
        close = bits <= FINE_DISTANCE
        left, right, bits = left[close], right[close], bits[close]
        seen: dict[int, int] = defaultdict(int)
        for index in np.lexsort((right, bits)):
            row = int(left[index])
            if seen[row] < NEAREST:
                seen[row] += 1
                found.append((int(bits[index]), int(order[row]), int(order[right[index]])))
    return [(one, two) for _, one, two in sorted(found)]


def sign(image: Compared) -> Fingerprint | InspectionError:
    """Return what is kept of an image, or why it cannot be read."""
    try:
        digest = _digest(image.source)
        side = (HASH_SIDE, HASH_SIDE)
        loaded = _load(image, side)
    except InspectionError as error:
        return error
    except OSError as error:
        problem = error.strerror or str(error)
        return ImageError("image_unreadable", name=source_name(image.source), problem=problem)
    small = cv2.resize(_grey(loaded.pixels), side, interpolation=cv2.INTER_AREA)
    picture = Image.fromarray(small)
    return Fingerprint(
        digest,
        int(_words(imagehash.phash(picture, 8))[0]),
        _words(imagehash.phash(picture, 16)),
        loaded.source_size,
    )


def _digest(source: ImageSource) -> bytes:
    if isinstance(source, Section):
        plane = open_volume(source.volume).section(source.axis, source.number)
        return hashlib.blake2b(np.ascontiguousarray(plane).tobytes(), digest_size=16).digest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()


def _words(found: imagehash.ImageHash) -> NDArray[np.uint64]:
    return np.packbits(found.hash.ravel()).view(np.uint64)


def compare(pair: tuple[Compared, Compared]) -> Copy | None:
    """Return whether one image is a copy of the other, looking at the pixels."""
    # Both were read before; a file that has gone bad since is not worth the whole check.
    one, two = (_load(image).pixels for image in pair)
    if one.shape == two.shape and np.array_equal(one, two):
        return "identical"
    alike = float(np.vdot(_texture(one), _texture(two)))
    return "near" if alike >= SAME_TEXTURE else None


def _load(image: Compared, fit: tuple[int, int] | None = None) -> ImageData:
    """Return the labelled part of an image, else the part that is inspected.

    A label's frame does not move with the pixels' values, as the content's box may by a pixel: a
    copy that was made a little brighter is cut alike.
    """
    window = image.stack.window if image.stack else None
    if image.roi is None:
        return load_image(image.source, modality=image.modality, fit=fit, window=window)
    decoder = Decoder(image.source, image.modality)
    (width, height), size = image.roi, decoder.size
    scale = 1.0 if fit is None else min(1.0, fit[0] / width, fit[1] / height)
    frame = decoder.decode(scale, window)
    rows = math.ceil(height * frame.shape[0] / size[1])
    columns = math.ceil(width * frame.shape[1] / size[0])
    roi = Rect(0, 0, min(width, size[0]), min(height, size[1]))
    return ImageData(np.ascontiguousarray(frame[:rows, :columns]), roi, size)


def _texture(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the finest detail with norm 1, (256, 256) float32."""
    side = (TEXTURE_SIDE, TEXTURE_SIDE)
    small = cv2.resize(_grey(pixels), side, interpolation=cv2.INTER_AREA).astype(np.float32)
    # What is coarser is the holder and the light, the same for every body.
    fine = small - cv2.GaussianBlur(small, (0, 0), TEXTURE_SIGMA)
    fine -= fine.mean()
    return np.asarray(fine / max(float(np.linalg.norm(fine)), 1e-6), np.float32)


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.ndim == 2:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)

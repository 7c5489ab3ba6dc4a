"""A plain folder of normal images: which ones show the same part, and which are kept for test."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from inspection.errors import ConfigError
from inspection.images.preprocess import load_image
from inspection.records import ImageRef
from training.autoencoder.config import FolderConfig
from training.autoencoder.views import View, split_by_battery

log = logging.getLogger(__name__)

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
HELD_OUT_NAME = "test_images.txt"
ALIKE = 0.8
"""Correlation of two pictures' small versions from which they show the same part."""
SMALL = 48
"""Side of those small versions, pixels."""


def read_folder(folder: Path, normal: str) -> list[View]:
    """Return the normal images of a plain folder, ``folder/normal``, in a fixed order.

    Every image's ``battery`` is the group of images that look like it, such as one part taken at
    several exposures: near-duplicates must not be on both sides of a split.

    Raises
    ------
    ConfigError
        If there is no such folder or there are fewer than two images in it.
    ImageError
        If one cannot be read.
    """
    paths = list_images(folder / normal)
    if len(paths) < 2:
        raise ConfigError("ae_folder_empty", folder=f"{folder.name}/{normal}", found=len(paths))
    groups = group_alike(paths)
    return [
        plain_view(p, i, f"group{g}") for i, (p, g) in enumerate(zip(paths, groups, strict=True))
    ]


def list_images(folder: Path) -> list[Path]:
    """Return the image files right in a folder, sorted; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)


def plain_view(path: Path, number: int, group: str, defects: tuple[str, ...] = ()) -> View:
    """Return a view of an image that belongs to no lot."""
    return View(ImageRef(path, "rgb", group, None, number, None, None, None), group, defects)


def group_alike(paths: Sequence[Path]) -> list[int]:
    """Return the group of each image; images that look alike are in one.

    Where more than half of them look alike (parts that lie in a fixture), likeness says nothing
    about which are the same part: then each image is a group by itself.
    """
    prints = np.stack([_fingerprint(path) for path in paths])
    # Alike is no equivalence: what is alike in steps is one group too, and stays on one side.
    rows, columns = [], []
    for start in range(0, len(prints), 512):
        # In blocks: the products of ten thousand images would take 400 MB at once.
        alike = prints[start : start + 512] @ prints.T > ALIKE
        row, column = np.nonzero(alike)
        rows.append(row + start)
        columns.append(column)
    row, column = np.concatenate(rows), np.concatenate(columns)
    links = coo_matrix((np.ones(len(row), bool), (row, column)), shape=(len(paths),) * 2)
    _, groups = connected_components(links, directed=False)
    if np.bincount(groups).max() > len(paths) / 2:
        log.warning("more than half of the images look alike: split image by image")
        return list(range(len(paths)))
    return [int(group) for group in groups]


def _fingerprint(path: Path) -> NDArray[np.float32]:
    """Return a unit vector of an image's fine structure, whatever its brightness."""
    image = cv2.cvtColor(load_image(path, modality="rgb").pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(image, (SMALL, SMALL), interpolation=cv2.INTER_AREA).astype(np.float32)
    # In the logarithm another exposure is a shift; the 8 keeps the noise of dark pixels down.
    light = np.log(small + 8.0)
    detail = cv2.GaussianBlur(light, (0, 0), 1.0) - cv2.GaussianBlur(light, (0, 0), 5.0)
    detail /= np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 5.0)) + 0.01
    # Stripes along the sides (machining, edges) are common to different parts.
    detail -= detail.mean(axis=0, keepdims=True)
    detail -= detail.mean(axis=1, keepdims=True)
    length = float(np.linalg.norm(detail))
    return np.asarray(detail / max(length, 1e-6), np.float32).ravel()


def hold_out(views: Sequence[View], config: FolderConfig) -> tuple[list[View], list[View]]:
    """Return (views to learn from, views kept for test); no group is on both sides."""
    return split_by_battery(views, config.test_share, config.seed)


def write_held_out(out: Path, data: Path, views: Sequence[View]) -> Path:
    """Record in the run's folder which images are kept for test, relative to ``data``."""
    path = out / HELD_OUT_NAME
    lines = [v.ref.path.relative_to(data).as_posix() for v in views]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def read_held_out(out: Path) -> list[str] | None:
    """Return the recorded paths, relative to the data; None where the run was not on a folder."""
    path = out / HELD_OUT_NAME
    if not path.is_file():
        return None
    return path.read_text(encoding="utf-8").splitlines()

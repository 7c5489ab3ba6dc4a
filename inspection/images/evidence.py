"""Pictures and heat-maps kept with a session, so that every verdict can be looked at again.

Per battery, under ``evidence/{battery}/``: ``maps.npz`` with the small heat-map of every image
(uint8, the fixed display scale), and for the worst slices and views the picture itself, the
coloured heat-map, the overlay and the boxes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence, Set
from concurrent.futures import Executor, wait
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.atomic import battery_file_name, make_folder, write_atomic
from inspection.errors import SessionError
from inspection.images.grey import GreyWindow
from inspection.images.heatmaps import colourise, overlay
from inspection.images.preprocess import load_image
from inspection.predictions import Prediction
from inspection.results import Box, ImageResult

MAPS_NAME = "maps.npz"
PICTURE_SIDE = 640
"""Longest side of a saved picture, pixels: readable in a report, small on the disk."""
BOX_COLOUR = (64, 200, 255)


def keep_evidence(
    evidence_dir: Path,
    battery_id: str,
    predictions: Mapping[str, Prediction],
    worst: Set[str],
    pool: Executor,
) -> dict[str, dict[str, str]]:
    """Write a battery's heat-maps, and pictures of its worst images.

    Parameters
    ----------
    evidence_dir : ``evidence/`` of a session
    battery_id : the battery
    predictions : image name to prediction
    worst : names of the images whose pictures are kept
    pool : draws the pictures, since coding them would take one core longer than judging a few
        images; everything is on the disk when this returns, for the window shows it at once

    Returns
    -------
    dict
        Image name to its evidence: ``map`` as ``file#entry``, and for the worst ones ``image``,
        ``heatmap``, ``overlay`` and ``boxes``; paths are relative to the session's folder.

    Raises
    ------
    SessionError
        If the disk refuses: a verdict that nobody can look at again is none.
    """
    try:
        name = battery_file_name(battery_id)
        folder = evidence_dir / name
        make_folder(folder)
        inside = f"{evidence_dir.name}/{name}"
        drawn = {
            image: pool.submit(_write_pictures, folder, prediction)
            for image, prediction in predictions.items()
            if image in worst
        }
        try:
            entries = {image: f"{number:05d}" for number, image in enumerate(predictions)}
            levels = {
                entries[image]: np.round(prediction.anomaly_map * 255).astype(np.uint8)
                for image, prediction in predictions.items()
            }
            buffer = io.BytesIO()
            np.savez_compressed(buffer, **levels)  # type: ignore[arg-type]
            write_atomic(folder / MAPS_NAME, buffer.getvalue())
        finally:
            wait(drawn.values())
        kept = {}
        for image in predictions:
            evidence = {"map": f"{inside}/{MAPS_NAME}#{entries[image]}"}
            if image in drawn:
                files = drawn[image].result()
                evidence |= {kind: f"{inside}/{file}" for kind, file in files.items()}
            kept[image] = evidence
        return kept
    except OSError as error:
        problem = error.strerror or str(error)
        raise SessionError(
            "session_evidence_failed", battery=battery_id, problem=problem
        ) from error


def read_map(session: Path, result: ImageResult) -> NDArray[np.float32] | None:
    """Return an image's heat-map, (h, w) float32 in [0, 1], or None where none was kept."""
    entry = result.evidence.get("map")
    if entry is None:
        return None
    file, _, name = entry.rpartition("#")
    path = session / file
    if not path.is_file():
        return None
    with np.load(path) as maps:
        if name not in maps:
            return None
        return np.asarray(maps[name], np.float32) / np.float32(255)


def read_kept(session: Path, relative: str) -> NDArray[np.uint8] | None:
    """Return an evidence picture, (h, w, 3) RGB.

    Parameters
    ----------
    session : session folder
    relative : path from it, as the result file names it

    Returns
    -------
    array or None
        None where the file is missing, unreadable, no picture, or outside the session: nobody is
        shown a file that a doctored session points at.
    """
    path = (session / relative).resolve()
    if not path.is_relative_to(session.resolve()):
        return None
    try:
        raw = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError:
        return None
    pixels = cv2.imdecode(raw, cv2.IMREAD_COLOR_RGB) if raw.size else None
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _write_pictures(folder: Path, prediction: Prediction) -> dict[str, str]:
    roi = prediction.roi
    ref = prediction.image
    # The content box is found again from the same bytes.
    fit = (PICTURE_SIDE, PICTURE_SIDE)
    window = GreyWindow(*prediction.window) if prediction.window else None
    image = load_image(ref.source, modality=ref.modality, fit=fit, window=window).pixels
    scale = min(1.0, PICTURE_SIDE / max(roi.w, roi.h))
    size = (max(1, round(roi.w * scale)), max(1, round(roi.h * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    picture = small if small.ndim == 3 else np.repeat(small[..., None], 3, 2)
    heat = np.asarray(
        cv2.resize(prediction.anomaly_map, size, interpolation=cv2.INTER_LINEAR), np.float32
    )
    pictures = {
        "image": picture,
        "heatmap": colourise(heat),
        "overlay": overlay(picture, heat),
        "boxes": draw_boxes(picture, prediction.pred_boxes, (roi.x, roi.y), scale),
    }
    stem = f"{ref.modality}_{ref.axis or 'view'}_{ref.number:04d}"
    names = {}
    for kind, pixels in pictures.items():
        names[kind] = f"{stem}_{kind}.jpg"
        coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
        write_atomic(folder / names[kind], coded.tobytes())
    return names


def draw_boxes(
    picture: NDArray[np.uint8], boxes: Sequence[Box], origin: tuple[int, int], scale: float
) -> NDArray[np.uint8]:
    """Return a copy of ``picture`` (h, w, 3) with source-pixel boxes drawn on it.

    Parameters
    ----------
    picture : RGB picture of the part of the source that begins at ``origin``
    boxes : boxes in source pixels
    origin : source (x, y) of the picture's top-left corner
    scale : picture pixels per source pixel
    """
    drawn = picture.copy()
    for box in boxes:
        x, y = box.x - origin[0], box.y - origin[1]
        corner = (round(x * scale), round(y * scale))
        opposite = (round((x + box.w) * scale), round((y + box.h) * scale))
        cv2.rectangle(drawn, corner, opposite, BOX_COLOUR, 2)
    return drawn

"""Heat-maps: from feature cells to source pixels, boxes, peaks and pictures. Numpy in and out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.records import Rect
from inspection.results import Box, Peak

FloatMap = NDArray[np.float32]
Picture = NDArray[np.uint8]

FINE_PER_CELL = 4
"""Samples per feature cell of a cropped map; enough for a smooth peak, still small to store."""
COMPONENT_SIDE = 1024
"""Longest side, in pixels, of the map in which boxes of large images are searched."""


def boxes_from_heatmap(heat: FloatMap, threshold: float, min_area: float) -> list[Box]:
    """Return the connected regions of a heat-map as boxes, hottest first.

    Parameters
    ----------
    heat : (H, W) float32 in [0, 1], source pixels
    threshold : heat above which a pixel belongs to a region; 8 neighbours connect
    min_area : smallest region kept, in source pixels

    Raises
    ------
    ValueError
        If `heat` is not two-dimensional.

    References
    ----------
    Selvaraju et al., Grad-CAM, arXiv:1610.02391, section 3.
    """
    if heat.ndim != 2:
        raise ValueError(f"heat must be (H, W), got {heat.shape}")
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (heat > threshold).astype(np.uint8), connectivity=8
    )
    sums = np.bincount(labels.ravel(), weights=heat.ravel().astype(np.float64), minlength=count)
    boxes = []
    for label in range(1, count):
        x, y, w, h, area = (int(value) for value in stats[label])
        if area >= min_area:
            boxes.append(Box(x=x, y=y, w=w, h=h, score=min(1.0, float(sums[label]) / area)))
    return sorted(boxes, key=lambda box: (-(box.score or 0.0), box.y, box.x))


def crop_to_content(heat: FloatMap, content: Rect, input_size: tuple[int, int]) -> FloatMap:
    """Return the part of a map that covers the content of the network's input.

    The input is the ROI scaled and padded; the map covers all of it, padding included, in cells
    that seldom end where the content ends. So a coarse map is resampled, with cubic weights,
    because those keep a peak that lies between two cells where it is.

    Parameters
    ----------
    heat : (h, w) float32 in [0, 1] over the whole input
    content : the ROI's place in the input, input pixels
    input_size : (width, height) of the input

    Returns
    -------
    (h', w') float32 in [0, 1] covering exactly the ROI
    """
    cell_h, cell_w = input_size[1] / heat.shape[0], input_size[0] / heat.shape[1]
    if cell_h == cell_w == 1.0:
        part = heat[content.y : content.y + content.h, content.x : content.x + content.w]
        return np.ascontiguousarray(part)
    fine = FINE_PER_CELL if min(cell_h, cell_w) >= FINE_PER_CELL else 1
    out_h = max(1, round(content.h / cell_h * fine))
    out_w = max(1, round(content.w / cell_w * fine))
    step_x, step_y = content.w / out_w, content.h / out_h
    # Output pixel centre -> input pixel -> map index; half pixels because centres are aligned.
    to_map = np.array(
        [
            [step_x / cell_w, 0.0, (content.x + step_x / 2) / cell_w - 0.5],
            [0.0, step_y / cell_h, (content.y + step_y / 2) / cell_h - 0.5],
        ]
    )
    resampled = cv2.warpAffine(
        heat,
        to_map,
        (out_w, out_h),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.clip(resampled, 0.0, 1.0).astype(np.float32)


def to_source(heat: FloatMap, roi: Rect) -> FloatMap:
    """Return the map of a ROI at source resolution, (roi.h, roi.w) float32."""
    return cv2.resize(heat, (roi.w, roi.h), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def peak_of(heat: FloatMap, roi: Rect) -> Peak:
    """Return the hottest point of a ROI's map, in source pixels.

    Between samples it is placed by a parabola through the maximum and its neighbours; on a
    plateau, by the plateau's middle.

    Parameters
    ----------
    heat : (h, w) float32 in [0, 1] covering exactly `roi`
    roi : source pixels
    """
    row, column = (int(i) for i in np.unravel_index(int(np.argmax(heat)), heat.shape))
    value = float(heat[row, column])
    _, labels = cv2.connectedComponents((heat == heat[row, column]).astype(np.uint8))
    rows, columns = np.nonzero(labels == labels[row, column])
    if len(rows) > 1:
        nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
        row, column = int(rows[nearest]), int(columns[nearest])
    fine_y = row + 0.5 + _vertex(heat[:, column], row)
    fine_x = column + 0.5 + _vertex(heat[row, :], column)
    return Peak(
        x=roi.x + min(roi.w - 1, int(fine_x * roi.w / heat.shape[1])),
        y=roi.y + min(roi.h - 1, int(fine_y * roi.h / heat.shape[0])),
        value=min(1.0, max(0.0, value)),
    )


def _vertex(line: FloatMap, index: int) -> float:
    """Return the offset, within half a sample, of the parabola's top around a maximum."""
    if not 0 < index < len(line) - 1:
        return 0.0
    before, here, after = (float(v) for v in line[index - 1 : index + 2])
    curvature = before - 2 * here + after
    if curvature >= 0.0:
        return 0.0
    return max(-0.5, min(0.5, 0.5 * (before - after) / curvature))


def boxes_in_source(heat: FloatMap, roi: Rect, threshold: float, min_area: int) -> list[Box]:
    """Return the hot regions of a ROI's map as boxes in source pixels, hottest first.

    The same as `boxes_from_heatmap` on the map at source resolution, but large images are searched
    at a smaller scale: the map holds far less detail than the source has pixels.

    Parameters
    ----------
    heat : (h, w) float32 in [0, 1] covering exactly `roi`
    roi : source pixels
    threshold : heat above which a pixel belongs to a region
    min_area : smallest region kept, in source pixels
    """
    if float(heat.max()) <= threshold:
        return []
    scale = min(1.0, COMPONENT_SIDE / max(roi.w, roi.h))
    w, h = max(1, round(roi.w * scale)), max(1, round(roi.h * scale))
    scaled = to_source(heat, Rect(0, 0, w, h))
    step_x, step_y = roi.w / w, roi.h / h
    boxes = []
    for box in boxes_from_heatmap(scaled, threshold, min_area / (step_x * step_y)):
        left, top = int(box.x * step_x), int(box.y * step_y)
        right = min(roi.w, round((box.x + box.w) * step_x))
        bottom = min(roi.h, round((box.y + box.h) * step_y))
        boxes.append(
            Box(
                x=roi.x + left,
                y=roi.y + top,
                w=max(1, right - left),
                h=max(1, bottom - top),
                score=box.score,
            )
        )
    return boxes


def colourise(heat: FloatMap) -> Picture:
    """Return a map as an RGB picture, (h, w, 3) uint8, on a fixed scale: black 0, yellow 1."""
    levels = np.round(np.clip(heat, 0.0, 1.0) * 255).astype(np.uint8)
    coloured = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    return cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB).astype(np.uint8)


def overlay(image: Picture, heat: FloatMap, alpha: float = 0.4) -> Picture:
    """Return the picture with the coloured heat-map laid over it, (h, w, 3) uint8.

    Parameters
    ----------
    image : (h, w) or (h, w, 3) uint8, the part of the source that the map covers
    heat : (h', w') float32 in [0, 1]; scaled to the picture
    alpha : share of the heat in the mix; the picture has the rest
    """
    picture = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    h, w = picture.shape[:2]
    coloured = colourise(to_source(heat, Rect(0, 0, w, h)))
    return cv2.addWeighted(picture, 1.0 - alpha, coloured, alpha, 0.0).astype(np.uint8)

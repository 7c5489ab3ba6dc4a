"""Where the content of a CT frame lies: the rest of the canvas is black."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.records import Rect

# Grey over the black background. JPEG ringing and detector noise average to a few grey levels
# in the reduced image; even a dim pouch edge is brighter than this.
_STEP = 12
_LOWEST_THRESHOLD, _HIGHEST_THRESHOLD = 16, 40
# A connected region under this share of the largest one is a hot pixel or a speck of dust.
_SMALLEST_SHARE = 0.002
_MARGIN = 2


def find_content_box(grey: NDArray[np.uint8]) -> Rect | None:
    """Return the box around everything that stands out of the black, or None.

    Parameters
    ----------
    grey : (h, w) uint8, the whole frame, reduced by area so that noise is averaged

    Returns
    -------
    Rect or None
        In pixels of ``grey``, with a margin of two; None where nothing stands out.
    """
    background = float(np.percentile(grey, 10))
    threshold = min(max(background + _STEP, _LOWEST_THRESHOLD), _HIGHEST_THRESHOLD)
    lit = (grey > threshold).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(lit, connectivity=8)
    regions = stats[1:]  # the first is the background
    if not len(regions):
        return None
    areas = regions[:, cv2.CC_STAT_AREA]
    kept = regions[areas >= max(4, _SMALLEST_SHARE * areas.max())]
    if not len(kept):
        return None
    height, width = grey.shape
    left = max(0, int(kept[:, cv2.CC_STAT_LEFT].min()) - _MARGIN)
    top = max(0, int(kept[:, cv2.CC_STAT_TOP].min()) - _MARGIN)
    right = int((kept[:, cv2.CC_STAT_LEFT] + kept[:, cv2.CC_STAT_WIDTH]).max()) + _MARGIN
    bottom = int((kept[:, cv2.CC_STAT_TOP] + kept[:, cv2.CC_STAT_HEIGHT]).max()) + _MARGIN
    return Rect(left, top, min(width, right) - left, min(height, bottom) - top)

"""One image with its heat-map, decoded off the window's thread and ready to be painted."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QImage, QPainter

from app.lot.review import ShownImage
from app.tasks import TaskPool, Ticket
from app.widgets.grey_image import GreyImage, as_qimage
from inspection.errors import ImageError, InspectionError
from inspection.messages import Message
from inspection.names import told_name
from inspection.records import ImageSource, Rect

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Sharp on a 4K screen; a 4000 px JPEG is decoded at half its size.
DECODE_SIDE = 2000
# Of a whole frame, which is shown small beside its answer.
FRAME_PIXELS = 1_500_000
HEAT_SIDE = 512
CACHED = 24
CACHED_BYTES = 192 << 20
"""Of one loader: 24 slices of a JPEG lot, ten of 1,152 x 4,000 in 16 bits."""
HEAT_FLOOR = 0.08
"""Heat below it is not painted at all, so that a good part looks as it is."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded image.

    Parameters
    ----------
    shown : what was asked for
    image : the pixels; None where the file cannot be read, and nothing of it was kept
    roi : what the pixels show, source pixels
    heat : the coloured heat-map with its own transparency; None where there is none
    heat_roi : what the heat-map covers, source pixels
    problem : why there are no pixels, or only those that a session has kept
    grey : stored values, of a CT image
    """

    shown: ShownImage
    image: QImage | None
    roi: Rect
    heat: QImage | None = None
    heat_roi: Rect | None = None
    problem: Message | None = None
    grey: GreyImage | None = None

    @property
    def bytes(self) -> int:
        """What it keeps in memory, near enough."""
        if self.grey is not None:
            return self.grey.bytes
        return self.image.sizeInBytes() if self.image is not None else 0


class Heat(NamedTuple):
    """A heat-map: (h, w) levels in [0, 1], their colours, and what they cover in source pixels."""

    levels: NDArray[np.float32]
    image: QImage
    roi: Rect

    def at(self, x: float, y: float) -> float | None:
        """Return the level at a place in source pixels; None beside the map."""
        h, w = self.levels.shape
        column = math.floor((x - self.roi.x) * w / self.roi.w)
        row = math.floor((y - self.roi.y) * h / self.roi.h)
        return float(self.levels[row, column]) if 0 <= column < w and 0 <= row < h else None


def load_picture(shown: ShownImage) -> Picture:
    """Decode an image and its heat-map.

    A file that cannot be read is a picture with a reason, and with what the session has kept.
    """
    from inspection.images.preprocess import load_image

    found = heat_of(shown)
    heat, heat_roi = (found.image, found.roi) if found else (None, None)
    try:
        if shown.ref.modality == "ct":
            return _of_slice(shown, heat, heat_roi)
        fit = (DECODE_SIDE, DECODE_SIDE)
        data = load_image(shown.ref.source, modality=shown.ref.modality, fit=fit)
    except (InspectionError, OSError) as error:
        return kept_picture(shown, error)
    return Picture(shown, as_qimage(data.pixels), data.roi, heat, heat_roi)


def heat_of(shown: ShownImage) -> Heat | None:
    """Read an image's heat-map; None where none was kept."""
    from inspection.images.evidence import read_map

    result = shown.result
    if result is None or result.roi is None or shown.session is None:
        return None
    levels = read_map(shown.session, result)
    if levels is None:
        return None
    roi = Rect(result.roi.x, result.roi.y, result.roi.w, result.roi.h)
    return Heat(levels, _coloured(levels), roi)


def load_content_picture(shown: ShownImage) -> Picture:
    """Decode an image as the VLM and the VLG are shown it, or what was kept of it."""
    from inspection.images.preprocess import load_content

    try:
        if shown.ref.modality == "ct":
            return _of_slice(shown)
        ref = shown.ref
        data = load_content(ref.source, modality=ref.modality, max_pixels=FRAME_PIXELS)
    except (InspectionError, OSError) as error:
        return kept_picture(shown, error)
    return Picture(shown, as_qimage(data.pixels), data.roi)


def _of_slice(
    shown: ShownImage, heat: QImage | None = None, heat_roi: Rect | None = None
) -> Picture:
    from inspection.images.display import load_shown

    data = load_shown(shown.ref.source, side=DECODE_SIDE, judged=shown.grey, stack=shown.stack)
    grey = GreyImage(data)
    return Picture(shown, grey.under(grey.base), data.roi, heat, heat_roi, grey=grey)


def kept_picture(
    shown: ShownImage, error: InspectionError | OSError, *, whole: bool = False
) -> Picture:
    """Return what a session has kept of an image that cannot be read any more, and say so.

    That is the picture of one of the worst images; of any other the heat-map, on black; without
    either it is the reason alone.

    Parameters
    ----------
    whole : with black around what was kept, as large as the image was
    """
    from inspection.images.evidence import read_kept

    found, result = heat_of(shown), shown.result or shown.kept
    if result is None or result.roi is None or shown.session is None:
        return without_pixels(shown, error)
    named = result.evidence.get("image")
    pixels = read_kept(shown.session, named) if named else None
    if pixels is None and found is None:
        return without_pixels(shown, error)
    if pixels is None:
        image = QImage(1, 1, QImage.Format.Format_Grayscale8)
        image.fill(Qt.GlobalColor.black)
    else:
        image = as_qimage(pixels)
    roi = Rect(result.roi.x, result.roi.y, result.roi.w, result.roi.h)
    if whole and result.width and result.height:
        image, roi = _on_black(image, roi, result.width, result.height)
    gone, unread = ("picture_kept_gone", "picture_kept_unread")
    if pixels is None:
        gone, unread = ("picture_heat_gone", "picture_heat_unread")
    code = unread if shown.ref.path.exists() else gone
    problem = Message(code=code, params={"name": told_name(shown.ref.path.name)})
    heat, heat_roi = (found.image, found.roi) if found else (None, None)
    return Picture(shown, image, roi, heat, heat_roi, problem)


def _on_black(image: QImage, roi: Rect, width: int, height: int) -> tuple[QImage, Rect]:
    scale = min(1.0, DECODE_SIDE / max(width, height))
    canvas = QImage(
        max(1, round(width * scale)),
        max(1, round(height * scale)),
        QImage.Format.Format_RGB888,
    )
    canvas.fill(Qt.GlobalColor.black)
    across, down = canvas.width() / width, canvas.height() / height
    painter = QPainter(canvas)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(QRectF(roi.x * across, roi.y * down, roi.w * across, roi.h * down), image)
    painter.end()
    return canvas, Rect(0, 0, width, height)


def without_pixels(shown: ShownImage, error: InspectionError | OSError) -> Picture:
    """Return the picture of an image that cannot be read, with the reason."""
    if isinstance(error, OSError):
        error = ImageError(
            "image_unreadable", name=shown.ref.file_name, problem=error.strerror or ""
        )
    return Picture(shown, None, Rect(0, 0, 1, 1), problem=error.message)


def _coloured(levels: NDArray[np.float32]) -> QImage:
    """Return (h, w) heat in [0, 1] as colours on the fixed scale, transparent where it is cold."""
    import cv2
    import numpy as np

    from inspection.images.heatmaps import colourise

    h, w = levels.shape
    scale = HEAT_SIDE / max(h, w)
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    resized = np.asarray(cv2.resize(levels, size, interpolation=cv2.INTER_LINEAR), np.float32)
    smooth = np.clip(resized, 0.0, 1.0)
    alpha = np.clip((smooth - HEAT_FLOOR) / (0.5 - HEAT_FLOOR), 0.0, 1.0)
    rgba = np.dstack([colourise(smooth), np.round(alpha * 255).astype(np.uint8)])
    rgba = np.ascontiguousarray(rgba)
    return QImage(rgba.data, size[0], size[1], size[0] * 4, QImage.Format.Format_RGBA8888).copy()


class PictureLoader:
    """Loads the one picture a panel shows; an older request never overtakes a newer one.

    Parameters
    ----------
    pool : decodes the pictures
    loaded, failed : told of a picture, and of an error nobody foresaw
    load : how
    cached : how many pictures are kept
    """

    def __init__(
        self,
        pool: TaskPool,
        loaded: Callable[[Picture], None],
        failed: Callable[[Exception], None],
        load: Callable[[ShownImage], Picture] = load_picture,
        cached: int = CACHED,
    ) -> None:
        self._pool = pool
        self._loaded, self._failed = loaded, failed
        self._load = load
        self._cached = cached
        self._ticket: Ticket | None = None
        self._cache: OrderedDict[tuple[ImageSource, bool], Picture] = OrderedDict()

    def show(self, shown: ShownImage) -> None:
        """Load an image and tell of it; what was asked for before is dropped."""
        self.forget()
        known = self._cache.get(_key(shown))
        # A battery that was inspected again has another heat-map on the same file.
        if known is not None and known.shown == shown:
            self._cache.move_to_end(_key(shown))
            self._loaded(known)
            return
        self._ticket = self._pool.submit(partial(self._load, shown), self._on_loaded, self._failed)

    def forget(self) -> None:
        """Drop what was asked for."""
        if self._ticket is not None:
            self._ticket.cancel()
            self._ticket = None

    def _on_loaded(self, picture: Picture) -> None:
        self._cache[_key(picture.shown)] = picture
        kept = sum(known.bytes for known in self._cache.values())
        while len(self._cache) > self._cached or (kept > CACHED_BYTES and len(self._cache) > 1):
            kept -= self._cache.popitem(last=False)[1].bytes
        self._loaded(picture)


def _key(shown: ShownImage) -> tuple[ImageSource, bool]:
    # With a result comes a heat-map: that is another picture of the same file.
    return shown.ref.source, shown.result is not None

"""From a file to upright 8-bit pixels, with a precise reason where that fails.

- JPEG, PNG, TIFF (one page) and BMP, recognised by content. EXIF orientation is applied
  first; every coordinate of the program refers to the upright image.
- 16-bit pixels become 8-bit by dropping the low byte (``>> 8``), never by stretching each
  image: the same density has the same grey in every slice.
- Transparent pixels are composited on black, the background of a CT frame.
- A damaged file is an error, even where a decoder would fill in grey.
"""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from inspection.errors import ImageError
from inspection.images.headers import (
    ImageHeader,
    MalformedImage,
    SeveralPages,
    TruncatedImage,
    check_complete,
    parse_header,
)
from inspection.records import Modality

# Refused from the header alone, before a decoder allocates: a real slice has 16 Mpx.
MAX_PIXELS = 200_000_000
MAX_FILE_BYTES = 1 << 30
# A scale such as 512/4000 times 4000 must not ask for 513 pixels.
_ROUNDING = 1e-6

Pixels = NDArray[np.uint8]


class Decoder:
    """One file, read and checked on construction, decoded at full or reduced scale.

    Parameters
    ----------
    path : JPEG, PNG, TIFF or BMP
    modality : CT is decoded to grey (h, w), RGB to (h, w, 3)

    Raises
    ------
    ImageError
        If the file cannot be read, is no image, is damaged or over the limits.
    """

    def __init__(self, path: Path, modality: Modality) -> None:
        self._path = path
        self._modality = modality
        self._data = _read_bytes(path)
        self._header = _read_header(path, self._data)
        self._decoded: Pixels | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright image."""
        return self._header.upright_size

    def decode(self, scale: float) -> Pixels:
        """Return the upright image at ``scale`` (1 = full size) or larger, uint8.

        Only a JPEG is decoded at reduced scale; the last result is kept for a second call.
        """
        width, _ = self.size
        done = self._decoded
        if done is None or done.shape[1] < width * scale - _ROUNDING:
            pixels = self._scaled_jpeg(scale) if self._header.format == "jpeg" else None
            if pixels is None:
                pixels = self._by_opencv()
            # OpenCV already turns a TIFF upright.
            orientation = 1 if self._header.format == "tiff" else self._header.orientation
            self._decoded = done = _turn_upright(pixels, orientation)
        return done

    def _scaled_jpeg(self, scale: float) -> Pixels | None:
        """Decode by libjpeg-turbo, every warning an error; None for a CMYK file."""
        try:
            *_, colours, _ = simplejpeg.decode_jpeg_header(self._data)
            if colours in {"CMYK", "YCCK"}:
                return None
            pixels: Pixels = simplejpeg.decode_jpeg(
                self._data,
                "GRAY" if self._modality == "ct" else "RGB",
                min_width=math.ceil(self._header.width * scale - _ROUNDING),
                min_height=math.ceil(self._header.height * scale - _ROUNDING),
            )
        except ValueError as error:
            cut = "premature end of jpeg" in str(error).lower()
            code = "image_truncated" if cut else "image_corrupt"
            raise ImageError(code, name=self._path.name) from error
        return pixels[:, :, 0] if self._modality == "ct" else pixels

    def _by_opencv(self) -> Pixels:
        """Decode by OpenCV, which gives (h, w[, 1|3|4]) BGR(A) of 8 or 16 bit."""
        try:
            decoded = cv2.imdecode(np.frombuffer(self._data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error as error:
            raise ImageError("image_corrupt", name=self._path.name) from error
        if decoded is None or decoded.size == 0:
            raise ImageError("image_corrupt", name=self._path.name)
        if decoded.dtype not in (np.uint8, np.uint16):
            kind = str(decoded.dtype)
            raise ImageError("image_pixel_type", name=self._path.name, pixel_type=kind)
        raw: NDArray[np.uint8 | np.uint16] = np.asarray(decoded)
        pixels = np.asarray(raw >> 8 if raw.dtype == np.uint16 else raw, np.uint8)
        if pixels.ndim == 3 and pixels.shape[2] == 1:
            pixels = pixels[:, :, 0]
        if pixels.ndim == 3 and pixels.shape[2] == 4:
            alpha = pixels[:, :, 3:].astype(np.uint16)
            pixels = np.asarray((pixels[:, :, :3] * alpha + 127) // 255, np.uint8)
        if self._modality == "ct":
            grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
            return np.asarray(grey, np.uint8)
        code = cv2.COLOR_GRAY2RGB if pixels.ndim == 2 else cv2.COLOR_BGR2RGB
        return np.asarray(cv2.cvtColor(pixels, code), np.uint8)


def _turn_upright(pixels: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF orientation: 5..8 transpose first, then the flips of 1..4."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    # EXIF 2.32, tag 0x0112: which stored row and column is the visual top and left.
    flip_rows, flip_columns = {
        2: (False, True),
        3: (True, True),
        4: (True, False),
        6: (False, True),
        7: (True, True),
        8: (True, False),
    }.get(orientation, (False, False))
    if flip_rows:
        pixels = pixels[::-1]
    if flip_columns:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _read_bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ImageError("image_file_too_large", name=path.name, megabytes=size >> 20)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError("image_missing", name=path.name) from error
    except OSError as error:
        problem = error.strerror or str(error)
        raise ImageError("image_unreadable", name=path.name, problem=problem) from error


def _read_header(path: Path, data: bytes) -> ImageHeader:
    """Read a whole file's header and check that the file is what the header says."""
    name = path.name
    if not data:
        raise ImageError("image_empty", name=name)
    try:
        header = parse_header(data)
        if header is None:
            raise ImageError("image_unknown_format", name=name)
        if header.width < 1 or header.height < 1:
            raise MalformedImage("no pixels")
        if header.width * header.height > MAX_PIXELS:
            raise ImageError(
                "image_too_large",
                name=name,
                width=header.width,
                height=header.height,
                limit=MAX_PIXELS // 1_000_000,
            )
        check_complete(data, header.format)
    except SeveralPages as error:
        raise ImageError("image_several_pages", name=name) from error
    except TruncatedImage as error:
        raise ImageError("image_truncated", name=name) from error
    except MalformedImage as error:
        raise ImageError("image_corrupt", name=name) from error
    return header

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
_HEADER_BYTES = 1 << 18
# A scale such as 512/4000 times 4000 must not ask for 513 pixels.
_ROUNDING = 1e-6

Pixels = NDArray[np.uint8]


def read_size(path: Path) -> tuple[int, int]:
    """Return (width, height) of the upright image from its header; decodes nothing.

    Raises
    ------
    ImageError
        If the file cannot be read or is not an image.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER_BYTES)
    except OSError as error:
        raise _file_error(path, error) from error
    try:
        header = _read_header(path, head)
    except ImageError as error:
        # A TIFF may keep its directory at the end of the file.
        if error.message.code != "image_truncated" or len(head) < _HEADER_BYTES:
            raise
        header = _read_header(path, _read_bytes(path))
    return header.upright_size


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
        _check_complete(path, self._data, self._header)
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
            self._decoded = done = self._upright(scale)
        return done

    def _upright(self, scale: float) -> Pixels:
        pixels = None
        if self._header.format == "jpeg":
            pixels = self._scaled_jpeg(scale)
        if pixels is None:
            pixels = _to_channels(self._by_opencv(), self._modality)
        # OpenCV already turns a TIFF upright.
        orientation = 1 if self._header.format == "tiff" else self._header.orientation
        return _turn_upright(pixels, orientation)

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

    def _by_opencv(self) -> NDArray[np.uint8 | np.uint16]:
        try:
            pixels = cv2.imdecode(np.frombuffer(self._data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error as error:
            raise ImageError("image_corrupt", name=self._path.name) from error
        if pixels is None or pixels.size == 0:
            raise ImageError("image_corrupt", name=self._path.name)
        if pixels.dtype not in (np.uint8, np.uint16):
            raise ImageError("image_pixel_type", name=self._path.name, pixel_type=str(pixels.dtype))
        return np.asarray(pixels)


def _to_channels(decoded: NDArray[np.uint8 | np.uint16], modality: Modality) -> Pixels:
    """OpenCV's (h, w[, 1|3|4]) BGR(A), 8 or 16 bit -> grey or RGB, 8 bit."""
    wide = decoded.dtype == np.uint16
    pixels = np.asarray(decoded >> 8 if wide else decoded, np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        alpha = pixels[:, :, 3:].astype(np.uint16)
        pixels = np.asarray((pixels[:, :, :3] * alpha + 127) // 255, np.uint8)
    if modality == "ct" and pixels.ndim == 2:
        return pixels
    if modality == "ct":
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
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
    except OSError as error:
        raise _file_error(path, error) from error


def _file_error(path: Path, error: OSError) -> ImageError:
    if isinstance(error, FileNotFoundError):
        return ImageError("image_missing", name=path.name)
    return ImageError("image_unreadable", name=path.name, problem=error.strerror or str(error))


def _read_header(path: Path, data: bytes) -> ImageHeader:
    if not data:
        raise ImageError("image_empty", name=path.name)
    try:
        header = parse_header(data)
    except TruncatedImage as error:
        raise ImageError("image_truncated", name=path.name) from error
    except MalformedImage as error:
        raise ImageError("image_corrupt", name=path.name) from error
    if header is None:
        raise ImageError("image_unknown_format", name=path.name)
    if header.width < 1 or header.height < 1:
        raise ImageError("image_corrupt", name=path.name)
    if header.width * header.height > MAX_PIXELS:
        raise ImageError(
            "image_too_large",
            name=path.name,
            width=header.width,
            height=header.height,
            limit=MAX_PIXELS // 1_000_000,
        )
    return header


def _check_complete(path: Path, data: bytes, header: ImageHeader) -> None:
    try:
        check_complete(data, header.format)
    except SeveralPages as error:
        raise ImageError("image_several_pages", name=path.name) from error
    except TruncatedImage as error:
        raise ImageError("image_truncated", name=path.name) from error
    except MalformedImage as error:
        raise ImageError("image_corrupt", name=path.name) from error

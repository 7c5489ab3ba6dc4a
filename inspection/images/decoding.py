"""From a file, or a plane of a volume, to upright pixels, with a precise reason where that fails.

- JPEG, PNG, TIFF and BMP, recognised by content; what of them is read is the table in
  ``formats.py``. EXIF orientation is applied first; every coordinate of the program refers to the
  upright image.
- Stored values are kept. They become 8-bit pixels under a grey window, or under the file's type
  (``dtype``): 16 bits lose their low byte. Never by stretching each image: the same density has
  the same grey in every slice.
- A damaged file is an error, even where a decoder would fill in grey.
- The same file gives the same pixels.
- A plane of a volume is what `inspection.volumes` reads of it: upright, and always whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from inspection.errors import ImageError
from inspection.images.bmp import decode_bmp, read_bmp_header
from inspection.images.bounds import MAX_PIXELS, memory, read_regular_file
from inspection.images.colours import Values, as_grey, as_rgb
from inspection.images.grey import GreyWindow, Pixels, Stored
from inspection.images.headers import (
    ImageFormat,
    ImageHeader,
    ImageProblem,
    foreign_format,
    sniff_format,
)
from inspection.images.jpeg import decode_jpeg, read_jpeg_header
from inspection.images.png import decode_png, read_png_header
from inspection.images.sections import PlanePixels
from inspection.images.tiff import decode_tiff, read_tiff_header
from inspection.records import SMALLEST_SIDE, ImageSource, Modality, Section, source_name

# A scale such as 512/4000 times 4000 must not ask for 513 pixels.
_ROUNDING = 1e-6
_BAND = 16
_HEADERS = {
    "jpeg": read_jpeg_header,
    "png": read_png_header,
    "bmp": read_bmp_header,
    "tiff": read_tiff_header,
}
# How each of the eight orientations is stored: EXIF 2.32, tag 0x0112.
_TURNED = frozenset({5, 6, 7, 8})
_ROWS_FLIPPED = frozenset({3, 4, 7, 8})
_COLUMNS_FLIPPED = frozenset({2, 3, 6, 7})


class _Pixels(Protocol):
    """What an image is decoded from."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright image."""
        ...

    def bytes_at(self, scale: float) -> int:
        """Return what decoding at a scale takes in memory."""
        ...

    def upright(self, scale: float) -> Values:
        """Return the upright image at ``scale`` or larger."""
        ...


class Decoder:
    """One image, read and checked on construction, decoded at full or reduced scale.

    Parameters
    ----------
    source : a JPEG, PNG, TIFF or BMP file, or a plane of a volume, which is CT
    modality : CT is decoded to grey (h, w), RGB to (h, w, 3)
    may_be_flat : a mask may have one value everywhere; a picture of a part never has

    Raises
    ------
    ImageError
        If the file cannot be read, is no image, is damaged, of a kind that is not read, over the
        limits, or too small to show anything.
    """

    def __init__(
        self, source: ImageSource, modality: Modality, *, may_be_flat: bool = False
    ) -> None:
        self._name = source_name(source)
        self._may_be_flat = may_be_flat
        try:
            self._pixels: _Pixels
            if isinstance(source, Section):
                self._pixels = PlanePixels(source)
            else:
                self._pixels = _FilePixels(source, modality)
        except ImageProblem as problem:
            raise self._error(problem) from problem
        self._stored: Stored | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright image."""
        return self._pixels.size

    def stored(self, scale: float = 1.0) -> Stored:
        """Return the upright image at ``scale`` (1 = full size) or larger, values as stored.

        Only a JPEG is decoded at reduced scale; the last result is kept for a second call.

        Returns
        -------
        (h, w) of a CT image, (h, w, 3) RGB; uint8, uint16, int16 or float32

        Raises
        ------
        ImageError
            If the pixels are damaged, or all of one value.
        """
        done = self._stored
        if done is None or done.shape[1] < self.size[0] * scale - _ROUNDING:
            try:
                with memory.hold(self._pixels.bytes_at(scale)):
                    done = self._pixels.upright(scale)
                    if not self._may_be_flat and _is_flat(done):
                        raise ImageProblem("image_flat")
                    self._stored = done
            except ImageProblem as problem:
                raise self._error(problem) from problem
        return done

    def decode(self, scale: float = 1.0, window: GreyWindow | None = None) -> Pixels:
        """Return the upright image at ``scale`` or larger as 8-bit pixels.

        Parameters
        ----------
        window : the values of 0 and of 255; without one, the range of the file's type

        Raises
        ------
        ImageError
            As `stored`, or if floating values have no window and are not within 0..1.
        """
        stored: Values = self.stored(scale)
        if window is not None:
            return window.apply(stored)
        if stored.dtype == np.uint16:
            return np.asarray(stored >> 8, np.uint8)
        if stored.dtype == np.int16:
            return np.asarray((stored >> 8) + 128, np.uint8)
        if stored.dtype == np.float32:
            low, high = float(stored.min()), float(stored.max())
            if low < 0.0 or high > 1.0:
                raise ImageError("image_needs_window", name=self._name, low=low, high=high)
            return GreyWindow(0.0, 1.0).apply(stored)
        return np.asarray(stored, np.uint8)

    def _error(self, problem: ImageProblem) -> ImageError:
        return ImageError(problem.code, name=self._name, **problem.params)


class _FilePixels:
    """A file that is one image, in memory, its header read."""

    def __init__(self, path: Path, modality: Modality) -> None:
        self._modality = modality
        self._data = read_regular_file(path, _format_of)
        self._header = _read_header(self._data)

    @property
    def size(self) -> tuple[int, int]:
        return self._header.upright_size

    def bytes_at(self, scale: float) -> int:
        return self._header.bytes_at(scale)

    def upright(self, scale: float) -> Values:
        header = self._header
        values: Values
        if header.format == "jpeg":
            grey = self._modality == "ct"
            values = decode_jpeg(self._data, grey, (header.width, header.height), scale)
        else:
            decode = {"png": decode_png, "bmp": decode_bmp, "tiff": decode_tiff}[header.format]
            found = decode(self._data)
            values = as_grey(found) if self._modality == "ct" else as_rgb(found)
        turned = header.orientation
        if turned in _TURNED:
            values = values.swapaxes(0, 1)
        if turned in _ROWS_FLIPPED:
            values = values[::-1]
        if turned in _COLUMNS_FLIPPED:
            values = values[:, ::-1]
        return np.ascontiguousarray(values)


def _is_flat(values: Values) -> bool:
    # From the top down, since most pictures differ in their first rows.
    tops = range(0, len(values), _BAND)
    return not any((values[top : top + _BAND] != values[0, 0]).any() for top in tops)


def load_frame(path: Path, modality: Modality) -> Pixels:
    """Return a whole file's upright 8-bit pixels under the range of its type."""
    return Decoder(path, modality).decode()


def load_stored(path: Path, modality: Modality) -> Stored:
    """Return a whole file's upright values as stored."""
    return Decoder(path, modality).stored()


def _format_of(data: bytes) -> ImageFormat:
    """Tell the format by a file's first bytes."""
    if not data:
        raise ImageProblem("image_empty")
    kind = sniff_format(data)
    if kind is not None:
        return kind
    if foreign := foreign_format(data):
        raise ImageProblem("image_foreign_format", value=foreign)
    raise ImageProblem("image_unknown_format")


def _read_header(data: bytes) -> ImageHeader:
    """Read a whole file's header, check that the file is what it says, and hold the limits."""
    header = _HEADERS[_format_of(data)](data)
    width, height = header.width, header.height
    if width < 1 or height < 1:
        raise ImageProblem("image_corrupt")
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise ImageProblem("image_too_large", width=width, height=height, limit=limit)
    if min(width, height) < SMALLEST_SIDE:
        raise ImageProblem("image_too_small", width=width, height=height, limit=SMALLEST_SIDE)
    if header.work_bytes > memory.total:
        raise ImageProblem(
            "image_takes_too_much_memory",
            width=width,
            height=height,
            megabytes=header.work_bytes >> 20,
            limit=memory.total >> 20,
        )
    return header

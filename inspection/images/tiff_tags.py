"""The directory of a TIFF: every number checked against the file before anything is decoded."""

from __future__ import annotations

import math
import re
import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspection.images.formats import (
    FLOAT,
    SIGNED,
    TIFF_COLOURS,
    TIFF_COMPRESSION,
    TIFF_EXTRA,
    TIFF_PIXELS,
    TIFF_PLANAR,
    TIFF_PREDICTOR,
    UNDEFINED,
    UNSIGNED,
)
from inspection.images.headers import ImageProblem

WIDTH, HEIGHT, BITS, COMPRESSION, COLOURS, FILL_ORDER = 256, 257, 258, 259, 262, 266
DESCRIPTION, STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS, STRIP_COUNTS = 270, 273, 274, 277, 278, 279
PLANAR, PREDICTOR, PALETTE, TILE_WIDTH, TILE_HEIGHT = 284, 317, 320, 322, 323
TILE_OFFSETS, TILE_COUNTS, SUB_DIRECTORIES, EXTRA, SAMPLE_FORMAT = 324, 325, 330, 338, 339
JPEG_TABLES, DEPTH, TILE_DEPTH = 347, 32997, 32998

NONE, LZW, JPEG, DEFLATE, DEFLATE_OLD, PACK_BITS = 1, 5, 7, 8, 32946, 32773
MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE_COLOURS, YCBCR = 0, 1, 2, 3, 6
ASSOCIATED, UNASSOCIATED = 1, 2

# Bytes of one value of a field type.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
          16: 8, 17: 8, 18: 8}  # fmt: skip
_NUMBERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_MOST_ENTRIES = 4096
_MOST_SEGMENTS = 1 << 20
_MOST_SUB_DIRECTORIES = 16
_SMALLEST_TILE = 8
# What ImageJ writes of a stack of which only the first picture has a directory, and tifffile.
_IMAGEJ_COUNT = re.compile(rb"^(?:images|slices|frames|channels)=(\d+)", re.MULTILINE)
_SHAPE = re.compile(rb'^\{"shape": \[([\d, ]+)\]')
# ImageJ's calibration of signed 16-bit values, which it stores as unsigned.
_IMAGEJ_SIGNED = re.compile(rb"^c0=-32768(?:\.0*)?\s*\nc1=1(?:\.0*)?\s*$", re.MULTILINE)


class Field(NamedTuple):
    """An entry of a directory: where its values lie."""

    kind: int
    length: int
    start: int


class Directory:
    """One directory, bounded by the file.

    Parameters
    ----------
    at : where it begins

    Raises
    ------
    ImageProblem
        If it does not lie within the file.
    """

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self.order, big = tiff_layout(data)
        word, count_code = ("Q", "Q") if big else ("I", "H")
        entry = struct.Struct(self.order + "HH" + word)
        inline = struct.calcsize(word)
        self.fields: dict[int, Field] = {}
        try:
            (entries,) = struct.unpack_from(self.order + count_code, data, at)
            if entries > _MOST_ENTRIES:
                raise ImageProblem("image_corrupt")
            at += struct.calcsize(self.order + count_code)
            for _ in range(entries):
                tag, kind, count = entry.unpack_from(data, at)
                start = at + entry.size
                if _SIZES.get(kind, 0) * count > inline:
                    (start,) = struct.unpack_from(self.order + word, data, start)
                self.fields.setdefault(tag, Field(kind, count, start))
                at += entry.size + inline
            (self.link,) = struct.unpack_from(self.order + word, data, at)
        except (struct.error, OverflowError) as error:
            raise ImageProblem("image_truncated") from error

    def numbers(self, tag: int) -> NDArray[np.uint64]:
        """Return the whole numbers of a field; empty without it."""
        field = self.fields.get(tag)
        code = _NUMBERS.get(field.kind) if field else None
        if field is None or code is None:
            return np.zeros(0, np.uint64)
        if field.start + field.length * _SIZES[field.kind] > len(self._data):
            raise ImageProblem("image_truncated")
        found = np.frombuffer(self._data, self.order + code, field.length, field.start)
        return found.astype(np.uint64)

    def number(self, tag: int, otherwise: int) -> int:
        """Return the first number of a field."""
        found = self.numbers(tag)
        return int(found[0]) if len(found) else otherwise

    def raw(self, tag: int) -> bytes:
        """Return the bytes of a field; empty without it or where they do not lie in the file."""
        field = self.fields.get(tag)
        if field is None:
            return b""
        return self._data[field.start : field.start + field.length * _SIZES.get(field.kind, 0)]

    def bytes_outside(self) -> int:
        """Return how many bytes of the file the values take that do not fit into the entries."""
        sizes = (_SIZES.get(field.kind, 0) * field.length for field in self.fields.values())
        return sum(size for size in sizes if size > 4)


class TiffLayout(NamedTuple):
    """How the pixels of the one picture lie in the file.

    Parameters
    ----------
    order : ``<`` or ``>``
    samples : of a pixel, those beyond the colours included
    extra : meanings of the samples beyond the colours, at most one
    pixel_format : unsigned, signed or floating
    separate : a plane for each sample
    columns, rows : of a strip or tile
    offsets, counts : of the strips or tiles, planes one behind the other
    """

    order: str
    width: int
    height: int
    orientation: int
    bits: int
    pixel_format: int
    samples: int
    extra: tuple[int, ...]
    colours: int
    compression: int
    predictor: int
    reversed_bits: bool
    separate: bool
    tiled: bool
    columns: int
    rows: int
    offsets: NDArray[np.uint64]
    counts: NDArray[np.uint64]
    palette: NDArray[np.uint64]
    tables: bytes
    imagej_signed: bool

    @property
    def planes(self) -> int:
        """How many planes there are."""
        return self.samples if self.separate else 1

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of a strip or tile, without compression."""
        samples = 1 if self.separate else self.samples
        return (self.columns * samples * self.bits + 7) // 8

    def segment_rows(self, index: int) -> int:
        """Return how many rows of the picture a strip has; a tile is always whole."""
        if self.tiled:
            return self.rows
        down = math.ceil(self.height / self.rows)
        return min(self.rows, self.height - index % down * self.rows)


def tiff_layout(data: bytes) -> tuple[str, bool]:
    """Return the byte order, and whether it is a BigTIFF."""
    return "<" if data[:2] == b"II" else ">", data[2:4] in {b"+\0", b"\0+"}


def read_tiff_layout(data: bytes) -> TiffLayout:
    """Read the one directory, and refuse what is not read by its name.

    Raises
    ------
    ImageProblem
        If the file is cut short or damaged, holds several pictures, or is of a kind that is not
        read.
    """
    order, big = tiff_layout(data)
    try:
        (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    except struct.error as error:
        raise ImageProblem("image_truncated") from error
    page = Directory(data, at)
    width, height = page.number(WIDTH, 0), page.number(HEIGHT, 0)
    if width < 1 or height < 1:
        raise ImageProblem("image_corrupt")
    _refuse_several(data, page, width, height)
    layout = _describe(page, order, width, height)
    if not len(layout.counts) and layout.compression == NONE and len(layout.offsets) == 1:
        # Old writers leave out what follows from the rest.
        whole = np.array([layout.row_bytes * layout.rows], np.uint64)
        layout = layout._replace(counts=whole)
    _check_segments(data, page, layout)
    return layout


def _refuse_several(data: bytes, page: Directory, width: int, height: int) -> None:
    """Refuse further pages, thumbnails among them, and stacks behind one directory."""
    if page.link:
        if WIDTH in Directory(data, page.link).fields:
            raise ImageProblem("image_several_pages")
        raise ImageProblem("image_corrupt")
    for at in page.numbers(SUB_DIRECTORIES)[:_MOST_SUB_DIRECTORIES].tolist():
        if WIDTH in Directory(data, at).fields:
            raise ImageProblem("image_several_pages")
    if page.number(DEPTH, 1) > 1 or page.number(TILE_DEPTH, 1) > 1:
        raise ImageProblem("image_several_pages")
    text = page.raw(DESCRIPTION)
    if text.startswith(b"ImageJ="):
        if any(int(count) > 1 for count in _IMAGEJ_COUNT.findall(text[:1000])):
            raise ImageProblem("image_several_pages")
    elif found := _SHAPE.match(text[:200]):
        shape = [int(size) for size in found[1].split(b",") if size.strip()]
        if math.prod(shape) > width * height * page.number(SAMPLES, 1):
            raise ImageProblem("image_several_pages")


def _describe(page: Directory, order: str, width: int, height: int) -> TiffLayout:
    samples = page.number(SAMPLES, 1)
    bits, formats = page.numbers(BITS), page.numbers(SAMPLE_FORMAT)
    if len(set(bits.tolist())) > 1 or len(set(formats.tolist())) > 1:
        mixed = ", ".join(str(value) for value in (*bits.tolist()[:8], *formats.tolist()[:8]))
        raise ImageProblem("image_pixel_type", value=mixed)
    depth = int(bits[0]) if len(bits) else 1
    # A format of 4 is "undefined", which scanners and maps write of plain numbers.
    pixel_format = int(formats[0]) if len(formats) else UNSIGNED
    pixel_format = UNSIGNED if pixel_format == UNDEFINED else pixel_format
    compression = page.number(COMPRESSION, NONE)
    TIFF_COMPRESSION.check(compression)
    colours = page.number(COLOURS, RGB if samples >= 3 else MIN_IS_BLACK)
    TIFF_COLOURS.check(colours)
    letters = {SIGNED: "int", FLOAT: "float"}.get(pixel_format, "uint")
    TIFF_PIXELS.check((pixel_format, depth), f"{letters}{depth}")
    planar = page.number(PLANAR, 1)
    TIFF_PLANAR.check(planar)
    extra = _extra_samples(page, samples, colours)
    _refuse_combinations(colours, compression, depth, pixel_format, extra)
    predictor = 1
    if compression in (LZW, DEFLATE, DEFLATE_OLD):
        predictor = page.number(PREDICTOR, 1)
        TIFF_PREDICTOR.check(predictor)
        fits = {2: depth in (8, 16) and pixel_format != FLOAT, 3: pixel_format == FLOAT}
        if not fits.get(predictor, True):
            raise ImageProblem("image_predictor", value=f"{predictor}, {depth} bit")
    tiled = TILE_OFFSETS in page.fields
    rows = page.number(TILE_HEIGHT, 0) if tiled else page.number(ROWS, height)
    columns = page.number(TILE_WIDTH, 0) if tiled else width
    if rows < 1 or columns < 1 or (tiled and min(rows, columns) < _SMALLEST_TILE):
        raise ImageProblem("image_corrupt")
    orientation = page.number(ORIENTATION, 1)
    return TiffLayout(
        order=order,
        width=width,
        height=height,
        orientation=orientation if 1 <= orientation <= 8 else 1,
        bits=depth,
        pixel_format=pixel_format,
        samples=samples,
        extra=extra,
        colours=colours,
        compression=compression,
        predictor=predictor,
        reversed_bits=page.number(FILL_ORDER, 1) == 2,
        separate=planar == 2 and samples > 1,
        tiled=tiled,
        columns=columns,
        rows=rows if tiled else min(rows, height),
        offsets=page.numbers(TILE_OFFSETS if tiled else STRIP_OFFSETS),
        counts=page.numbers(TILE_COUNTS if tiled else STRIP_COUNTS),
        palette=page.numbers(PALETTE),
        tables=page.raw(JPEG_TABLES),
        imagej_signed=bool(_IMAGEJ_SIGNED.search(page.raw(DESCRIPTION)[:1000])),
    )


def _extra_samples(page: Directory, samples: int, colours: int) -> tuple[int, ...]:
    """Return the meaning of the one sample that may lie beyond the colours."""
    of_colour = 3 if colours in (RGB, YCBCR) else 1
    beyond = samples - of_colour
    if beyond < 0:
        raise ImageProblem("image_corrupt")
    if beyond > 1:
        raise ImageProblem("image_extra_samples", value=beyond)
    stated = page.numbers(EXTRA).tolist()
    extra = tuple(stated[:beyond]) + (0,) * (beyond - len(stated))
    for meaning in extra:
        TIFF_EXTRA.check(meaning)
    return extra


def _refuse_combinations(
    colours: int, compression: int, bits: int, pixel_format: int, extra: tuple[int, ...]
) -> None:
    """Refuse what the fields allow one by one and nobody can mean together."""
    if colours == YCBCR and compression != JPEG:
        raise ImageProblem("image_colours", value="YCbCr without JPEG")
    if colours == PALETTE_COLOURS and (bits > 8 or pixel_format != UNSIGNED or extra):
        raise ImageProblem("image_colours", value=f"palette {bits}")
    if colours == MIN_IS_WHITE and (pixel_format == FLOAT or extra):
        raise ImageProblem("image_colours", value="min-is-white float or alpha")
    if extra and pixel_format in (SIGNED, FLOAT):
        raise ImageProblem("image_extra_samples", value=len(extra))
    if compression == JPEG and (bits != 8 or pixel_format != UNSIGNED or extra):
        raise ImageProblem("image_pixel_type", value=f"{bits}-bit JPEG")


def _check_segments(data: bytes, page: Directory, layout: TiffLayout) -> None:
    """Check that all strips or tiles are there, and that no second picture hides behind them."""
    down = math.ceil(layout.height / layout.rows)
    across = math.ceil(layout.width / layout.columns)
    expected = down * across * layout.planes
    offsets, counts = layout.offsets, layout.counts
    if expected > _MOST_SEGMENTS or len(offsets) != expected or len(counts) != expected:
        raise ImageProblem("image_corrupt")
    if not offsets.all() or not counts.all():
        raise ImageProblem("image_never_written")
    size = np.uint64(len(data))
    if (offsets > size).any() or (counts > size - offsets).any():
        raise ImageProblem("image_truncated")
    # What no field accounts for, where it is as large as the picture, is another picture: stacks
    # of which only the first has a directory.
    picture = down * layout.rows * across * layout.row_bytes * layout.planes
    used = int(counts.sum()) + page.bytes_outside()
    if layout.compression == NONE and len(data) - used >= picture + 4096:
        raise ImageProblem("image_several_pages")

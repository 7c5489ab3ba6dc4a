"""The one table of what is read. Whatever else a file says it holds is refused by its name.

`docs/formats.md` is this table; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from inspection.images.headers import ImageProblem


class Value(NamedTuple):
    """One value of a header's field."""

    name: str
    read: bool


class Aspect(NamedTuple):
    """One field of a container, and what its values mean.

    Parameters
    ----------
    code : of the sentence that refuses a value; it names ``value``
    """

    container: str
    name: str
    code: str
    values: Mapping[int | tuple[int, ...], Value]

    def check(self, value: int | tuple[int, ...], name: str = "") -> None:
        """Refuse a value that is not read.

        Parameters
        ----------
        name : of a value that the table does not have

        Raises
        ------
        ImageProblem
            If it is not read.
        """
        found = self.values.get(value, Value(name or str(value), False))
        if not found.read:
            raise ImageProblem(self.code, value=found.name)


def _values(
    read: Mapping[int | tuple[int, ...], str],
    refused: Mapping[int | tuple[int, ...], str],
) -> dict[int | tuple[int, ...], Value]:
    known = {value: Value(name, True) for value, name in read.items()}
    return known | {value: Value(name, False) for value, name in refused.items()}


JPEG_PROCESS = Aspect(
    "JPEG",
    "process",
    "image_jpeg_process",
    _values(
        {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"},
        {marker: f"SOF{marker - 0xC0}" for marker in range(0xC3, 0xD0)},
    ),
)
JPEG_BITS = Aspect("JPEG", "bits", "image_jpeg_bits", _values({8: "8"}, {12: "12", 16: "16"}))
JPEG_COLOURS = Aspect(
    "JPEG",
    "components",
    "image_colours",
    _values({1: "grey", 3: "YCbCr, RGB"}, {2: "2 components", 4: "CMYK"}),
)
PNG_COLOURS = Aspect(
    "PNG",
    "colour type and bits",
    "image_colours",
    _values(
        {
            **{(0, bits): f"grey {bits}" for bits in (1, 2, 4, 8, 16)},
            **{(2, bits): f"RGB {bits}" for bits in (8, 16)},
            **{(3, bits): f"palette {bits}" for bits in (1, 2, 4, 8)},
            **{(4, bits): f"grey and alpha {bits}" for bits in (8, 16)},
            **{(6, bits): f"RGB and alpha {bits}" for bits in (8, 16)},
        },
        {},
    ),
)
BMP_COMPRESSION = Aspect(
    "BMP",
    "compression",
    "image_compression",
    _values(
        {0: "none", 1: "RLE8", 2: "RLE4", 3: "none, with masks", 6: "none, with alpha mask"},
        {4: "JPEG in BMP", 5: "PNG in BMP", 11: "CMYK", 12: "CMYK RLE8", 13: "CMYK RLE4"},
    ),
)
BMP_BITS = Aspect(
    "BMP",
    "bits a pixel",
    "image_pixel_type",
    _values({bits: f"{bits}" for bits in (1, 4, 8, 16, 24, 32)}, {2: "2", 64: "64"}),
)
TIFF_COMPRESSION = Aspect(
    "TIFF",
    "compression",
    "image_compression",
    _values(
        {1: "none", 5: "LZW", 7: "JPEG", 8: "deflate", 32946: "deflate (old)", 32773: "PackBits"},
        {
            2: "CCITT RLE", 3: "CCITT T.4", 4: "CCITT T.6", 6: "old-style JPEG", 9: "JBIG",
            10: "JBIG colour", 32766: "NeXT", 32809: "ThunderScan", 33003: "JPEG 2000",
            33004: "JPEG 2000", 33005: "JPEG 2000", 33007: "JPEG", 34661: "JBIG",
            34676: "SGI LogLuv", 34677: "SGI LogLuv 24", 34712: "JPEG 2000", 34715: "JBIG2",
            34887: "LERC", 34892: "lossy JPEG", 34925: "LZMA", 34926: "ZSTD", 34927: "WebP",
            34933: "PNG", 34934: "JPEG XR",
            50000: "ZSTD", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
        },
    ),
)  # fmt: skip
TIFF_COLOURS = Aspect(
    "TIFF",
    "photometric",
    "image_colours",
    _values(
        {0: "min-is-white", 1: "min-is-black", 2: "RGB", 3: "palette", 6: "YCbCr (in JPEG)"},
        {
            4: "transparency mask", 5: "CMYK", 8: "CIELab", 9: "ICCLab", 10: "ITULab",
            32803: "CFA", 32844: "LogL", 32845: "LogLuv", 34892: "LinearRaw", 51177: "depth map",
        },
    ),
)  # fmt: skip
UNSIGNED, SIGNED, FLOAT, UNDEFINED = 1, 2, 3, 4
TIFF_PIXELS = Aspect(
    "TIFF",
    "sample format and bits",
    "image_pixel_type",
    _values(
        {
            **{(UNSIGNED, bits): f"uint{bits}" for bits in (1, 2, 4, 8, 10, 12, 14, 16)},
            (SIGNED, 16): "int16",
            (FLOAT, 32): "float32",
        },
        {
            **{(UNSIGNED, bits): f"uint{bits}" for bits in (24, 32, 64)},
            **{(SIGNED, bits): f"int{bits}" for bits in (8, 32, 64)},
            **{(FLOAT, bits): f"float{bits}" for bits in (16, 24, 64)},
            **{(5, bits): f"complex int{bits // 2}" for bits in (16, 32, 64)},
            **{(6, bits): f"complex{bits}" for bits in (64, 128)},
        },
    ),
)
TIFF_PLANAR = Aspect(
    "TIFF", "planes", "image_planes", _values({1: "interleaved", 2: "separate"}, {})
)
TIFF_PREDICTOR = Aspect(
    "TIFF",
    "predictor of LZW and deflate",
    "image_predictor",
    _values(
        {1: "none", 2: "horizontal, 8 and 16 bit", 3: "floating point"},
        {34892: "horizontal x 2", 34893: "horizontal x 4", 34894: "floating point x 2"},
    ),
)
TIFF_EXTRA = Aspect(
    "TIFF",
    "extra sample",
    "image_extra_samples",
    _values(
        {1: "associated alpha", 2: "unassociated alpha", 0: "of no stated meaning, all one value"},
        {},
    ),
)

ASPECTS = (
    JPEG_PROCESS,
    JPEG_BITS,
    JPEG_COLOURS,
    PNG_COLOURS,
    BMP_COMPRESSION,
    BMP_BITS,
    TIFF_COMPRESSION,
    TIFF_COLOURS,
    TIFF_PIXELS,
    TIFF_PLANAR,
    TIFF_PREDICTOR,
    TIFF_EXTRA,
)


def formats_as_markdown() -> str:
    """Return the table as `docs/formats.md` shows it."""
    lines = ["| container | field | read | refused by name |", "|---|---|---|---|"]
    for aspect in ASPECTS:
        read, refused = (
            "; ".join(dict.fromkeys(v.name for v in aspect.values.values() if v.read is wanted))
            for wanted in (True, False)
        )
        lines.append(
            f"| {aspect.container} | {aspect.name} | {read} | {refused or 'anything else'} |"
        )
    return "\n".join(lines) + "\n"

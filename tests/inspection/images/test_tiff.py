"""Every TIFF of the table comes out as it was made, and as other readers have it."""

import io
import itertools

import cv2
import numpy as np
import pytest
import tifffile
from builders.tiff_files import (
    BLACK,
    DEFLATE,
    DEFLATE_OLD,
    JPEG,
    LZW,
    NONE,
    PACK_BITS,
    PALETTE,
    RGB,
    WHITE,
    YCBCR,
    TiffFile,
    lzw,
)
from PIL import Image

from inspection.errors import ImageError
from inspection.images import load_stored

HEIGHT, WIDTH = 37, 29
RNG = np.random.default_rng(20)
COMPRESSIONS = (NONE, LZW, DEFLATE, PACK_BITS)
LAYOUTS = ({}, {"rows": 1}, {"rows": 7}, {"tile": (16, 16)}, {"tile": (16, 48)})


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "a.tif"

    def stored(data, modality="ct"):
        # A new file is written far faster than an old one is written over.
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        return load_stored(path, modality)

    return stored


@pytest.fixture
def code_of(stored):
    def code_of(data, modality="ct"):
        with pytest.raises(ImageError) as caught:
            stored(data, modality)
        assert "a.tif" in caught.value.text("ko")
        return caught.value.message.code

    return code_of


def smooth(samples=None, bits=8):
    """Values of so many bits that change slowly, with some noise, so that every code is used."""
    shape = (HEIGHT, WIDTH, *([samples] if samples else []))
    ramp = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) / (HEIGHT + WIDTH)
    ramp = ramp if samples is None else ramp[:, :, None] * np.linspace(1, 0.4, samples)
    top = (1 << bits) - 1
    values = ramp * top * 0.8 + RNG.integers(0, max(2, top // 6), shape)
    return np.clip(values, 0, top).astype(np.uint8 if bits <= 8 else np.uint16)


def kinds():
    """Yield what is written, and the values it means, (h, w) or (h, w, 3)."""
    for bits in (1, 2, 4, 8, 10, 12, 14, 16):
        values = smooth(bits=bits)
        top = (1 << bits) - 1
        full = values * (255 // top) if bits < 8 else values
        yield TiffFile(values, bits), full
        yield TiffFile(top - values, bits, WHITE), full
        rgb = smooth(3, bits)
        yield TiffFile(rgb, bits, RGB), rgb * (255 // top) if bits < 8 else rgb
    signed = smooth(bits=14).astype(np.int16) - 9000
    yield TiffFile(signed, 16), signed
    yield TiffFile(-1 - signed, 16, WHITE), signed
    floating = (smooth(bits=14).astype(np.float32) - 700) / 123
    yield TiffFile(floating, 32), floating
    colours = (smooth(3, 14).astype(np.float32) - 700) / 123
    yield TiffFile(colours, 32, RGB), colours
    for bits in (1, 2, 4, 8):
        table = RNG.integers(0, 65536, (1 << bits, 3), np.uint16)
        indices = smooth(bits=bits)
        yield (
            TiffFile(indices, bits, PALETTE, palette=table),
            (table >> 8)[indices].astype(np.uint8),
        )
    for bits, samples in itertools.product((8, 16), (2, 4)):
        values, top = smooth(samples, bits), (1 << bits) - 1
        values[:, :, -1] = RNG.integers(0, top + 1, (HEIGHT, WIDTH))
        colours = BLACK if samples == 2 else RGB
        shown = values[:, :, 0] if samples == 2 else values[:, :, :3]
        alpha = values[:, :, -1] if samples == 2 else values[:, :, 3:]
        laid = np.rint(shown * (alpha / top)).astype(values.dtype)
        yield TiffFile(values, bits, colours, extra=(2,)), laid
        yield TiffFile(values, bits, colours, extra=(1,)), shown
        constant = values.copy()
        constant[:, :, -1] = top // 3
        yield TiffFile(constant, bits, colours, extra=(0,)), shown


def matrix():
    """Yield every kind in every layout and compression, the rest of the fields taking turns."""
    count = 0
    for (file, meant), layout, compression in itertools.product(kinds(), LAYOUTS, COMPRESSIONS):
        predictors = [1]
        if compression in (LZW, DEFLATE) and file.bits in (8, 16, 32):
            predictors.append(3 if file.values.dtype.kind == "f" else 2)
        for predictor in predictors:
            count += 1
            separate = file.values.ndim == 3 and count % 2 == 0
            yield (
                file.but(
                    **layout,
                    compression=DEFLATE_OLD
                    if compression == DEFLATE and count % 3
                    else compression,
                    predictor=predictor,
                    separate=separate,
                    order="<>"[count // 2 % 2],
                    big=count // 4 % 2 == 1,
                    orientation=1 + count % 8,
                    reversed_bits=count % 11 == 0,
                ),
                meant,
            )


def upright(values, orientation):
    """Turn what is stored by EXIF 2.32, tag 0x0112, in words of rotation."""
    return {
        1: values,
        2: np.flip(values, 1),
        3: np.rot90(values, 2),
        4: np.flip(values, 0),
        5: np.swapaxes(values, 0, 1),
        6: np.rot90(values, -1),
        7: np.swapaxes(np.rot90(values, 2), 0, 1),
        8: np.rot90(values, 1),
    }[orientation]


def test_whatever_the_table_has_comes_out_as_it_was_made(stored):
    tried = 0
    for file, meant in matrix():
        data = file.bytes()
        got = stored(data, "rgb" if meant.ndim == 3 else "ct")
        wanted = upright(meant, file.orientation)
        assert got.dtype == wanted.dtype, file
        # A product with alpha may be rounded either way.
        off = 1 if file.extra == (2,) else 0
        assert got.shape == wanted.shape, file
        assert np.abs(got.astype(np.float64) - wanted).max() <= off, file
        tried += 1
    assert tried > 1000


def test_other_readers_have_the_same_values(stored):
    read = {"tifffile": 0, "Pillow": 0, "OpenCV": 0}
    for file, _ in matrix():
        if file.bits not in (8, 16, 32):
            continue
        data = file.but(orientation=1).bytes()
        coded = file.compression in (LZW, PACK_BITS) or file.predictor == 3 or file.reversed_bits
        if not coded:
            with tifffile.TiffFile(io.BytesIO(data)) as other:
                found = other.pages[0].asarray()
            found = np.moveaxis(found, 0, 2) if file.separate else found
            assert np.array_equal(found, file.values)
            read["tifffile"] += 1
        if file.bits == 8 and file.colours in (BLACK, RGB) and not file.extra:
            got = stored(data, "rgb" if file.colours == RGB else "ct")
            if not (file.separate or file.big):
                assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), got)
                read["Pillow"] += 1
            if file.tile is None and not file.reversed_bits:
                found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
                assert np.array_equal(found if found.ndim == 2 else found[:, :, ::-1], got)
                read["OpenCV"] += 1
    assert min(read.values()) > 20
    assert read["tifffile"] > 100


@pytest.mark.parametrize("layout", [{}, {"rows": 16}, {"tile": (32, 32)}])
@pytest.mark.parametrize("colours", [BLACK, RGB, YCBCR])
def test_jpeg_in_tiff(stored, layout, colours):
    grey = colours == BLACK
    small = RNG.integers(60, 200, (5, 4) if grey else (5, 4, 3), np.uint8)
    values = cv2.resize(small, (WIDTH * 2, HEIGHT * 2), interpolation=cv2.INTER_LINEAR)
    file = TiffFile(values, 8, colours, JPEG, **layout)
    if colours == RGB:
        # The three components are coded as they are: swapped into what the coder makes of them.
        ycc = cv2.cvtColor(values, cv2.COLOR_RGB2YCrCb)[:, :, [0, 2, 1]]
        got = stored(file.bytes(), "rgb")
        assert np.abs(got.astype(int) - ycc).mean() < 3
    else:
        got = stored(file.bytes(), "ct" if grey else "rgb")
        assert np.abs(got.astype(int) - values).mean() < 3


@pytest.mark.parametrize("mode", ["L", "RGB", "YCbCr"])
@pytest.mark.parametrize("rows", [16, 24, 77])
def test_jpeg_in_tiff_with_tables_of_its_own(stored, mode, rows):
    small = RNG.integers(40, 220, (6, 5, 3), np.uint8)
    made, data = Image.fromarray(cv2.resize(small, (100, 77))).convert(mode), io.BytesIO()
    made.save(data, "TIFF", compression="jpeg", tiffinfo={278: rows})
    shown = Image.open(data).convert("L" if mode == "L" else "RGB")
    got = stored(data.getvalue(), "ct" if mode == "L" else "rgb")
    assert np.array_equal(got, np.asarray(shown))


def test_what_old_and_careless_writers_leave_out_is_understood(stored):
    grey, colours = smooth(), smooth(3)
    for left_out in ({277: None}, {339: None}, {262: None}, {278: None}, {279: None}, {284: None}):
        assert np.array_equal(stored(TiffFile(grey, tags=left_out).bytes()), grey)
    assert np.array_equal(stored(TiffFile(colours, tags={262: None}).bytes(), "rgb"), colours)
    # "Undefined" is what scanners and maps call plain numbers.
    assert np.array_equal(stored(TiffFile(grey, tags={339: (3, [4])}).bytes()), grey)
    coded = TiffFile(grey, compression=LZW).bytes([lzw(grey.tobytes(), end=False)])
    assert np.array_equal(stored(coded), grey)


def test_signed_values_that_imagej_stores_as_unsigned(stored):
    signed = smooth(bits=14).astype(np.int16) - 9000
    text = b"ImageJ=1.53t\nmin=-9000.0\nmax=7000.0\ncf=0\nc0=-32768.0\nc1=1.0\nvunit=HU\n\0"
    shifted = (signed.astype(np.int32) + 32768).astype(np.uint16)
    assert np.array_equal(stored(TiffFile(shifted, 16, tags={270: (2, text)}).bytes()), signed)

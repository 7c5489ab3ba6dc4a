"""PNG, BMP and JPEG of every kind of the table come out as they were made."""

import io
import struct

import cv2
import numpy as np
import pytest
from builders.png_files import chunk, png_file
from PIL import Image

from inspection.images import load_frame, load_stored
from inspection.images.decoding import Decoder
from inspection.images.formats import PNG_COLOURS
from inspection.images.grey import GreyWindow

HEIGHT, WIDTH = 23, 19
RNG = np.random.default_rng(7)


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "a.bin"

    def stored(data, modality="ct", load=load_stored):
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        return load(path, modality)

    return stored


@pytest.mark.parametrize(("colours", "bits"), list(PNG_COLOURS.values))
@pytest.mark.parametrize("transparent", [False, True])
def test_png_of_every_colour_type(stored, colours, bits, transparent):
    samples, top = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours], (1 << bits) - 1
    values = RNG.integers(0, top + 1, (HEIGHT, WIDTH, samples))
    palette = RNG.integers(0, 256, (1 << min(bits, 8), 3), np.uint8)
    opaque = RNG.integers(0, 256, 1 << min(bits, 8), np.uint8)
    before = [chunk(b"PLTE", palette.tobytes())] if colours == 3 else []
    alpha = np.ones((HEIGHT, WIDTH))
    if colours in (4, 6):
        alpha = values[:, :, -1] / top
    elif transparent and bits > 1:
        key = values[3, 3]
        alpha = 1.0 - (values == key).all(axis=2)
        raw = struct.pack(f">{samples}H", *key)
        if colours == 3:
            alpha, raw = opaque[values[:, :, 0]] / 255, opaque.tobytes()
        before.append(chunk(b"tRNS", raw))
    shown = values * (255 // top if bits < 8 and colours == 0 else 1)
    if colours == 3:
        shown = palette[values[:, :, 0]]
    shown = shown[:, :, 0] if colours in (0, 4) else shown[:, :, :3]
    laid = np.rint(shown * (alpha if shown.ndim == 2 else alpha[:, :, None]))
    got = stored(png_file(values, colours, bits, *before), "ct" if shown.ndim == 2 else "rgb")
    assert got.dtype == (np.uint16 if bits == 16 else np.uint8)
    assert np.array_equal(got, laid)


@pytest.mark.parametrize("before", [b"iCCP", b"eXIf", b"zTXt", b"tEXt"])
def test_extras_that_are_broken_do_no_harm(stored, before):
    values = RNG.integers(0, 256, (HEIGHT, WIDTH))
    broken = chunk(before, b"II*\0\xff\xff\xff\xff profile\0\0 that is none")
    assert np.array_equal(stored(png_file(values, 0, 8, broken)), values)
    grey = cv2.resize(RNG.integers(60, 200, (5, 4), np.uint8), (40, 50))
    jpeg = cv2.imencode(".jpg", grey)[1].tobytes()
    for marker, content in (
        (b"\xff\xe1", b"Exif\0\0II*\0\xff\xff"),
        (b"\xff\xe2", b"ICC_PROFILE\0"),
    ):
        segment = marker + struct.pack(">H", len(content) + 2) + content
        assert np.array_equal(stored(jpeg[:2] + segment + jpeg[2:]), stored(jpeg))


def test_one_shot_with_the_marks_of_an_animation_is_one_picture(stored):
    values = RNG.integers(0, 256, (HEIGHT, WIDTH))
    control = struct.pack(">IIIIIHHBB", 0, WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0)
    single = (chunk(b"acTL", struct.pack(">II", 1, 0)), chunk(b"fcTL", control))
    assert np.array_equal(stored(png_file(values, 0, 8, *single)), values)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bmp_of_every_kind_that_pillow_writes(stored, mode):
    colours = Image.fromarray(RNG.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), "RGB")
    made, data = colours.convert(mode), io.BytesIO()
    made.save(data, "BMP")
    assert np.array_equal(stored(data.getvalue(), "rgb"), np.asarray(made.convert("RGB")))


def test_bmp_with_an_alpha_mask_is_laid_on_black(stored):
    values = RNG.integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
    got = stored(cv2.imencode(".bmp", values)[1].tobytes(), "rgb")
    laid = np.rint(values[:, :, 2::-1] * (values[:, :, 3:] / 255))
    assert np.array_equal(got, laid)


def bmp_file(pixels, bits, compression, palette=b"", masks=b"", height=HEIGHT, width=WIDTH):
    offset = 54 + len(masks) + len(palette)
    head = struct.pack("<2sIHHI", b"BM", offset + len(pixels), 0, 0, offset)
    info = (40, width, height, 1, bits, compression, len(pixels), 0, 0, len(palette) // 4, 0)
    return head + struct.pack("<IiiHHIIiiII", *info) + masks + palette + pixels


GREYS = b"".join(bytes([value] * 3 + [0]) for value in range(256))


@pytest.mark.parametrize("padded", [0, 1, 3])
def test_bmp_of_runs(stored, padded):
    values = np.repeat(RNG.integers(0, 256, (HEIGHT, 5)), 4, axis=1)[:, :WIDTH].astype(np.uint8)
    rows = []
    for row in values[::-1]:
        row = np.concatenate([row, np.zeros(padded, np.uint8)])
        # Runs, then the last three as they are, which begins on an even byte.
        runs = b"".join(bytes([1, value]) for value in row[:-3])
        rows.append(runs + bytes([0, 3, *row[-3:], 0]) + b"\0\0")
    data = bmp_file(b"".join(rows) + b"\0\1", 8, 1, GREYS)
    assert np.array_equal(stored(data), values)

    values //= 16
    rows = []
    for row in values[::-1]:
        row = np.concatenate([row, np.zeros(padded, np.uint8)])
        rows.append(b"".join(bytes([1, value << 4]) for value in row) + b"\0\0")
    data = bmp_file(b"".join(rows) + b"\0\1", 4, 2, GREYS[:64])
    assert np.array_equal(stored(data), values)


@pytest.mark.parametrize("bits", [16, 32])
def test_bmp_of_masks(stored, bits):
    masks = (0xF800, 0x7E0, 0x1F) if bits == 16 else (0x3FF00000, 0xFFC00, 0x3FF)
    packed = RNG.integers(0, 1 << (bits - 2), (HEIGHT, WIDTH + WIDTH % 2), np.uint32)
    data = packed[::-1].astype(f"<u{bits // 8}").tobytes()
    width = WIDTH + WIDTH % 2
    got = stored(bmp_file(data, bits, 3, masks=struct.pack("<3I", *masks), width=width), "rgb")
    for place, mask in enumerate(masks):
        shift = (mask & -mask).bit_length() - 1
        wanted = np.rint(((packed & mask) >> shift) * 255.0 / (mask >> shift))
        assert np.array_equal(got[:, :, place], wanted)


def test_bmp_from_the_top_down(stored):
    values = RNG.integers(0, 256, (HEIGHT, 20), np.uint8)
    data = bmp_file(values.tobytes(), 8, 0, GREYS, height=-HEIGHT, width=20)
    assert np.array_equal(stored(data), values)


def test_values_become_pixels_by_their_type(stored, tmp_path):
    wide = RNG.integers(0, 65536, (HEIGHT, WIDTH))
    path = tmp_path / "a.png"
    path.write_bytes(png_file(wide, 0, 16))
    decoder = Decoder(path, "ct")
    assert np.array_equal(decoder.stored(), wide)
    assert np.array_equal(decoder.decode(), wide >> 8)
    assert np.array_equal(load_frame(path, "ct"), wide >> 8)
    window = GreyWindow(1000.0, 51000.0)
    shown = np.rint(np.clip((wide - 1000.0) / 50000.0, 0, 1) * 255)
    assert np.array_equal(decoder.decode(window=window), shown)


def test_grey_of_colours_is_made_of_stored_values(stored):
    colours = RNG.integers(0, 65536, (HEIGHT, WIDTH, 3))
    grey = stored(png_file(colours, 2, 16))
    assert grey.dtype == np.uint16
    assert np.abs(grey - colours @ [0.299, 0.587, 0.114]).max() < 2

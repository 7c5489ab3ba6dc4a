"""Image files that something went wrong with, or that nobody thought of; the same seed, the same.

A picture is stored in one of many ways, and then usually damaged: as transfers,
disks and people
do it (cut, never written, glued together), and field by field,
since a header is where a decoder
can be led astray.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from random import Random

import cv2
import numpy as np
from PIL import Image

from builders.tiff_files import (
    BLACK,
    DEFLATE,
    LZW,
    NONE,
    PACK_BITS,
    PALETTE,
    RGB,
    WHITE,
    TiffFile,
)
from inspection.images import load_stored
from inspection.images.preprocess import load_image
from inspection.records import Modality

SUFFIXES = (".tif", ".png", ".jpg", ".bmp", ".tiff", ".jpeg", ".PNG")
WILD = (0, 1, 2, 7, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 40)
TAGS = (256, 257, 258, 259, 262, 266, 270, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323,
324,
        325, 330, 338, 339, 347, 32997, 32998, 34665)  # fmt: skip
PIPE, ENDLESS, FOLDER = "pipe", "endless", "folder"
"""What a path may be instead of a file."""


def picture(rng: Random, modality: Modality, side: int = 120) -> np.ndarray:
    """Return a body on black with a slit in it, (h, w) or (h, w, 3) uint8."""
    height, width = rng.randint(8, side), rng.randint(8, side)
    rows, columns = np.mgrid[0:height, 0:width]
    inside = (rows > height // 8) & (rows < height - height // 8) & (columns > width // 6)
    body = np.where(inside, 90 + 60 * np.sin(columns / 3) + rows % 17, 5)
    body[height // 3 : height // 2, width // 2 : width // 2 + 2] = 10
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, 4, (height, width))
    grey = np.clip(body + noise, 0, 255)
    if modality == "ct":
        return grey.astype(np.uint8)
    return (grey[:, :, None] * np.array([1.0, 0.8, 0.6])).astype(np.uint8)


def stored_picture(rng: Random, pixels: np.ndarray) -> tuple[str, bytes]:
    """Return how a picture was stored, and the file."""
    ways = (tiff, tiff, tiff, png, png, jpeg, jpeg, bmp, several, other)
    return rng.choice(ways)(rng, pixels)


def tiff(rng: Random, pixels: np.ndarray) -> tuple[str, bytes]:
    file = tiff_file(rng, pixels)
    how = f"{file.values.dtype} {file.bits} bit, compression {file.compression}"
    return f"TIFF {how}, {'tiles' if file.tile else 'strips'}", file.bytes()


def tiff_file(rng: Random, pixels: np.ndarray) -> TiffFile:
    """Return a TIFF of a layout that is allowed."""
    colour = pixels.ndim == 3
    bits = rng.choice((8, 8, 16, 16, 32) if colour else (1, 2, 4, 8, 8, 10, 12, 14, 16, 16, 32))
    values: np.ndarray = pixels >> (8 - bits) if bits < 8 else pixels
    if 8 < bits <= 16:
        values = pixels.astype(np.uint16) << (bits - 8)
        if bits == 16 and rng.random() < 0.2:
            values = (values.astype(np.int32) - 20_000).astype(np.int16)
    if bits == 32:
        values = pixels.astype(np.float32) / np.float32(rng.choice((255.0, 1.0)))
    file = TiffFile(values, bits=bits, colours=RGB if colour else rng.choice((BLACK, BLACK, WHITE)))
    if bits == 8 and not colour and rng.random() < 0.1:
        # The same greys, in another order.
        order = np.random.default_rng(rng.getrandbits(32)).permutation(256)
        palette = np.repeat(order[:, None] * 257, 3, axis=1)
        indices = np.argsort(order)[values].astype(np.uint8)
        return file.but(values=indices, colours=PALETTE, palette=palette)
    if file.colours == WHITE and values.dtype != np.float32:
        most = -1 if values.dtype == np.int16 else (1 << bits) - 1
        file = file.but(values=(most - values.astype(np.int32)).astype(values.dtype))
    compression = rng.choice((NONE, NONE, DEFLATE, LZW, PACK_BITS))
    predictor = 1
    if compression in (DEFLATE, LZW) and bits in (8, 16, 32) and rng.random() < 0.4:
        predictor = 3 if bits == 32 else 2
    return file.but(
        compression=compression,
        predictor=predictor,
        order=rng.choice("<>"),
        big=rng.random() < 0.2,
        separate=colour and rng.random() < 0.4,
        reversed_bits=rng.random() < 0.05,
        rows=rng.choice((1, 7, 16, 1 << 30)),
        tile=rng.choice((None, None, (16, 16), (32, 48))),
        orientation=rng.randint(1, 8),
    )


def wild_tiff(rng: Random, pixels: np.ndarray) -> tuple[str, bytes]:
    """Return a TIFF some of whose fields have wild values, types and counts."""
    file, wild = tiff_file(rng, pixels), {}
    for tag in rng.sample(TAGS, rng.randint(1, 3)):
        kind = rng.choice((1, 3, 4, 16))
        most = {1: 0xFF, 3: 0xFFFF, 4: 0xFFFFFFFF, 16: (1 << 64) - 1}[kind]
        count = rng.choice((1, 1, 1, 2, 3, 4, 17, 300))
        wild[tag] = (kind, [min(rng.choice(WILD), most) for _ in range(count)])
        if rng.random() < 0.15:
            wild[tag] = None
    return f"TIFF with wild fields {sorted(wild)}", file.but(tags=wild).bytes()


def png(rng: Random, pixels: np.ndarray) -> tuple[str, bytes]:
    if rng.random() < 0.3:
        image = Image.fromarray(pixels).convert(rng.choice(("1", "P", "LA", "RGBA", "L", "RGB")))
        return f"PNG {image.mode}", saved(image, "PNG")
    values = pixels.astype(np.uint16) * 257 if rng.random() < 0.5 else pixels
    return f"PNG {values.dtype}", cv2.imencode(".png", values)[1].tobytes()


def wild_png(rng: Random, pixels: np.ndarray) -> tuple[str, bytes]:
    """Return a PNG whose header says something else than its pixels, all check sums right."""
    data = bytearray(cv2.imencode(".png", pixels)[1].tobytes())
    place, code = rng.choice(((16, ">I"), (20, ">I"), (24, "B"), (25, "B"), (26, "B"), (28, "B")))
    value = rng.choice(WILD) & ((1 << 8 * struct.calcsize(code)) - 1)
    if code == ">I" and rng.random() < 0.5:
        value = rng.choice((7, 9, 4000, 14_000, 30_000))
    struct.pack_into(code, data, place, value)
    struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    return f"PNG whose header has {value} at {place}", bytes(data)


def png_bomb(rng: Random, _pixels: np.ndarray) -> tuple[str, bytes]:
    """Return kilobytes that stand for many megabytes."""
    side, bits, colours = rng.choice(
        ((13_000, 8, 0), (12_000, 16, 0), (9_000, 16, 6), (40_000, 8, 2))
    )
    samples = {0: 1, 2: 3, 6: 4}[colours]
    row = bytes(1 + side * samples * bits // 8)
    packer = zlib.compressobj(9)
    # Cut off: whoever decodes before he counts has taken the memory by then.
    body = b"".join(packer.compress(row) for _ in range(min(side, 2000))) + packer.flush()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, bits, colours, 0, 0, 0)),
              (b"IDAT", body), (b"IEND", b"")]  # fmt: skip
    data = b"\x89PNG\r\n\x1a\n"
    for name, content in chunks:
        data += struct.pack(">I", len(content)) + name + content
        data += struct.pack(">I", zlib.crc32(name + content))
    return f"PNG bomb of {side} x {side}", data


def jpeg(rng: Random, pixels: np.ndarray) -> tuple[str, bytes]:
    image = Image.fromarray(pixels)
    if pixels.ndim == 3 and rng.random() < 0.1:
        image = image.convert("CMYK")
    exif = Image.Exif()
    exif[274] = rng.randint(1, 8)
    options = {"quality": rng.randint(1, 100), "progressive": rng.random() < 0.3, "exif": exif}
    if rng.random() < 0.2:
        options["icc_profile"] = rng.randbytes(rng.randint(0, 300))
    return f"JPEG {image.mode}", saved(image, "JPEG", **options)


def wild_jpeg(rng: Random, pixels: np.ndarray) -> tuple[str, bytes]:
    """Return a JPEG whose frame has another size, depth or number of components."""
    data = bytearray(saved(Image.fromarray(pixels), "JPEG"))
    frame = data.index(b"\xff\xc0")
    place, code = rng.choice(((1, "B"), (4, "B"), (5, ">H"), (7, ">H"), (9, "B"), (11, "B")))
    value = rng.choice(WILD) & ((1 << 8 * struct.calcsize(code)) - 1)
    if place == 1:
        value = rng.randint(0xC0, 0xCF)
    struct.pack_into(code, data, frame + place, value)
    return f"JPEG whose frame has {value} at {place}", bytes(data)


def bmp(rng: Random, pixels: np.ndarray) -> tuple[str, bytes]:
    if pixels.ndim == 2 and rng.random() < 0.3:
        return "BMP RLE8", run_length_bmp(pixels)
    image = Image.fromarray(pixels).convert(rng.choice(("1", "L", "P", "RGB", "RGBA")))
    return f"BMP {image.mode}", saved(image, "BMP")


def wild_bmp(rng: Random, pixels: np.ndarray) -> tuple[str, bytes]:
    """Return a BMP one of whose fields is wild."""
    data = bytearray(bmp(rng, pixels)[1])
    place, code = rng.choice(
        (
            (2, "<I"),
            (10, "<I"),
            (14, "<I"),
            (18, "<I"),
            (22, "<I"),
            (28, "<H"),
            (30, "<I"),
            (46, "<I"),
        )
    )
    value = rng.choice(WILD) & ((1 << 8 * struct.calcsize(code)) - 1)
    if rng.random() < 0.4:
        value = struct.unpack_from(code, data, place)[0] + rng.choice((-2, -1, 1, 2))
    struct.pack_into(code, data, place, value % (1 << 8 * struct.calcsize(code)))
    return f"BMP whose header has {value} at {place}", bytes(data)


def run_length_bmp(pixels: np.ndarray) -> bytes:
    """Return a BMP of 8-bit runs, each a pixel long."""
    runs = b"".join(
        b"".join(b"\1" + bytes([value]) for value in row) + b"\0\0" for row in pixels[::-1].tolist()
    )
    runs += b"\0\1"
    palette = b"".join(bytes([value, value, value, 0]) for value in range(256))
    height, width = pixels.shape
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    start = 14 + len(info) + len(palette)
    head = struct.pack("<2sIHHI", b"BM", start + len(runs), 0, 0, start)
    return head + info + palette + runs


def several(rng: Random, pixels: np.ndarray) -> tuple[str, bytes]:
    """Return a file of two pictures."""
    first, second = Image.fromarray(pixels), Image.fromarray(255 - pixels)
    kind = rng.choice(("PNG", "TIFF", "MPO", "JPEG", "BMP", "GIF"))
    if kind in ("JPEG", "BMP"):
        return f"two {kind} in one file", saved(first, kind) + saved(second, kind)
    return f"{kind} of two pictures", saved(first, kind, save_all=True, append_images=[second])


def other(rng: Random, pixels: np.ndarray) -> tuple[str, bytes]:
    """Return a file of a format that is not read, or of none."""
    kind = rng.choice(("GIF", "WEBP", "PPM", "TGA", "ICO", "JPEG2000", "noise", "text", "empty"))
    if kind == "empty":
        return "empty file", b""
    if kind == "noise":
        sign = rng.choice((b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0+", b"BM"))
        return "noise behind a signature", sign + rng.randbytes(rng.randint(1, 4000))
    if kind == "text":
        return "text", ("BM: 시험 " * rng.randint(1, 500)).encode()
    return kind, saved(Image.fromarray(pixels).convert("RGB"), kind)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return a file as Pillow writes it."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def damaged(rng: Random, data: bytes, another: bytes) -> tuple[str, bytes]:
    """Return how a file was damaged, and what is left of it."""
    size = len(data)
    at = rng.randint(0, size)
    how = rng.choice(
        ("flips", "flips", "head", "tail fields", "cut", "zero tail", "one tail", "splice",
        "append",
         "insert", "drop", "double", "hole")
    )  # fmt: skip
    changed = bytearray(data)
    if how == "flips":
        for _ in range(rng.choice((1, 1, 3, 20))):
            if size:
                changed[rng.randrange(size)] ^= 1 << rng.randrange(8)
    elif how in ("head", "tail fields"):
        first, last = (0, min(size, 160)) if how == "head" else (max(0, size - 260), size)
        code = rng.choice(("B", "<H", ">H", "<I", ">I"))
        width = struct.calcsize(code)
        if last - first > width:
            value = rng.choice(WILD) & ((1 << 8 * width) - 1)
            struct.pack_into(code, changed, rng.randrange(first, last - width), value)
    elif how == "cut":
        del changed[at:]
    elif how in ("zero tail", "one tail"):
        changed[at:] = (b"\0" if how == "zero tail" else b"\xff") * (size - at)
    elif how == "splice":
        changed[at:] = another[min(at, len(another)) :]
    elif how == "append":
        changed += rng.choice((another, data, rng.randbytes(100), bytes(5000)))
    elif how == "insert":
        changed[at:at] = rng.randbytes(rng.choice((1, 2, 64)))
    elif how == "drop":
        del changed[at : at + rng.choice((1, 2, 64))]
    elif how == "double":
        changed[at:at] = data[at // 2 : at]
    else:
        end = min(size, at + rng.choice((16, 512, 4096)))
        changed[at:end] = bytes(end - at)
    return how, bytes(changed)


def hostile_image(rng: Random) -> tuple[str, str, bytes | str]:
    """Return how it was made, the file's name, and its bytes or what it is instead."""
    name = f"s_{rng.randint(0, 999):03d}{rng.choice(SUFFIXES)}"
    chance = rng.random()
    if chance < 0.006:
        kind = rng.choice((PIPE, ENDLESS, FOLDER))
        return kind, name, kind
    pixels = picture(rng, rng.choice(("ct", "rgb")))
    if chance < 0.012:
        how, data = png_bomb(rng, pixels)
    elif chance < 0.4:
        how, data = rng.choice((wild_tiff, wild_tiff, wild_png, wild_jpeg, wild_bmp))(rng, pixels)
    else:
        how, data = stored_picture(rng, pixels)
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            _, another = stored_picture(rng, pixels)
            damage, data = damaged(rng, data, another)
            how += f", {damage}"
    return how, name, data


def look_at_image(path: Path, modality: Modality) -> None:
    """Read an image as a lane does, twice.

    Raises
    ------
    InspectionError
        If it is refused.
    AssertionError
        If it was read, and is not what an image can be.
    """
    stored = load_stored(path, modality)
    assert stored.dtype in (np.uint8, np.uint16, np.int16, np.float32), stored.dtype
    assert stored.shape[2:] == (() if modality == "ct" else (3,)), stored.shape
    assert min(stored.shape[:2]) >= 8, stored.shape
    assert np.isfinite(stored).all()
    assert np.array_equal(stored, load_stored(path, modality)), "read twice, two pictures"
    load_image(path, modality=modality, fit=(144, 288))

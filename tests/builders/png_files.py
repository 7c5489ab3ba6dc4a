"""PNG files chunk by chunk, to have any chunk wrong."""

from __future__ import annotations

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk with its check sum."""
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def png_file(
    values: np.ndarray, colours: int, bits: int, *before: bytes, compress=zlib.compress
) -> bytes:
    """Return a file of (h, w) or (h, w, samples) values.

    Parameters
    ----------
    colours : the colour type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha
    before : chunks that come before the pixels
    """
    height, width = values.shape[:2]
    rows = values.reshape(height, -1).astype(">u2").view(np.uint8)
    unpacked = np.unpackbits(rows, axis=1).reshape(height, -1, 16)[:, :, 16 - bits :]
    packed = np.packbits(unpacked.reshape(height, -1), axis=1)
    raw = b"".join(b"\0" + row.tobytes() for row in packed)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0))
    pixels = chunk(b"IDAT", compress(raw))
    return SIGNATURE + head + b"".join(before) + pixels + chunk(b"IEND", b"")

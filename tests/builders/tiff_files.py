"""TIFF files of any layout, written from the specification and sharing no code with the reader."""

from __future__ import annotations

import itertools
import struct
import zlib
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

NONE, LZW, JPEG, DEFLATE, PACK_BITS, DEFLATE_OLD = 1, 5, 7, 8, 32773, 32946
WHITE, BLACK, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6


@dataclass(frozen=True)
class TiffFile:
    """What is written, and how.

    Parameters
    ----------
    values : (h, w) or (h, w, samples) as stored, not upright
    tile : (rows, columns); without it strips of `rows`
    tags : further ones, or others: tag to (type, values), or to None where it is left out
    """

    values: np.ndarray
    bits: int = 8
    colours: int = BLACK
    compression: int = NONE
    predictor: int = 1
    order: str = "<"
    big: bool = False
    separate: bool = False
    reversed_bits: bool = False
    rows: int = 1 << 30
    tile: tuple[int, int] | None = None
    orientation: int = 1
    extra: tuple[int, ...] = ()
    palette: np.ndarray | None = None
    tags: dict[int, tuple[int, list[int] | bytes] | None] = field(default_factory=dict)

    def but(self, **changes) -> TiffFile:
        """Return another one."""
        return replace(self, **changes)

    def segments(self) -> list[bytes]:
        """Return the coded strips or tiles."""
        values = self.values if self.values.ndim == 3 else self.values[:, :, None]
        planes = np.split(values, values.shape[2], axis=2) if self.separate else [values]
        return [self._code(piece) for plane in planes for piece in self._pieces(plane)]

    def _pieces(self, plane):
        height, width = plane.shape[:2]
        if self.tile is None:
            for top in range(0, height, self.rows):
                yield plane[top : top + self.rows]
            return
        rows, columns = self.tile
        for top, left in itertools.product(range(0, height, rows), range(0, width, columns)):
            piece = plane[top : top + rows, left : left + columns]
            missing = ((0, rows - piece.shape[0]), (0, columns - piece.shape[1]), (0, 0))
            yield np.pad(piece, missing, mode="edge")

    def _code(self, piece) -> bytes:
        if self.compression == JPEG:
            return self._jpeg(piece)
        height = len(piece)
        if self.predictor == 2:
            piece = np.diff(piece, axis=1, prepend=np.zeros_like(piece[:, :1]))
        if self.predictor == 3:
            # (rows, values, 4 bytes) with the highest first -> four planes a row, then differences.
            high_first = piece.astype(">f4").view(np.uint8).reshape(height, -1, 4)
            planes = high_first.transpose(0, 2, 1).reshape(height, -1, piece.shape[2])
            raw = np.diff(planes, axis=1, prepend=np.zeros_like(planes[:, :1])).tobytes()
        elif self.bits % 8:
            numbers = piece.reshape(height, -1).astype(">u2").view(np.uint8)
            bits = np.unpackbits(numbers, axis=1).reshape(height, -1, 16)[:, :, 16 - self.bits :]
            raw = np.packbits(bits.reshape(height, -1), axis=1).tobytes()
        else:
            raw = piece.astype(piece.dtype.newbyteorder(self.order)).tobytes()
        coded = {
            NONE: bytes,
            LZW: lzw,
            DEFLATE: zlib.compress,
            DEFLATE_OLD: zlib.compress,
            PACK_BITS: pack_bits,
        }[self.compression](raw)
        if self.reversed_bits:
            coded = bytes(int(f"{byte:08b}"[::-1], 2) for byte in coded)
        return coded

    def _jpeg(self, piece) -> bytes:
        if piece.shape[2] == 3:
            piece = piece[:, :, ::-1]
        quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
        coded = cv2.imencode(".jpg", np.ascontiguousarray(piece), quality)[1].tobytes()
        # Without JFIF's mark, which means YCbCr: in a TIFF its own field says what is meant.
        return coded[:2] + coded[20:]

    def bytes(self, segments: list[bytes] | None = None) -> bytes:
        """Return the file."""
        segments = self.segments() if segments is None else segments
        height, width = self.values.shape[:2]
        samples = 1 if self.values.ndim == 2 else self.values.shape[2]
        data = bytearray(16 if self.big else 8)
        offsets = []
        for segment in segments:
            offsets.append(len(data))
            data += segment + bytes(len(segment) % 2)
        kind = {"u": 1, "i": 2, "f": 3}[self.values.dtype.kind]
        tags: dict[int, tuple[int, list[int] | bytes] | None] = {
            256: (4, [width]),
            257: (4, [height]),
            258: (3, [self.bits] * samples),
            259: (3, [self.compression]),
            262: (3, [self.colours]),
            266: (3, [2 if self.reversed_bits else 1]),
            274: (3, [self.orientation]),
            277: (3, [samples]),
            284: (3, [2 if self.separate else 1]),
            317: (3, [self.predictor]),
            339: (3, [kind] * samples),
        }
        places = (16, offsets) if self.big else (4, offsets)
        counts = (4, [len(segment) for segment in segments])
        if self.tile:
            tags |= {322: (4, [self.tile[1]]), 323: (4, [self.tile[0]]), 324: places, 325: counts}
        else:
            tags |= {273: places, 278: (4, [min(self.rows, height)]), 279: counts}
        if self.extra:
            tags[338] = (3, list(self.extra))
        if self.palette is not None:
            tags[320] = (3, self.palette.T.ravel().tolist())
        tags |= self.tags
        at = len(data)
        data += self._directory({tag: value for tag, value in tags.items() if value}, at)
        mark = b"II" if self.order == "<" else b"MM"
        head = struct.pack(self.order + "HHHQ", 43, 8, 0, at) if self.big else None
        data[: 16 if self.big else 8] = mark + (head or struct.pack(self.order + "HI", 42, at))
        return bytes(data)

    def _directory(self, tags, at: int) -> bytes:
        word, short = ("Q", "Q") if self.big else ("I", "H")
        inline = struct.calcsize(word)
        entry = struct.calcsize(self.order + "HH" + word) + inline
        behind = at + struct.calcsize(short) + len(tags) * entry + inline
        entries, values = b"", b""
        for tag, (kind, numbers) in sorted(tags.items()):
            code = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B", 13: "I", 16: "Q"}[kind]
            raw = struct.pack(f"{self.order}{len(numbers)}{code}", *numbers)
            if len(raw) > inline:
                place = struct.pack(self.order + word, behind + len(values))
                values += raw + bytes(len(raw) % 2)
            else:
                place = raw.ljust(inline, b"\0")
            entries += struct.pack(self.order + "HH" + word, tag, kind, len(numbers)) + place
        count = struct.pack(self.order + short, len(tags))
        return count + entries + struct.pack(self.order + word, 0) + values


def lzw(raw: bytes, *, end: bool = True) -> bytes:
    """Code bytes by TIFF 6.0, section 13, literally; with or without the end code."""
    bits: list[tuple[int, int]] = [(256, 9)]
    table = {bytes([value]): value for value in range(256)}
    following, width, text = 258, 9, b""
    for value in raw:
        longer = text + bytes([value])
        if longer in table:
            text = longer
            continue
        bits.append((table[text], width))
        table[longer] = following
        following += 1
        width = 9 + (following >= 512) + (following >= 1024) + (following >= 2048)
        if following == 4094:
            bits.append((256, width))
            table = {bytes([value]): value for value in range(256)}
            following, width = 258, 9
        text = bytes([value])
    if text:
        bits.append((table[text], width))
        following += 1
        width = 9 + (following >= 512) + (following >= 1024) + (following >= 2048)
    if end:
        bits.append((257, width))
    joined = "".join(f"{code:0{wide}b}" for code, wide in bits)
    joined += "0" * (-len(joined) % 8)
    return int(joined, 2).to_bytes(len(joined) // 8, "big")


def pack_bits(raw: bytes) -> bytes:
    """Code bytes as runs and literals."""
    coded = b""
    for _, group in itertools.groupby(raw):
        run = bytes(group)
        for at in range(0, len(run), 128):
            part = run[at : at + 128]
            coded += bytes([257 - len(part), part[0]]) if len(part) > 1 else b"\0" + part
    return coded + b"\x80"

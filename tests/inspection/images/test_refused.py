"""What is not read is refused by its name: never as damaged, never read wrong, never for ever."""

import io
import json
import os
import struct
import subprocess
import sys
import threading
import zlib

import cv2
import numpy as np
import pytest
from builders.png_files import chunk, png_file
from builders.tiff_files import (
    BLACK,
    DEFLATE,
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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from inspection.errors import ImageError
from inspection.images import load_frame, load_stored
from inspection.images.bounds import MemoryBudget

RNG = np.random.default_rng(15)
GREY = RNG.integers(0, 256, (40, 48), np.uint8)
PLAIN = TiffFile(GREY)


@pytest.fixture
def refused(tmp_path):
    """Return the code and the sentence with which bytes are refused."""
    path = tmp_path / "a.tif"

    def refused(data, modality="ct"):
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        with pytest.raises(ImageError) as caught:
            load_stored(path, modality)
        assert path.name in caught.value.text("ko")
        return caught.value.message.code, str(caught.value)

    return refused


def photo(height=60, width=60):
    small = RNG.integers(60, 200, (4, 4, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def jpeg(pixels=None, *options):
    return cv2.imencode(".jpg", photo() if pixels is None else pixels, list(options))[1].tobytes()


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (PLAIN.but(compression=NONE, tags={259: (3, [34712])}), "JPEG 2000"),
        (PLAIN.but(tags={259: (3, [50000])}), "ZSTD"),
        (PLAIN.but(tags={259: (3, [34925])}), "LZMA"),
        (PLAIN.but(tags={259: (3, [6])}), "old-style JPEG"),
        (PLAIN.but(tags={259: (3, [54321])}), "54321"),
        (PLAIN.but(tags={262: (3, [5])}), "CMYK"),
        (PLAIN.but(tags={262: (3, [8])}), "CIELab"),
        (PLAIN.but(tags={262: (3, [32803])}), "CFA"),
        (PLAIN.but(tags={262: (3, [4])}), "transparency mask"),
        (TiffFile(np.dstack([GREY] * 3), colours=YCBCR), "YCbCr"),
        (TiffFile(GREY.astype(np.uint32), 32), "uint32"),
        (TiffFile(GREY.astype(np.int32), 32), "int32"),
        (TiffFile(GREY.astype(np.int8), 8), "int8"),
        (TiffFile(GREY.astype(np.float16), 16), "float16"),
        (TiffFile(GREY.astype(np.float64), 64), "float64"),
        (TiffFile(GREY, tags={339: (3, [5]), 258: (3, [64])}), "complex int32"),
        (TiffFile(np.dstack([GREY] * 3), colours=RGB, tags={258: (3, [5, 6, 5])}), "5, 6, 5"),
        (TiffFile(GREY.astype(np.uint16), 16, PALETTE), "palette 16"),
        (TiffFile(np.dstack([GREY] * 2)), "1"),
        (TiffFile(np.dstack([GREY] * 5), colours=RGB), "2"),
        (TiffFile(GREY.astype(np.float32), 32, WHITE), "min-is-white"),
        (PLAIN.but(compression=LZW, tags={317: (3, [7])}), "7"),
        (PLAIN.but(tags={284: (3, [3])}), "3"),
    ],
)
def test_tiff_that_is_not_read_is_refused_by_its_name(refused, file, name):
    if file.values.ndim == 3 and file.values.shape[2] == 2:
        file.values[:, :, 1] = GREY.T[:1, :1] + np.arange(48, dtype=np.uint8)
    code, sentence = refused(file.bytes(), "rgb")
    assert code not in {"image_corrupt", "image_truncated", "image_unknown_format"}
    assert name in sentence.split(": ", 1)[1]


def test_jpeg_that_is_not_read_is_refused_by_its_name(refused):
    data = jpeg()
    frame = data.index(b"\xff\xc0")
    twelve = data[: frame + 4] + b"\x0c" + data[frame + 5 :]
    assert "12-bit JPEG" in refused(twelve)[1]
    for marker, name in ((0xC3, "SOF3"), (0xC9, "SOF9"), (0xC5, "SOF5")):
        other = data[: frame + 1] + bytes([marker]) + data[frame + 2 :]
        assert name in refused(other)[1]
    cmyk = io.BytesIO()
    Image.fromarray(np.dstack([photo(), photo()[:, :, 0]]), "CMYK").save(cmyk, "JPEG")
    assert "CMYK" in refused(cmyk.getvalue(), "rgb")[1]
    inside = TiffFile(photo(), colours=YCBCR, compression=JPEG)
    assert "12-bit JPEG" in refused(inside.bytes([twelve]))[1]


def test_other_formats_are_refused_by_their_name(refused):
    known = Image.fromarray(photo())
    names = {"GIF": "GIF", "WEBP": "WebP", "JPEG2000": "JPEG 2000", "AVIF": "AVIF"}
    for kind, name in names.items():
        data = io.BytesIO()
        known.save(data, kind)
        assert name in refused(data.getvalue())[1]
    assert "DICOM" in refused(bytes(128) + b"DICM" + bytes(100))[1]
    assert refused(b"BMW is no image\n" * 9)[0] == "image_unknown_format"


class TestSeveralPictures:
    def test_in_one_jpeg(self, refused):
        data = jpeg()
        for rest in (
            jpeg(photo()),
            b"padding" + jpeg(photo()),
            png_file(GREY, 0, 8),
            PLAIN.bytes(),
        ):
            assert refused(data + rest)[0] == "image_several_pictures"
        stack = io.BytesIO()
        pages = [Image.fromarray(photo()) for _ in range(2)]
        pages[0].save(stack, "MPO", save_all=True, append_images=pages[1:])
        assert refused(stack.getvalue())[0] == "image_several_pictures"
        # The first without its end.
        assert refused(data[:-2] + data)[0] == "image_several_pictures"

    def test_in_one_bmp(self, refused):
        data = io.BytesIO()
        Image.fromarray(photo()).save(data, "BMP")
        assert refused(data.getvalue() * 2, "rgb")[0] == "image_several_pictures"
        assert refused(data.getvalue() + bytes(3) + data.getvalue())[0] == "image_several_pictures"

    @pytest.mark.parametrize("default_image", [False, True])
    def test_in_one_png(self, refused, default_image):
        data = io.BytesIO()
        pages = [Image.fromarray(photo()) for _ in range(3)]
        pages[0].save(
            data, "PNG", save_all=True, append_images=pages[1:], default_image=default_image
        )
        assert refused(data.getvalue(), "rgb")[0] == "image_several_pictures"
        # A picture, and one frame that is not it.
        frame = chunk(b"fdAT", bytes(4) + zlib.compress(bytes(40 * 49)))
        once = png_file(GREY, 0, 8, chunk(b"acTL", struct.pack(">II", 1, 0)))
        assert refused(once[:-12] + frame + once[-12:])[0] == "image_several_pictures"

    @pytest.mark.parametrize("big", [False, True])
    def test_in_one_tiff(self, refused, big):
        file = PLAIN.but(big=big)
        code = "image_several_pages"
        # Behind one directory, as ImageJ and others write a stack over 4 GB, or any stack.
        imagej = b"ImageJ=1.53t\nimages=4\nslices=4\nloop=false\n\0"
        assert refused(file.but(tags={270: (2, imagej)}).bytes())[0] == code
        shape = json.dumps({"shape": [3, 40, 48]}).encode() + b"\0"
        assert refused(file.but(tags={270: (2, shape)}).bytes())[0] == code
        assert refused(file.bytes() + bytes(GREY.size * 3 + 5000))[0] == code
        assert refused(file.but(tags={32997: (4, [2])}).bytes())[0] == code
        assert refused(file.but(tags={32998: (4, [2])}).bytes())[0] == code
        # A sub-directory with a picture: here the file's own.
        data = file.bytes()
        own = struct.unpack_from("<Q" if big else "<I", data, 8 if big else 4)[0]
        assert refused(file.but(tags={330: (4, [own])}).bytes())[0] == code

    def test_one_picture_that_calls_itself_a_stack_of_one_is_read(self, tmp_path):
        path = tmp_path / "a.tif"
        for text in (b"ImageJ=1.53t\nimages=1\nunit=mm\n\0", b'{"shape": [40, 48]}\0'):
            path.write_bytes(PLAIN.but(tags={270: (2, text)}).bytes())
            assert np.array_equal(load_stored(path, "ct"), GREY)


class TestStripsThatAreNotWhole:
    @pytest.mark.parametrize("compression", [LZW, DEFLATE, PACK_BITS, NONE])
    @pytest.mark.parametrize("layout", [{"rows": 8}, {"tile": (16, 16)}])
    def test_too_short_or_too_long(self, refused, compression, layout):
        file = PLAIN.but(compression=compression, **layout)
        whole = file.segments()
        assert len(whole) > 4
        other = file.but(values=GREY[:16, :5], rows=3, tile=None).segments()[0]
        long = file.but(values=np.vstack([GREY] * 3), rows=99, tile=None).segments()[0]
        for wrong in (other, long, whole[1][: len(whole[1]) // 2], b"\0" * 9, whole[1][:-9]):
            code, _ = refused(file.bytes([whole[0], wrong, *whole[2:]]))
            assert code in {"image_corrupt", "image_truncated", "image_several_pages"}

    def test_wrong_check_sum(self, refused):
        file = PLAIN.but(compression=DEFLATE, rows=8)
        first, second, *rest = file.segments()
        assert refused(file.bytes([first, second[:-1] + b"\x55", *rest]))[0] == "image_corrupt"
        assert refused(file.bytes([first, second[:-4], *rest]))[0] == "image_corrupt"

    def test_codes_of_lzw_that_point_nowhere(self, refused):
        file = PLAIN.but(compression=LZW)
        coded = bytearray(lzw(GREY.tobytes()))
        coded[1] |= 0x7F
        coded[2] |= 0xC0
        assert refused(file.bytes([bytes(coded)]))[0] == "image_corrupt"

    def test_strips_that_were_never_written(self, refused):
        for layout, places, counts in (({"rows": 8}, 273, 279), ({"tile": (16, 16)}, 324, 325)):
            file = PLAIN.but(**layout)
            number = len(file.segments())
            zeros = {places: (4, [0] * number), counts: (4, [0] * number)}
            assert refused(file.but(tags=zeros).bytes())[0] == "image_never_written"


def slice_on_black(side=400):
    """A body with soft edges in noisy air, on a canvas of zeros, as a scanner exports it."""
    rng = np.random.default_rng(3)
    air = np.zeros((side * 9 // 10, side * 4 // 10), np.float32)
    air[30:-30, 20:-20] = 110
    air = cv2.GaussianBlur(air, (0, 0), 0.7) + rng.normal(6, 5, air.shape)
    canvas = np.zeros((side, side), np.uint8)
    canvas[: air.shape[0], : air.shape[1]] = np.clip(air, 0, 255)
    return canvas


class TestNeverWritten:
    @pytest.mark.parametrize("layout", [{}, {"rows": 16}, {"tile": (64, 64)}])
    @pytest.mark.parametrize("kind", ["grey", "wide", "offset", "colour", "planes"])
    def test_raw_tiff(self, refused, tmp_path, layout, kind):
        canvas = slice_on_black()
        file = {
            "grey": TiffFile(canvas),
            "wide": TiffFile(canvas.astype(np.uint16) * 200, 16),
            "offset": TiffFile((canvas > 0) * (canvas.astype(np.uint16) * 150 + 9000), 16),
            "colour": TiffFile(np.dstack([canvas] * 3), colours=RGB),
            "planes": TiffFile(np.dstack([canvas] * 3), colours=RGB, separate=True),
        }[kind].but(**layout)
        path = tmp_path / "whole.tif"
        path.write_bytes(file.bytes())
        assert load_frame(path, "ct").any(), "an honest slice is read"
        segments = file.segments()
        raw = b"".join(segments)
        for share in (0.3, 0.52, 0.71):
            at = int(len(raw) * 0.9 * share)
            cut, left = raw[:at] + bytes(len(raw) - at), []
            for segment in segments:
                left.append(cut[: len(segment)])
                cut = cut[len(segment) :]
            assert refused(file.bytes(left), "rgb")[0] == "image_never_written"

    def test_bmp(self, refused, tmp_path):
        canvas = slice_on_black()
        path = tmp_path / "whole.bmp"
        for pixels in (canvas, np.dstack([canvas] * 3)):
            data = cv2.imencode(".bmp", pixels)[1].tobytes()
            path.write_bytes(data)
            assert load_frame(path, "ct").any()
            at = len(data) * 2 // 3
            assert refused(data[:at] + bytes(len(data) - at))[0] == "image_never_written"

    def test_a_photograph_with_lost_blocks(self, refused):
        raw = photo(300, 400).tobytes()
        file = TiffFile(photo(300, 400), colours=RGB)
        for first, last in ((100_000, 104_096), (300_000, len(raw))):
            holed = raw[:first] + bytes(last - first) + raw[last:]
            assert refused(file.bytes([holed]), "rgb")[0] == "image_never_written"


def test_frames_that_show_nothing(refused):
    flat = np.full((60, 60), 128, np.uint8)
    assert refused(png_file(flat, 0, 8))[0] == "image_flat"
    assert refused(jpeg(np.dstack([flat] * 3)), "rgb")[0] == "image_flat"
    assert refused(TiffFile(flat.astype(np.float32), 32).bytes())[0] == "image_flat"
    for size in ((1, 1), (7, 300), (300, 3)):
        assert refused(png_file(RNG.integers(0, 255, size), 0, 8))[0] == "image_too_small"
    wild = GREY.astype(np.float32)
    wild[3, 4] = np.nan
    assert refused(TiffFile(wild, 32).bytes())[0] == "image_not_finite"


def test_samples_without_number(refused):
    file = PLAIN.but(tags={277: (16, [1 << 40])})
    assert refused(file.bytes())[0] == "image_extra_samples"


def test_directories_far_beyond_the_file(refused):
    data = PLAIN.but(big=True).bytes()
    far = struct.pack("<Q", 2**63 + 5)
    assert refused(data[:8] + far + data[16:])[0] == "image_truncated"
    at = struct.unpack_from("<Q", data, 8)[0]
    (entries,) = struct.unpack_from("<Q", data, at)
    link = at + 8 + 20 * entries
    assert refused(data[:link] + far + data[link + 8 :])[0] == "image_truncated"
    own = data[:link] + struct.pack("<Q", at) + data[link + 8 :]
    assert refused(own)[0] == "image_several_pages"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_what_is_no_file_is_refused_at_once(tmp_path):
    fifo, endless = tmp_path / "pipe.png", tmp_path / "device.png"
    os.mkfifo(fifo)
    endless.symlink_to("/dev/zero")
    for path in (fifo, endless):
        with pytest.raises(ImageError) as caught:
            load_frame(path, "ct")
        assert caught.value.message.code == "image_not_a_file"


BOMB = """
import resource, sys
from pathlib import Path
from inspection.errors import ImageError
from inspection.images import load_frame
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_frame(Path(sys.argv[1]), "rgb")
except ImageError as error:
    print(error.message.code)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no peak of memory to ask for")
def test_a_small_file_does_not_take_gigabytes(tmp_path):
    side = 13_000
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(side * 8 + 1) * 8, 1))
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + pixels + chunk(b"IEND", b""))
    done = subprocess.run(
        [sys.executable, "-c", BOMB, str(path)], capture_output=True, text=True, check=True
    )
    code, megabytes = done.stdout.split()
    assert code == "image_takes_too_much_memory"
    assert int(megabytes) < 100


def test_threads_share_one_budget():
    budget = MemoryBudget(100)
    held, most, lock = [0], [0], threading.Lock()

    def decode(size):
        for _ in range(50):
            with budget.hold(size), budget.hold(size // 2):
                with lock:
                    held[0] += size
                    most[0] = max(most[0], held[0])
                with lock:
                    held[0] -= size

    threads = [threading.Thread(target=decode, args=(size,)) for size in (60, 50, 30, 100, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] <= 100


def samples():
    """Small files of every container, to be damaged."""
    yield PLAIN.but(rows=8).bytes()
    yield PLAIN.but(compression=LZW, predictor=2, tile=(16, 16), order=">").bytes()
    yield TiffFile(photo(), colours=RGB, compression=DEFLATE, separate=True, big=True).bytes()
    yield TiffFile(photo(), colours=YCBCR, compression=JPEG, rows=16).bytes()
    yield TiffFile(
        GREY // 16, 4, PALETTE, PACK_BITS, palette=RNG.integers(0, 65536, (16, 3))
    ).bytes()
    yield TiffFile(GREY.astype(np.float32), 32, BLACK, LZW, 3).bytes()
    yield png_file(RNG.integers(0, 65536, (20, 20, 4)), 6, 16)
    yield png_file(GREY, 0, 8)
    yield jpeg()
    yield jpeg(None, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    yield cv2.imencode(".bmp", photo())[1].tobytes()
    yield cv2.imencode(".bmp", GREY)[1].tobytes()


SAMPLES = list(samples())


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    which=st.integers(0, len(SAMPLES) - 1),
    changes=st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from(["set", "cut", "insert", "zeros", "copy"]),
                  st.binary(min_size=1, max_size=8)),
        min_size=1, max_size=4,
    ),
)  # fmt: skip
def test_damaged_bytes_end_in_a_sentence_or_in_the_same_pixels(tmp_path, which, changes):
    data = SAMPLES[which]
    for place, what, raw in changes:
        at = int(place**2 * (len(data) - 1)) if len(data) > 1 else 0
        data = {
            "set": data[:at] + raw + data[at + len(raw) :],
            "cut": data[:at],
            "insert": data[:at] + raw + data[at:],
            "zeros": data[:at] + bytes(100) + data[at + 100 :],
            "copy": data + data[at:],
        }[what]
    path = tmp_path / "a.bin"
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    outcomes = []
    for _ in range(2):
        try:
            pixels = load_stored(path, "rgb")
            outcomes.append((pixels.dtype, pixels.shape, pixels.tobytes()))
        except ImageError as error:
            outcomes.append((error.text("en"), error.text("ko")))
    assert outcomes[0] == outcomes[1]

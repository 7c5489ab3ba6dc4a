"""Files of every kind become the right pixels, damaged ones an exact reason."""

import io
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from inspection.errors import ImageError
from inspection.images import bounds
from inspection.images.grey import GreyWindow
from inspection.images.preprocess import (
    Preprocess,
    load_content,
    load_image,
    to_model_input,
)
from inspection.records import Rect

CT_SPEC = Preprocess(modality="ct", width=64, height=64, channels=1, mean=(0.5,), std=(0.5,))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "이미지 폴더"
    path.mkdir()
    return path


@pytest.fixture
def save(folder):
    def save(data, name="배터리 1.png"):
        path = folder / name
        path.write_bytes(data)
        return path

    return save


def encode(pixels, suffix=".png", *options):
    done, data = cv2.imencode(suffix, pixels, list(options))
    assert done
    return data.tobytes()


def texture(height, width, channels=None, seed=1):
    """Smooth bright texture, which JPEG keeps."""
    rng = np.random.default_rng(seed)
    shape = (max(2, height // 16), max(2, width // 16), *([channels] if channels else []))
    small = rng.integers(60, 250, shape, np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def code_of(path, modality="ct", **options):
    with pytest.raises(ImageError) as caught:
        load_image(path, modality=modality, **options)
    assert path.name in caught.value.text("ko")
    return caught.value.message.code


def whole(path, modality="ct"):
    return load_content(path, modality=modality, max_pixels=10**9, whole=True)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".bmp"])
def test_lossless_formats_give_the_pixels(save, suffix):
    colour = texture(40, 60, 3)
    image = load_image(save(encode(colour, suffix)), modality="rgb")
    assert np.array_equal(image.pixels, colour[:, :, ::-1])
    assert (image.roi, image.source_size) == (Rect(0, 0, 60, 40), (60, 40))


@pytest.mark.parametrize("modality", ["ct", "rgb"])
@pytest.mark.parametrize("grey_file", [True, False])
def test_jpeg_of_either_colour_serves_either_modality(save, modality, grey_file):
    grey = texture(48, 48)
    pixels = grey if grey_file else cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    image = whole(save(encode(pixels, ".jpg"), "a.jpg"), modality)
    assert image.pixels.shape == ((48, 48) if modality == "ct" else (48, 48, 3))
    shown = image.pixels if modality == "ct" else image.pixels[:, :, 1]
    assert np.abs(shown.astype(int) - grey).mean() < 4


def test_suffix_does_not_matter(save):
    pixels = texture(20, 20, 3)
    image = load_image(save(encode(pixels, ".bmp"), "really-a-bmp.jpg"), modality="rgb")
    assert np.array_equal(image.pixels[:, :, ::-1], pixels)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bit_loses_its_low_byte(save, suffix):
    wide = texture(20, 20).astype(np.uint16) * 256 + 200
    wide[0, 0] = 65535
    image = whole(save(encode(wide, suffix)))
    assert np.array_equal(image.pixels, wide >> 8)


def test_palette_and_transparency(save):
    colour = texture(20, 20, 3)
    shown = Image.fromarray(colour).quantize(16)
    data = io.BytesIO()
    shown.save(data, "PNG")
    image = load_image(save(data.getvalue()), modality="rgb")
    assert np.array_equal(image.pixels, np.asarray(shown.convert("RGB")))

    alpha = np.full((20, 20), 255, np.uint8)
    alpha[:, :10] = 0
    alpha[0, 19] = 128
    image = load_image(save(encode(np.dstack([colour, alpha]))), modality="rgb")
    assert not image.pixels[:, :10].any()
    assert np.array_equal(image.pixels[1:, 10:, ::-1], colour[1:, 10:])
    assert np.abs(image.pixels[0, 19, ::-1] - colour[0, 19] / 2).max() < 1


def test_one_bit_image(save):
    pixels = np.zeros((16, 24), bool)
    pixels[4:12, 6:20] = True
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    image = whole(save(data.getvalue()))
    assert np.array_equal(image.pixels > 0, pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_every_orientation_becomes_upright(save, kind, orientation):
    upright = np.zeros((48, 32), np.uint8)
    upright[:24, :16], upright[24:, :16], upright[:24, 16:] = 80, 150, 230
    # What the camera stores so that the tag turns it into `upright`.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(stored)).save(data, kind, exif=exif)
    path = save(data.getvalue())
    image = whole(path)
    assert image.pixels.shape == (48, 32)
    assert np.abs(image.pixels.astype(int) - upright).max() < 12
    assert image.source_size == (32, 48)


def noisy_canvas(side, content, seed=3):
    """A CT frame: content on black, detector noise, hot pixels."""
    rng = np.random.default_rng(seed)
    canvas = np.abs(rng.normal(0, 4, (side, side)))
    x, y, w, h = content
    canvas[y : y + h, x : x + w] = texture(h, w)
    canvas.reshape(-1)[rng.integers(0, side * side, side // 5)] = 255
    return canvas.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("side", [300, 1600])
def test_content_box_survives_noise_and_hot_pixels(save, suffix, side):
    content = Rect(side // 20, 0, side // 6, side // 2)
    image = load_image(save(encode(noisy_canvas(side, content), suffix)), modality="ct")
    slack = 4 * max(1, side // 200)
    assert image.roi.x <= content.x
    assert image.roi.x + image.roi.w >= content.x + content.w
    assert image.roi.y + image.roi.h >= content.y + content.h
    assert image.roi.x >= content.x - slack
    assert image.roi.w <= content.w + 2 * slack
    assert image.roi.h <= content.h + 2 * slack


def test_content_box_keeps_parts_that_are_apart(save):
    canvas = np.zeros((400, 400), np.uint8)
    canvas[20:220, 30:130] = 150
    canvas[240:250, 60:70] = 90
    image = load_image(save(encode(canvas)), modality="ct")
    assert image.roi.y + image.roi.h >= 250


def test_frame_without_a_dark_border_is_taken_whole(save):
    image = load_image(save(encode(texture(300, 200))), modality="ct")
    assert image.roi == Rect(0, 0, 200, 300)


def test_frame_without_content_is_taken_whole(save):
    faint = np.full((300, 200), 30, np.uint8)
    faint[0, 0] = 31
    assert load_image(save(encode(faint)), modality="ct").roi == Rect(0, 0, 200, 300)


def test_a_model_that_reads_pictures_is_shown_the_battery_and_not_the_black_around_it(save):
    canvas = np.zeros((2000, 2000), np.uint8)
    canvas[100:1100, 200:500] = texture(1000, 300)
    path = save(encode(canvas, ".jpg"), "a.jpg")
    shown = load_content(path, modality="ct", max_pixels=80_000)
    assert (shown.roi.x, shown.roi.y) <= (200, 100)
    assert shown.roi.w < 340
    # No fewer pixels than asked for, and not many more: a JPEG shrinks in steps.
    assert 80_000 <= shown.pixels.size < 4 * 80_000 * 1.2
    assert shown.source_size == (2000, 2000)
    colour = save(encode(texture(40, 60, 3)), "b.png")
    assert load_content(colour, modality="rgb", max_pixels=10_000).roi == Rect(0, 0, 60, 40)


def test_large_jpeg_is_decoded_only_as_far_as_needed(save):
    canvas = np.zeros((4000, 4000), np.uint8)
    canvas[:, :1152] = texture(4000, 1152)
    path = save(encode(canvas, ".jpg"), "a.jpg")
    image = load_image(path, modality="ct", fit=(512, 512))
    # A quarter: an eighth would be 500 rows.
    assert image.pixels.shape[0] == 1000
    assert abs(image.roi.w - 1152) <= 40
    assert image.source_size == (4000, 4000)
    # What the model sees differs from the full decode by rounding only.
    spec = Preprocess(modality="ct", width=512, height=512, channels=1, mean=(0.0,), std=(1.0,))
    full = load_image(path, modality="ct")
    difference = to_model_input(image, spec).array - to_model_input(full, spec).array
    assert np.abs(difference).mean() < 0.005


@pytest.mark.parametrize("fit", [(64, 64), (100, 30), (999, 777), (4096, 4096)])
def test_scaled_decode_always_fills_the_input(save, fit):
    path = save(encode(texture(777, 999), ".jpg"), "a.jpg")
    image = load_image(path, modality="ct", fit=fit)
    spec = Preprocess(
        modality="ct", width=fit[0], height=fit[1], channels=1, mean=(0.0,), std=(1.0,)
    )
    content = to_model_input(image, spec).content
    assert image.pixels.shape[1] >= min(999, content.w)
    assert image.pixels.shape[0] >= min(777, content.h)


class TestDamagedFiles:
    @pytest.mark.parametrize("suffix", [".png", ".tiff", ".bmp", ".jpg"])
    def test_cut_anywhere(self, save, suffix):
        data = encode(texture(40, 40, 3, seed=2), suffix)
        cuts = sorted({*range(1, len(data), max(1, len(data) // 60)), len(data) - 1})
        codes = {code_of(save(data[:cut]), "rgb") for cut in cuts}
        assert codes <= {"image_truncated", "image_unknown_format"}
        assert code_of(save(data[: len(data) // 2]), "rgb") == "image_truncated"

    @pytest.mark.parametrize("progressive", [0, 1])
    def test_large_jpeg_cut_late(self, save, progressive):
        canvas = noisy_canvas(1200, Rect(0, 0, 400, 1200))
        data = encode(canvas, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
        load_image(save(data), modality="ct", fit=(128, 128))
        for cut in (0.3, 0.6, 0.9, 0.999):
            part = data[: int(len(data) * cut)]
            assert code_of(save(part), fit=(128, 128)) == "image_truncated"
            # Copied with the size set beforehand: the rest is zeros.
            filled = part + bytes(len(data) - len(part))
            assert code_of(save(filled)) in {"image_truncated", "image_corrupt"}

    def test_jpeg_damaged_in_the_middle(self, save):
        data = bytearray(encode(texture(600, 600), ".jpg"))
        data[len(data) // 2 : len(data) // 2 + 300] = bytes(300)
        assert code_of(save(bytes(data))) == "image_corrupt"

    def test_png_damaged_in_the_middle(self, save):
        data = bytearray(encode(texture(60, 60)))
        data[len(data) // 2] ^= 0xFF
        assert code_of(save(bytes(data))) == "image_corrupt"

    def test_bytes_after_the_end_are_no_damage(self, save):
        for suffix in (".jpg", ".png"):
            data = encode(texture(60, 60), suffix) + bytes(100)
            assert whole(save(data)).pixels.shape == (60, 60)

    def test_empty_text_missing_folder(self, save, folder):
        assert code_of(save(b"")) == "image_empty"
        assert code_of(save(b"BMW is no image\n" * 9)) == "image_unknown_format"
        assert code_of(save("이것은 글입니다".encode())) == "image_unknown_format"
        assert code_of(folder / "gone.png") == "image_missing"
        assert code_of(folder) == "image_unreadable"
        with pytest.raises(ImageError, match="0 bytes"):
            load_image(save(b""), modality="ct")

    @pytest.mark.parametrize("modality", ["ct", "rgb"])
    def test_black_image(self, save, modality):
        black = np.zeros((300, 300, 3), np.uint8)
        black[5, 5] = 255  # one hot pixel
        assert code_of(save(encode(black)), modality) == "image_black"

    def test_12_bit_values_in_16_bits_are_too_dark_to_judge(self, save):
        pixels = texture(300, 300).astype(np.uint16) << 4  # 0..4095
        assert code_of(save(encode(pixels))) == "image_range_unused"
        shown = load_image(save(encode(pixels)), modality="ct", window=GreyWindow(0, 4095))
        assert np.array_equal(shown.pixels, np.rint(pixels / 4095 * 255))

    @pytest.mark.parametrize("big", [False, True])
    def test_tiff_of_several_pages_is_refused_a_thumbnail_among_them(self, save, big):
        first, other = Image.fromarray(texture(40, 40)), Image.fromarray(texture(20, 20))
        for subfile in (0, 1):
            data = io.BytesIO()
            other.encoderinfo = {"tiffinfo": {254: subfile}}
            first.save(data, "TIFF", save_all=True, append_images=[other], big_tiff=big)
            assert code_of(save(data.getvalue())) == "image_several_pages"

    def test_floating_values_beyond_one_need_a_window(self, save):
        pixels = texture(20, 20).astype(np.float32)
        assert code_of(save(encode(pixels, ".tiff"))) == "image_needs_window"
        shown = load_image(save(encode(pixels / 255, ".tiff")), modality="ct")
        assert np.array_equal(shown.pixels, pixels)

    def test_bomb_is_refused_from_its_header(self, save):
        def chunk(name, content):
            check = zlib.crc32(name + content).to_bytes(4, "big")
            return len(content).to_bytes(4, "big") + name + content + check

        size = (60_000).to_bytes(4, "big") * 2
        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + bytes([8, 0, 0, 0, 0]))
        data += chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
        path = save(data)
        assert code_of(path) == "image_too_large"
        with pytest.raises(ImageError, match="60000 x 60000"):
            load_image(path, modality="ct")

    def test_file_size_limit(self, save, monkeypatch):
        monkeypatch.setattr(bounds, "MAX_FILE_BYTES", 10)
        assert code_of(save(encode(texture(60, 60)))) == "image_file_too_large"


class TestModelInput:
    def test_letterbox_is_centred_on_black(self, save):
        white = np.full((200, 100), 255, np.uint8)
        white[0, 0] = 254
        image = load_image(save(encode(white)), modality="ct")
        made = to_model_input(image, CT_SPEC)
        assert made.array.shape == (1, 64, 64)
        assert made.array.dtype == np.float32
        assert made.content == Rect(16, 0, 32, 64)
        assert (made.array[0, :, 16:48] == 1).all()
        assert (made.array[0, :, :16] == -1).all()
        assert (made.array[0, :, 48:] == -1).all()

    def test_colour_is_padded_with_its_edge_and_in_rgb_order(self, save):
        bgr = np.full((50, 100, 3), (255, 128, 51), np.uint8)
        bgr[25, 50, 0] = 254
        image = load_image(save(encode(bgr)), modality="rgb")
        spec = Preprocess(
            modality="rgb",
            width=40,
            height=40,
            channels=3,
            mean=(0.1, 0.0, 0.0),
            std=(1.0, 0.5, 1.0),
        )
        made = to_model_input(image, spec)
        assert made.content == Rect(0, 10, 40, 20)
        assert np.allclose(made.array, np.reshape([0.1, 128 / 255 / 0.5, 1.0], (3, 1, 1)))

    def test_small_image_is_enlarged(self, save):
        image = whole(save(encode(texture(20, 10))))
        assert to_model_input(image, CT_SPEC).content == Rect(16, 0, 32, 64)

    def test_same_file_same_array(self, save):
        path = save(encode(noisy_canvas(900, Rect(10, 10, 300, 700)), ".jpg"))
        arrays = [
            to_model_input(load_image(path, modality="ct", fit=(64, 64)), CT_SPEC).array
            for _ in range(2)
        ]
        assert np.array_equal(*arrays)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"mean": (0.5, 0.5)},
            {"std": (0.0,)},
            {"width": 0},
            {"channels": 2},
            {"size": 3},
            {"version": 2},
            {"mean": (float("nan"),)},
        ],
    )
    def test_specification_is_checked(self, wrong):
        with pytest.raises(ValidationError):
            Preprocess.model_validate({**CT_SPEC.model_dump(), **wrong})

    def test_specification_survives_json(self):
        assert Preprocess.model_validate_json(CT_SPEC.model_dump_json()) == CT_SPEC

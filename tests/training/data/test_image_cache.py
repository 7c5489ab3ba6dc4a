"""Decoded images on the disk: the same pixels, found again, bounded, and never half written."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from inspection.errors import ConfigError, ImageError
from inspection.images.grey import GreyWindow
from inspection.images.preprocess import Preprocess, load_image
from inspection.synthetic import SyntheticLot, write_lot
from training.data.image_cache import CacheConfig, ImageCache, open_cache
from training.data.transforms import letterbox

SPEC = Preprocess(modality="ct", width=32, height=64, channels=1, mean=(0.5,), std=(0.5,))
ENTRY = 32 * 64 + 46
ROOMY = 1 << 30


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    spec = SyntheticLot(batteries=4, slices=3, views=0, canvas=128, seed=5, defects=0.5)
    lot = write_lot(tmp_path_factory.mktemp("lots") / "lot", spec, workers=1)
    return sorted(lot.rglob("CT_*.jpg"))


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_the_second_reading_decodes_nothing_and_gives_the_same(
    images: list[Path], tmp_path: Path
) -> None:
    first = ImageCache(tmp_path, ROOMY)
    made = [first.read(path, "ct", SPEC) for path in images]
    again = ImageCache(tmp_path, ROOMY)
    for path, before in zip(images, made, strict=True):
        found = again.read(path, "ct", SPEC)
        image = load_image(path, modality="ct", fit=(32, 64))
        pixels, content = letterbox(image, SPEC)
        np.testing.assert_array_equal(found.pixels, pixels)
        np.testing.assert_array_equal(before.pixels, pixels)
        assert (found.roi, found.content) == (before.roi, before.content) == (image.roi, content)
    assert (first.decoded, again.decoded) == (len(images), 0)
    assert sum(file.stat().st_size for file in files_in(tmp_path)) == ENTRY * len(images)


def test_colour_images_come_back_in_colour(images: list[Path], tmp_path: Path) -> None:
    spec = Preprocess(
        modality="ct", width=16, height=24, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3
    )
    cache = ImageCache(tmp_path, ROOMY)
    before, after = (cache.read(images[0], "ct", spec).pixels for _ in range(2))
    assert after.shape == (24, 16, 3)
    np.testing.assert_array_equal(before, after)


def test_what_the_pixels_depend_on_makes_another_entry(images: list[Path], tmp_path: Path) -> None:
    source = tmp_path / "CT_cell_pouch_001_x_001.jpg"
    source.write_bytes(images[0].read_bytes())
    cache = ImageCache(tmp_path / "cache", ROOMY)
    wider = SPEC.model_copy(update={"width": 48})
    for spec, window in ((SPEC, None), (wider, None), (SPEC, GreyWindow(3.0, 200.0))):
        cache.read(source, "ct", spec, window)
    assert cache.decoded == 3
    # The statistics are applied later: they do not matter here.
    cache.read(source, "ct", SPEC.model_copy(update={"mean": (0.1,)}))
    assert cache.decoded == 3
    source.write_bytes(images[1].read_bytes())
    changed = cache.read(source, "ct", SPEC)
    np.testing.assert_array_equal(changed.pixels, cache.read(images[1], "ct", SPEC).pixels)


@pytest.mark.parametrize("damage", ["cut", "altered", "header", "empty"])
def test_a_damaged_entry_is_decoded_anew(images: list[Path], tmp_path: Path, damage: str) -> None:
    expected = ImageCache(tmp_path, ROOMY).read(images[0], "ct", SPEC)
    (file,) = files_in(tmp_path)
    data = bytearray(file.read_bytes())
    data = {
        "cut": data[:-100],
        "altered": data[:-1] + bytes([data[-1] ^ 1]),
        "header": data[:9] + bytes([data[9] ^ 1]) + data[10:],
        "empty": b"",
    }[damage]
    file.write_bytes(data)
    cache = ImageCache(tmp_path, ROOMY)
    found = cache.read(images[0], "ct", SPEC)
    assert cache.decoded == 1
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert ImageCache(tmp_path, ROOMY).read(images[0], "ct", SPEC).content == expected.content


def test_the_folder_never_outgrows_its_bound(images: list[Path], tmp_path: Path) -> None:
    cache = ImageCache(tmp_path, 5 * ENTRY)
    for _ in range(2):
        for path in images:
            cache.read(path, "ct", SPEC)
    assert len(files_in(tmp_path)) == 5
    # Those that fit stay for the second round; only the others are decoded twice.
    assert cache.decoded == len(images) + len(images) - 5


def test_what_earlier_runs_left_makes_room(images: list[Path], tmp_path: Path) -> None:
    earlier = ImageCache(tmp_path, 6 * ENTRY)
    for path in images[:6]:
        earlier.read(path, "ct", SPEC)
    later = ImageCache(tmp_path, 6 * ENTRY)
    later.read(images[0], "ct", SPEC)
    for path in images[6:10]:
        later.read(path, "ct", SPEC)
    assert len(files_in(tmp_path)) <= 6
    kept = ImageCache(tmp_path, 6 * ENTRY)
    for path in (images[0], *images[6:10]):
        kept.read(path, "ct", SPEC)
    assert kept.decoded == 0


def test_a_bound_of_nothing_turns_it_off(images: list[Path], tmp_path: Path) -> None:
    cache = open_cache(CacheConfig(folder=tmp_path / "none", max_gigabytes=0))
    for _ in range(2):
        cache.read(images[0], "ct", SPEC)
    assert cache.decoded == 2
    assert not (tmp_path / "none").exists()


def test_threads_share_it(images: list[Path], tmp_path: Path) -> None:
    cache = ImageCache(tmp_path, 5 * ENTRY)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda path: cache.read(path, "ct", SPEC), images * 4))
    for path, image in zip(images * 4, found, strict=True):
        np.testing.assert_array_equal(image.pixels, letterbox(
            load_image(path, modality="ct", fit=(32, 64)), SPEC)[0])  # fmt: skip
    assert len(files_in(tmp_path)) == 5


def test_mistakes_are_told(images: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ImageError):
        ImageCache(tmp_path / "cache", ROOMY).read(tmp_path / "gone.jpg", "ct", SPEC)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="cache"):
        ImageCache(tmp_path / "file" / "cache", ROOMY)

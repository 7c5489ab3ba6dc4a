"""Batteries with a defect, stored and damaged in ways that must never make them normal.

Each begins as a battery that the bundled models find defective: the four slices around its defect
and two views. Then the images that show the defect are stored otherwise, damaged, cut, glued
together or repeated. Whatever comes of it, ``normal`` is wrong.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import cv2
import numpy as np
from PIL import Image

from builders.hostile_images import (
    bmp,
    damaged,
    jpeg,
    png,
    run_length_bmp,
    saved,
    tiff_file,
    wild_bmp,
)
from builders.tiff_files import NONE, TiffFile
from inspection.config import find_policy
from inspection.images.stack_grey import GreyPolicy, StackWindows
from inspection.lot.scan import scan_lot
from inspection.modelstore.bundle import reference_levels
from inspection.modelstore.folders import ModelFolders
from inspection.paths import resource_path
from inspection.records import Battery, Modality, image_name
from inspection.results import DEFECT_KINDS, Kind
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.ensemble.lane import EnsembleLane
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings

LOT = SyntheticLot(batteries=12, slices=18, views=6, canvas=512, seed=77, defects=0.8)
SLICES = VIEWS = 4
Pixels = np.ndarray


def write_batteries(cache: Path, spec: SyntheticLot = LOT) -> None:
    """Write the lot that the batteries are taken from."""
    write_lot(cache / "lot", spec, workers=1)


@dataclass(frozen=True)
class Defective:
    """A defective battery's images: those that show the defect, and the others.

    Parameters
    ----------
    shown : modality that shows the defect
    ct, rgb : the images
    normal : an image of the modality without the defect
    """

    shown: Modality
    ct: tuple[Pixels, ...]
    rgb: tuple[Pixels, ...]
    normal: Pixels


class Judge:
    """The ensemble with its bundled models, loaded once.

    Parameters
    ----------
    cache : where `write_batteries` wrote the lot that the batteries are taken from
    """

    def __init__(self, cache: Path) -> None:
        folder = cache / "lot"
        self._models = ModelFolders((resource_path("models"),))
        self._policy = find_policy(self._models.with_policy)
        self._lane = EnsembleLane(self._settings(folder))
        self._lane.load()
        self.defective = [found for b in scan_lot(folder).pairs if (found := self._defective(b))]

    def close(self) -> None:
        """End the threads."""
        self._lane.close()

    def verdict_of(self, lot: Path) -> Kind:
        """Return what the ensemble says of the one battery of a lot."""
        self._lane.settings = self._settings(lot)
        (battery,) = scan_lot(lot).batteries
        verdict = self._lane.inspect(battery, threading.Event(), lambda _event: None).verdict
        assert verdict is not None
        return verdict.kind

    def _settings(self, lot: Path) -> LaneSettings:
        inspector = self._policy.inspector
        return LaneSettings(
            models=self._models,
            lot_root=lot,
            inspector=inspector,
            chooser=ImageChooser(inspector.sampling, lot, with_ensemble=True),
            device="cpu",
            greys=StackWindows(GreyPolicy(inspector.grey_window, reference_levels(self._models))),
            gate=self._policy.gate,
        )

    def _defective(self, battery: Battery) -> Defective | None:
        """Return the images of a battery that is found defective, in one modality for certain."""
        result = self._lane.inspect(battery, threading.Event(), lambda _event: None)
        if result.verdict is None or result.verdict.kind not in DEFECT_KINDS:
            return None
        root = self._lane.settings.lot_root
        by_name = {image.image: image for image in result.images}
        ct = [(ref, by_name[image_name(ref, root)]) for ref in battery.ct]
        rgb = [(ref, by_name[image_name(ref, root)]) for ref in battery.rgb]
        plain = [_pixels(ref.path) for ref, image in rgb if not image.is_anomaly]
        if result.runs:
            run = max(result.runs, key=lambda found: found.length)
            axis = [(ref, image) for ref, image in ct if ref.axis == run.axis]
            within = [ref for ref, image in axis if run.first <= ref.number <= run.last][:SLICES]
            normal = [ref for ref, image in (*axis, *ct) if not image.is_anomaly]
            if len(within) < 3 or not normal or len(plain) < 2:
                return None
            slices = tuple(_pixels(ref.path) for ref in within)
            return Defective("ct", slices, tuple(plain[:2]), _pixels(normal[0].path))
        marked = [_pixels(ref.path) for ref, image in rgb if image.is_anomaly]
        by_axis = [ref for ref, image in ct if ref.axis == "x" and not image.is_anomaly][:SLICES]
        if not marked or not plain or len(by_axis) < SLICES:
            return None
        views = tuple(marked[:VIEWS])
        return Defective("rgb", tuple(_pixels(ref.path) for ref in by_axis), views, plain[0])


def _pixels(path: Path) -> Pixels:
    found = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found if found.ndim == 2 else np.ascontiguousarray(found[:, :, ::-1])


def hostile_battery(rng: Random, defective: Sequence[Defective]) -> tuple[str, dict[str, bytes]]:
    """Return how a battery was made, and its files below its folder."""
    chosen = rng.choice(defective)
    how, make = rng.choice(list(_WAYS.items()))
    shown = chosen.ct if chosen.shown == "ct" else chosen.rgb
    if make is _frozen:
        shown = (shown * VIEWS)[:VIEWS]
    other = chosen.rgb if chosen.shown == "ct" else chosen.ct
    away = "rgb" if chosen.shown == "ct" else "ct"
    files: dict[str, bytes] = {}
    state = rng.getstate()
    for number, pixels in enumerate(shown):
        # All of one stack are stored in the same way, and damaged each in its own.
        rng.setstate(state)
        suffix, data = make(rng, pixels, chosen.normal, number)
        files[f"{chosen.shown}/s_{number + 1:03d}{suffix}"] = data
    for number, pixels in enumerate(other):
        files[f"{away}/s_{number + 1:03d}.png"] = saved(Image.fromarray(pixels), "PNG")
    return f"{chosen.shown}: {how}", files


def _raw(pixels: Pixels, **changes: object) -> TiffFile:
    return TiffFile(pixels, colours=2 if pixels.ndim == 3 else 1, **changes)  # type: ignore[arg-type]


def _any_tiff(rng: Random, pixels: Pixels, _normal: Pixels, _number: int) -> tuple[str, bytes]:
    return ".tif", tiff_file(rng, pixels).bytes()


def _deep(rng: Random, pixels: Pixels, _normal: Pixels, _number: int) -> tuple[str, bytes]:
    """12 to 16 bits, with an offset, or floating."""
    gain, offset = rng.choice(((16, 0), (64, 0), (257, 0), (78, 12_000), (20, 30_000), (100, 5000)))
    values = (offset + pixels.astype(np.float64) * gain).clip(0, 65535)
    if rng.random() < 0.3:
        return ".tif", _raw((values / 10_000 - 0.3).astype(np.float32), bits=32).bytes()
    stored = values.astype(np.uint16)
    if rng.random() < 0.5:
        found = stored if stored.ndim == 2 else stored[:, :, ::-1]
        return ".png", cv2.imencode(".png", found)[1].tobytes()
    return ".tif", _raw(stored, bits=16, order=rng.choice("<>")).bytes()


def _turned(rng: Random, pixels: Pixels, _normal: Pixels, _number: int) -> tuple[str, bytes]:
    """The picture turned, and an orientation that turns it back."""
    orientation = rng.randint(2, 8)
    turned = pixels[:, ::-1] if orientation in (2, 3, 6, 7) else pixels
    turned = turned[::-1] if orientation in (3, 4, 7, 8) else turned
    turned = turned.swapaxes(0, 1) if orientation >= 5 else turned
    turned = np.ascontiguousarray(turned)
    if rng.random() < 0.5:
        exif = Image.Exif()
        exif[274] = orientation
        return ".jpg", saved(Image.fromarray(turned), "JPEG", quality=95, exif=exif)
    return ".tif", _raw(turned, orientation=orientation, tile=rng.choice((None, (32, 32)))).bytes()


def _tail(rng: Random, pixels: Pixels, _normal: Pixels, number: int) -> tuple[str, bytes]:
    """The end was never written: zeros, or the bytes of an empty flash."""
    suffix, data, head = rng.choice((
        (".tif", _raw(pixels).bytes(), 8), (".tif", _raw(pixels, rows=16).bytes(), 8),
        (".bmp", saved(Image.fromarray(pixels), "BMP"), 54 if pixels.ndim == 3 else 1078),
        (".tif", _raw(pixels, tile=(64, 64)).bytes(), 8),
        (".jpg", saved(Image.fromarray(pixels), "JPEG"), 700),
        (".png", saved(Image.fromarray(pixels), "PNG"), 60),
    ))  # fmt: skip
    end = head + pixels.size if suffix == ".tif" else len(data)
    start = head + int((end - head) * rng.choice((0.05, 0.2, 0.4, 0.6)))
    fill = rng.choice((b"\0", b"\0", b"\0", b"\xff"))
    return suffix, data[:start] + fill * (end - start) + data[end:]


def _two(rng: Random, pixels: Pixels, normal: Pixels, _number: int) -> tuple[str, bytes]:
    """A picture without the defect before the one with it, in one file."""
    first, second = Image.fromarray(normal), Image.fromarray(pixels)
    kind, suffix = rng.choice(
        (
            ("PNG", ".png"),
            ("TIFF", ".tif"),
            ("MPO", ".jpg"),
            ("JPEG", ".jpg"),
            ("BMP", ".bmp"),
            ("raw", ".tif"),
        )
    )
    if kind in ("JPEG", "BMP"):
        return suffix, saved(first, kind) + bytes(rng.choice((0, 0, 3, 512))) + saved(second, kind)
    if kind == "raw":
        note = b"ImageJ=1.53t\nimages=2\nslices=2\n"
        return suffix, _raw(normal, tags={270: (2, note)}).bytes() + pixels.tobytes()
    return suffix, saved(first, kind, save_all=True, append_images=[second])


def _frozen(rng: Random, _pixels: Pixels, normal: Pixels, number: int) -> tuple[str, bytes]:
    """One picture again and again, as the same file or stored anew."""
    if rng.random() < 0.5 and number % 2:
        return ".bmp", saved(Image.fromarray(normal), "BMP")
    return ".png", saved(Image.fromarray(normal), "PNG")


def _cut(rng: Random, pixels: Pixels, _normal: Pixels, _number: int) -> tuple[str, bytes]:
    """A copy that ended early."""
    suffix, data = rng.choice((
        (".jpg", saved(Image.fromarray(pixels), "JPEG", progressive=rng.random() < 0.5)),
        (".png", saved(Image.fromarray(pixels), "PNG")), (".tif", _raw(pixels).bytes()),
        (".bmp", saved(Image.fromarray(pixels), "BMP")), (".tif", tiff_file(rng,
        pixels).bytes()),
    ))  # fmt: skip
    return suffix, data[: int(len(data) * rng.choice((0.3, 0.6, 0.9, 0.99)))]


def _damage(rng: Random, pixels: Pixels, normal: Pixels, number: int) -> tuple[str, bytes]:
    """Any way to store, and any damage."""
    suffix, make = rng.choice(((".tif", None), (".png", png), (".jpg", jpeg), (".bmp", bmp)))
    data = make(rng, pixels)[1] if make else tiff_file(rng, pixels).bytes()
    rng.seed(f"{rng.random()} {number}")
    return suffix, damaged(rng, data, saved(Image.fromarray(normal), "PNG"))[1]


def _fields(rng: Random, pixels: Pixels, _normal: Pixels, _number: int) -> tuple[str, bytes]:
    """One field of the header says something else."""
    if rng.random() < 0.4:
        return ".bmp", wild_bmp(rng, pixels)[1]
    height, width = pixels.shape[:2]
    tag, value = rng.choice((
        (256, width - 1), (256, width + 1), (256, width // 2), (256, width * 2), (257,
        height // 2),
        (257, height // 3), (257, height * 2), (258, 16), (258, 4), (262, 0), (262, 3), (266,
        2), (274, 6),
        (274, 3), (277, 1), (277, 2), (277, 3), (278, 1), (278, height // 2), (284, 2), (317,
        2), (339, 2),
        (259, 32773), (259, 5), (322, 64),
    ))  # fmt: skip
    return ".tif", _raw(pixels, compression=NONE, tags={tag: (3, [value])}).bytes()


def _runs(_rng: Random, pixels: Pixels, _normal: Pixels, _number: int) -> tuple[str, bytes]:
    if pixels.ndim == 3:
        return ".bmp", saved(Image.fromarray(pixels), "BMP")
    return ".bmp", run_length_bmp(pixels)


def _hole(rng: Random, pixels: Pixels, _normal: Pixels, _number: int) -> tuple[str, bytes]:
    """A block of the disk reads as zeros: in the middle, where the defect is likely to be."""
    data = bytearray(_raw(pixels).bytes())
    size = rng.choice((4096, 8192, 32_768))
    start = int(pixels.size * rng.uniform(0.2, 0.8)) // 512 * 512
    data[start : start + size] = bytes(len(data[start : start + size]))
    return ".tif", bytes(data)


_WAYS = {
    "any TIFF": _any_tiff,
    "more bits": _deep,
    "turned and turned back": _turned,
    "never written to the end": _tail,
    "two pictures": _two,
    "frozen": _frozen,
    "cut": _cut,
    "damaged": _damage,
    "a field": _fields,
    "runs": _runs,
    "a hole": _hole,
}

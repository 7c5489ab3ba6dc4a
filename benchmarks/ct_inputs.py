"""The inputs that ``ct_resolution.py`` compares, and the lots that it compares them on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inspection.images.decoding import Decoder
from inspection.images.preprocess import ImageData, Preprocess, load_image
from inspection.records import Rect
from inspection.synthetic import SyntheticLot, write_lot
from training.classifier.dataset import Slice, read_slices, to_input
from training.data.image_cache import PreparedImage
from training.data.transforms import Polygon, letterbox
from training.evaluation.metrics import defect_indices

STRIDE = 16
CANVAS = 4000
SLICES = 9
SEEDS = {"train": 401, "val": 402, "test": 403}
PORE_LENGTH = 260
"""Median length of a pore, source pixels."""
PORE_LOGIT = 4.0
"""How much a pore of median length is to move its class's logit, at every input size."""
SOUND_SHARE = 0.8
"""Sound stacks of slices trained on for each defective one."""


@dataclass(frozen=True, slots=True)
class Variant:
    """An input: its size, what it shows, and what its channels hold.

    Parameters
    ----------
    width, height : pixels
    channels : 1, or 3 for grey copied or for neighbours
    plain : the whole canvas squeezed, instead of the ROI letterboxed
    neighbours : the slices before, at and after as the three channels
    """

    width: int
    height: int
    channels: int = 1
    plain: bool = False
    neighbours: bool = False

    @property
    def preprocess(self) -> Preprocess:
        """The station's preprocess of this input."""
        return Preprocess(
            modality="ct",
            width=self.width,
            height=self.height,
            channels=self.channels,
            mean=(0.5,) * self.channels,
            std=(0.5,) * self.channels,
        )

    @property
    def source(self) -> str:
        """Name of the pixels that the channels are made of."""
        return f"{'plain' if self.plain else 'roi'}{self.height}"

    @property
    def peak(self) -> float:
        """Raw heat wanted at a defect: logits are means over cells, and finer maps dilute more."""
        cells = self.width * self.height / STRIDE**2
        hot = PORE_LENGTH * self.height / CANVAS / STRIDE
        return PORE_LOGIT * cells / hot


VARIANTS = {
    "plain512": Variant(512, 512, plain=True),
    "roi512": Variant(160, 512),
    "roi768": Variant(240, 768),
    "roi1024": Variant(320, 1024),
}
REFERENCE = "roi512"
ALL = VARIANTS | {
    f"{name}_{kind}": replace(variant, channels=3, neighbours=kind == "slices3")
    for name, variant in VARIANTS.items()
    for kind in ("grey3", "slices3")
}


class CachedSlices:
    """Slices brought to a variant's size once, read by the trainer's own batches.

    Parameters
    ----------
    slices : what they are
    pixels : (N, H, W[, 3]) uint8
    rois : the inspected part of each source image, source pixels
    contents : where that part lies in (H, W)
    """

    def __init__(
        self,
        slices: Sequence[Slice],
        pixels: NDArray[np.uint8],
        rois: Sequence[Rect],
        contents: Sequence[Rect],
    ) -> None:
        self.slices = list(slices)
        self.labels: NDArray[np.int64] = np.array([item.label for item in slices], np.int64)
        self.pixels, self.rois, self.contents = pixels, rois, contents

    def __len__(self) -> int:
        return len(self.slices)

    def read(self, index: int) -> tuple[PreparedImage, list[Polygon]]:
        """Return a slice and its defects in pixels of the network's input."""
        roi, content = self.rois[index], self.contents[index]
        polygons = [to_input(p, roi, content) for p in self.slices[index].polygons]
        return PreparedImage(np.ascontiguousarray(self.pixels[index]), roi, content), polygons

    def part(self, picks: NDArray[np.int64], width: int | None = None) -> CachedSlices:
        """Return some of the slices, the first `width` columns of each."""
        return CachedSlices(
            [self.slices[i] for i in picks],
            np.asarray(self.pixels[picks][:, :, :width]),
            [self.rois[i] for i in picks],
            [self.contents[i] for i in picks],
        )


def make_lots(root: Path, batteries: Mapping[str, int]) -> dict[str, Path]:
    """Write the lots where they are missing: different seeds, so different batteries."""
    lots = {}
    for name, count in batteries.items():
        lots[name] = root / name
        if not lots[name].is_dir():
            spec = SyntheticLot(
                batteries=count,
                slices=SLICES,
                views=0,
                canvas=CANVAS,
                seed=SEEDS[name],
                defects=0.9,
            )
            write_lot(lots[name], spec)
    return lots


def training_slices(lot: Path) -> list[Slice]:
    """Return every stack of slices with a defect, and some sound ones."""
    stacks: dict[tuple[str, str | None], list[Slice]] = {}
    for item in read_slices([lot]):
        stacks.setdefault((item.battery, item.ref.axis), []).append(item)
    bad = [s for s in stacks.values() if any(i.label in defect_indices() for i in s)]
    good = [s for s in stacks.values() if all(i.label not in defect_indices() for i in s)]
    order = np.random.default_rng(1).permutation(len(good))[: round(len(bad) * SOUND_SHARE)]
    return [item for stack in [*bad, *(good[i] for i in sorted(order))] for item in stack]


def decode(item: Slice, variant: Variant) -> ImageData:
    """Return what the variant sees of a slice's file.

    The plain resize is what ``torchvision.transforms.Resize((512, 512))`` does with a picture
    opened by Pillow: bilinear, with anti-aliasing.
    """
    if not variant.plain:
        fit = (variant.width, variant.height)
        return load_image(item.ref.path, modality="ct", fit=fit)
    decoder = Decoder(item.ref.path, "ct")
    frame = Image.fromarray(decoder.decode(1.0))
    small = np.asarray(frame.resize((variant.width, variant.height), Image.Resampling.BILINEAR))
    return ImageData(small, Rect(0, 0, *decoder.size), decoder.size)


def cache_slices(slices: list[Slice], variant: Variant, file: Path) -> CachedSlices:
    """Decode slices once per input size; the channels are made afterwards.

    Parameters
    ----------
    slices : what to decode
    variant : how
    file : ``.npy`` of the pixels; their places are kept beside it in ``.json``
    """
    grey = replace(variant, channels=1, neighbours=False)
    places = file.with_suffix(".json")
    if not places.is_file():
        pixels = np.empty((len(slices), grey.height, grey.width), np.uint8)
        rows = []
        for index, item in enumerate(slices):
            image = decode(item, grey)
            pixels[index], content = letterbox(image, grey.preprocess)
            rows.append([[r.x, r.y, r.w, r.h] for r in (image.roi, content)])
        np.save(file, pixels)
        places.write_text(json.dumps(rows), encoding="utf-8")
    rows = json.loads(places.read_text(encoding="utf-8"))
    rois, contents = ([Rect(*row[k]) for row in rows] for k in (0, 1))
    pixels = np.load(file, mmap_mode="r")
    if variant.neighbours:
        pixels = np.stack([pixels[row] for row in neighbours(slices).T], axis=-1)
    return CachedSlices(slices, pixels, rois, contents)


def neighbours(slices: Sequence[Slice]) -> NDArray[np.int64]:
    """Return (N, 3) indices of the slices before, at and after each; an end repeats itself."""
    place = {(s.battery, s.ref.axis, s.ref.number): i for i, s in enumerate(slices)}
    return np.array(
        [
            [place.get((s.battery, s.ref.axis, (s.ref.number or 0) + d), i) for d in (-1, 0, 1)]
            for i, s in enumerate(slices)
        ]
    )

"""How well an autoencoder tells normal from defective images of a plain folder, pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from inspection.errors import ConfigError
from inspection.images.decoding import Decoder
from inspection.images.preprocess import load_image, to_model_input
from inspection.modelstore.bundle import find_bundle
from inspection.systems.ensemble.detectors import Predictor, load_predictor
from inspection.systems.lane import resolve_device
from training.autoencoder.folders import list_images, read_held_out
from training.evaluation.metrics import decision_rates, ranking_figures

Masks = Literal["same-stem"]
BATCH = 8
MASK_LEVEL = 127
"""Mask pixels above this are defect: masks saved as JPEG or with soft edges are not binary."""


@dataclass(frozen=True, slots=True)
class MappedImage:
    """An image's score and map.

    Parameters
    ----------
    heat : (H, W) float32, the map in source pixels
    """

    path: Path
    score: float
    heat: NDArray[np.float32]


def evaluate_folder(
    models_dir: Path,
    data: Path,
    masks: Masks | None = None,
    normal: str | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Return the figures of a folder of models on a plain folder of images.

    The normal images are those that training held out, or all of a folder that it knew nothing of;
    every other subfolder holds defective ones and gives its name to a kind of defect.

    Parameters
    ----------
    models_dir : run folder, with ``rgb_ae`` and, of a training on a folder, the list of
        held-out images
    data : holds a subfolder of normal images and others of defective ones
    masks : ``same-stem``: beside each defective image lies its mask, ``NAME.png``
    normal : subfolder of normal images; by default the one that training was told of
    device : ``auto``, ``cpu`` or ``cuda``

    Returns
    -------
    dict
        see ``summarise``; and ``normals_held_out``, whether training has kept back just these

    Raises
    ------
    ModelMissingError, BundleError
        If there is no such model, or it is incomplete.
    ConfigError
        If it is not known which images are normal, or there are no defective ones, or a mask is
        missing.
    ImageError
        If an image cannot be read.
    """
    bundle = find_bundle(models_dir, "rgb_ae")
    held_out = read_held_out(models_dir) or []
    if normal is None:
        # In one folder as training was told; of a lot's run nothing is known.
        normal = next((line.split("/")[0] for line in held_out), None)
    if normal is None:
        raise ConfigError("ae_folder_normal_unknown", folder=models_dir.name)
    if not (data / normal).is_dir():
        raise ConfigError("ae_folder_no_normal", folder=str(data), normal=normal)
    listed = [data / line for line in held_out if line.startswith(f"{normal}/")]
    normals = [path for path in listed if path.is_file()]
    # A folder of another name of which not all are there is another one, by chance with some
    # names in common: then nothing of it was trained on.
    trained_on = bundle.manifest.training.get("data") == [data.resolve().name]
    kept_back = bool(normals) and (trained_on or normals == listed)
    if not kept_back:
        normals = images_without_masks(data / normal)
    defects = {
        folder.name: images_without_masks(folder)
        for folder in sorted(p for p in data.iterdir() if p.is_dir() and p.name != normal)
    }
    defects = {name: paths for name, paths in defects.items() if paths}
    if not normals or not defects:
        raise ConfigError("ae_folder_one_sided", folder=data.name)
    predictor = load_predictor(bundle, resolve_device(device))
    return {"normals_held_out": kept_back, **summarise(predictor, normals, defects, masks)}


def images_without_masks(folder: Path) -> list[Path]:
    """Return a folder's images; a PNG beside another image of the same name is its mask."""
    images = list_images(folder)
    # A PNG by itself may be a picture; beside a JPEG of its name it is a mask.
    others = {p.stem for p in images if p.suffix.lower() != ".png"}
    return [p for p in images if p.suffix.lower() != ".png" or p.stem not in others]


def summarise(
    predictor: Predictor,
    normals: Sequence[Path],
    defects: Mapping[str, Sequence[Path]],
    masks: Masks | None,
) -> dict[str, Any]:
    """Judge images as the station does and return the figures.

    Returns
    -------
    dict
        ``threshold``; ``images`` (n, auroc, ap, precision, recall, f1, escape_rate,
        overkill_rate); ``by_folder`` (n, auroc, ap, recall of each kind of defect against the
        normal images); ``pixels`` (auroc, ap over all pixels of all images) where there are masks
    """
    counts = PixelCounts()
    scores: dict[str, NDArray[np.float64]] = {}
    for name, paths in {"": normals, **defects}.items():
        found = []
        for image in judge_images(predictor, paths):
            found.append(image.score)
            if masks is not None:
                counts.add(image.heat, read_mask(image.path, image.heat.shape) if name else None)
        scores[name] = np.array(found, np.float64)
    normal = scores.pop("")
    everything = np.concatenate([normal, *scores.values()])
    labels = np.arange(len(everything)) >= len(normal)
    threshold = predictor.threshold
    assert threshold is not None, "an autoencoder's slot has one"
    rates = decision_rates(everything > threshold, labels)
    figures: dict[str, Any] = {
        "threshold": threshold,
        "images": {**rates, **ranking_figures(everything, labels)},
        "by_folder": {
            name: {
                "n": len(part),
                **ranking_figures(
                    np.concatenate([normal, part]),
                    np.repeat([False, True], [len(normal), len(part)]),
                ),
                "recall": float(np.mean(part > threshold)),
            }
            for name, part in scores.items()
        },
    }
    if masks is not None:
        figures["pixels"] = counts.figures()
    return figures


def judge_images(predictor: Predictor, paths: Sequence[Path]) -> Iterator[MappedImage]:
    """Judge images exactly as the station does, the map brought back to source pixels."""
    spec = predictor.preprocess
    size = (spec.width, spec.height)
    for start in range(0, len(paths), BATCH):
        part = paths[start : start + BATCH]
        images = [load_image(path, modality=spec.modality, fit=size) for path in part]
        inputs = [to_model_input(image, spec) for image in images]
        judged = predictor.judge(np.stack([i.array for i in inputs]))
        for path, image, prepared, found in zip(part, images, inputs, judged, strict=True):
            # To the input first, whose padding is then cut off at whole pixels.
            whole = cv2.resize(found.heat, size, interpolation=cv2.INTER_LINEAR)
            x, y, w, h = prepared.content
            shown = cv2.resize(
                whole[y : y + h, x : x + w], image.source_size, interpolation=cv2.INTER_LINEAR
            )
            yield MappedImage(path, found.pred_score, np.asarray(shown, np.float32))


def read_mask(image: Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the mask beside an image, True on the defect.

    Raises
    ------
    ConfigError
        If it is missing or of another size.
    ImageError
        If it cannot be read.
    """
    path = image.with_suffix(".png")
    if path == image or not path.is_file():
        raise ConfigError("ae_mask_missing", image=image.name, mask=path.name)
    mask = Decoder(path, "ct", may_be_flat=True).decode()
    if mask.shape != shape:
        raise ConfigError("ae_mask_size", image=image.name, mask=path.name)
    return np.asarray(mask > MASK_LEVEL)


class PixelCounts:
    """Ranking figures over any number of pixels in little memory.

    Heat is counted in bins of its own leading bits, a thousandth apart in relation to it: for
    positive numbers the order of the bits is that of the values, and fine heat near zero is told
    apart as well as heat near one.
    """

    _SHIFT = 13

    def __init__(self) -> None:
        bins = (int(np.float32(1.0).view(np.uint32)) >> self._SHIFT) + 1
        self._normal = np.zeros(bins, np.int64)
        self._defect = np.zeros(bins, np.int64)

    def add(self, heat: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> None:
        """Count an image's pixels; without a mask all are normal.

        Parameters
        ----------
        heat : (H, W) float32 in [0, 1]
        mask : (H, W) bool, True on the defect
        """
        bits = np.clip(heat, 0.0, 1.0).astype(np.float32).view(np.uint32) >> self._SHIFT
        size = len(self._normal)
        if mask is None:
            self._normal += np.bincount(bits.ravel(), minlength=size)
            return
        self._normal += np.bincount(bits[~mask], minlength=size)
        self._defect += np.bincount(bits[mask], minlength=size)

    def figures(self) -> dict[str, float | None]:
        """Return ``auroc`` and ``ap``; None where one kind of pixel is missing."""
        if not self._normal.any() or not self._defect.any():
            return {"auroc": None, "ap": None}
        bins = len(self._normal)
        labels, scores = np.repeat([0, 1], bins), np.tile(np.arange(bins), 2)
        counts = np.concatenate([self._normal, self._defect])
        return {
            "auroc": float(roc_auc_score(labels, scores, sample_weight=counts)),
            "ap": float(average_precision_score(labels, scores, sample_weight=counts)),
        }

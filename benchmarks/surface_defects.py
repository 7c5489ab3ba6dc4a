"""Train and judge the surface recipe on a folder of normal and defective images, seed by seed.

The folder holds a subfolder of normal images and others of defective ones, each with a mask
``NAME.png`` beside it. A quarter of the normal images and four fifths of the defective ones are the
test part; the other fifth of the defective ones, with the normal images that training held out for
early stopping, is for choices (``--part val``). Images that look alike are in one part. Prints
one JSON object::

    python benchmarks/surface_defects.py DIR --normal good --out runs --seeds 0 1 2
    python benchmarks/surface_defects.py DIR --normal good --out runs --seeds 0 --part val

A seed whose run is in the folder already is only judged.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from inspection.config import config_path
from inspection.modelstore.bundle import find_bundle
from inspection.systems.ensemble.detectors import load_predictor
from training.autoencoder.autoencoder import train_autoencoder
from training.autoencoder.config import AutoencoderConfig
from training.autoencoder.folders import group_alike, hold_out, read_folder
from training.autoencoder.plain_folder import images_without_masks, summarise
from training.autoencoder.views import split_by_battery
from training.config import read_training_config
from training.loop.runs import TrainingRun

VALIDATION_SHARE = 0.2
SPLIT_SEED = 0


def split_defects(folder: Path) -> dict[str, list[Path]]:
    """Return a kind of defect's validation and test images; look-alikes are in one part."""
    paths = images_without_masks(folder)
    groups = np.array(group_alike(paths))
    chosen: set[int] = set()
    for group in np.random.default_rng(SPLIT_SEED).permutation(groups.max() + 1):
        if np.isin(groups, list(chosen)).sum() >= VALIDATION_SHARE * len(paths):
            break
        chosen.add(int(group))
    parts: dict[str, list[Path]] = {"val": [], "test": []}
    for path, group in zip(paths, groups, strict=True):
        parts["val" if group in chosen else "test"].append(path)
    return parts


def normals_of(part: str, data: Path, normal: str, config: AutoencoderConfig) -> list[Path]:
    """Return the normal images of a part, as the training split them."""
    rest, test = hold_out(read_folder(data, normal), config.folder)
    settings = config.training
    held = split_by_battery(rest, settings.validation_share, settings.seed)[1]
    return [view.ref.path for view in (test if part == "test" else held)]


def judge_seed(seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train where there is no run yet; return the figures and the minutes that training took."""
    data, out = arguments.data, arguments.out / f"seed{seed}"
    overrides = [*arguments.set, f"training.seed={seed}"]
    config = read_training_config(arguments.config, overrides)
    assert isinstance(config, AutoencoderConfig)
    started = time.monotonic()
    if not (out / "rgb_ae").is_dir():
        train_autoencoder(config, TrainingRun(out, (data,), normal=arguments.normal))
    minutes = (time.monotonic() - started) / 60
    others = sorted(p for p in data.iterdir() if p.is_dir() and p.name != arguments.normal)
    defects = {folder.name: split_defects(folder)[arguments.part] for folder in others}
    normals = normals_of(arguments.part, data, arguments.normal, config)
    predictor = load_predictor(find_bundle(out, "rgb_ae"))
    return {
        "seed": seed,
        "minutes": minutes,
        "normal_images": len(normals),
        **summarise(predictor, normals, defects, "same-stem"),
    }


def main() -> None:
    """Judge every seed, print all figures and the means of the AUROCs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--normal", default="good")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--part", choices=("val", "test"), default="test")
    parser.add_argument("--config", type=Path, default=config_path("autoencoder_surface.yaml"))
    parser.add_argument("--set", action="append", default=[], help="training.epochs=3")
    arguments = parser.parse_args()
    seeds = [judge_seed(seed, arguments) for seed in arguments.seeds]
    means = {
        kind: float(np.mean([figures[kind]["auroc"] for figures in seeds]))
        for kind in ("images", "pixels")
    }
    json.dump({"part": arguments.part, "mean_auroc": means, "seeds": seeds}, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

"""Training of two detectors as one, each scaled by what it says of held-out normal images."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inspection.images.grey import GreyLevels
from inspection.modelstore.bundle import Bundle, load_bundle
from inspection.modelstore.bundle_writing import write_bundle
from inspection.modelstore.seen import seen_by
from inspection.systems.ensemble.cae import CaePredictor, score_maps
from inspection.systems.ensemble.combined import FLOOR, CombinedArchitecture, combine
from inspection.systems.ensemble.features import FeaturePredictor
from inspection.systems.ensemble.known_answers import record_answers
from inspection.systems.lane import resolve_device
from training.autoencoder.autoencoder import slot_of, train_autoencoder, train_views
from training.autoencoder.sides import Sides, in_windows, read_sides
from training.autoencoder.thresholds import compute_threshold
from training.autoencoder.views import View, to_input
from training.data.image_cache import ImageCache, open_cache
from training.features.config import CombinedConfig
from training.features.features import train_feature_views
from training.loop.runs import TrainingRun

BATCH = 8
LEAST_SPREAD = 0.05
"""Of normal scores, which a handful of equal pictures would make none of."""


def train_combined(config: CombinedConfig, run: TrainingRun) -> Bundle:
    """Train both detectors on the same normal images and return the bundle that joins them.

    The taught one is trained in the run's folder, so that a run that was interrupted goes on; its
    own bundle stays in ``taught``, the frozen features' in ``features``, to be compared with.

    Parameters
    ----------
    config : ``combined.yaml``
    run : data and folder

    Raises
    ------
    ConfigError
        As `train_autoencoder`.
    TrainingInterrupted
        After Ctrl-C or SIGTERM.
    """
    own = config.of_taught()
    taught, settings = train_autoencoder(own, run), own.training
    if taught.manifest.architecture["name"] == "combined":
        # Asked to go on with a run that was finished: the two are joined already.
        return taught
    read = read_sides(run, config.modality, config.folder, settings.validation_share, settings.seed)
    return _join(config, run, taught, read)


def train_combined_views(
    config: CombinedConfig, run: TrainingRun, taught: Sequence[View], held_out: Sequence[View]
) -> Bundle:
    """Train both detectors on normal images that were chosen one by one; see `train_combined`.

    Parameters
    ----------
    taught : normal images to learn from
    held_out : others, of other batteries, by which the two are scaled
    """
    source = f"held-out good batteries of {run.lots[0].resolve().name}"
    sides = Sides(list(taught), list(held_out), list(held_out), source, [])
    return _join(config, run, train_views(config.of_taught(), run, taught, held_out), sides)


def _join(config: CombinedConfig, run: TrainingRun, taught: Bundle, read: Sides) -> Bundle:
    own = config.of_taught()
    slot, settings = slot_of(own), own.training
    sides, _ = in_windows(read, config.modality, taught)
    within = replace(run, out=run.out / "features", init=None, resume=False, force=True)
    features = train_feature_views(config.of_features(), within, sides.train)
    device, cache = resolve_device(settings.device), open_cache(config.cache)
    parts = CaePredictor(taught, device), FeaturePredictor(features, device)
    top = own.architecture.top_fraction
    normal: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    for first, second in _maps(parts, sides.held, config, cache):
        logged = torch.log(first.clamp_min(FLOOR))
        one, other = score_maps(logged, top), score_maps(second, config.features.top_fraction)
        normal.append((one.cpu().numpy(), other.cpu().numpy()))
    of_taught, of_features = (np.concatenate(part) for part in zip(*normal, strict=True))
    architecture = CombinedArchitecture(
        autoencoder_level=float(of_taught.mean()),
        autoencoder_spread=max(LEAST_SPREAD, float(of_taught.std())),
        features_level=float(of_features.mean()),
        features_spread=max(LEAST_SPREAD, float(of_features.std())),
        top_fraction=top,
    )
    judged = [
        score_maps(combine(*maps, architecture), top).cpu().numpy()
        for maps in _maps(parts, sides.judged, config, cache)
    ]
    is_defect = np.array([view.is_defect for view in sides.judged], bool)
    threshold = compute_threshold(config.threshold, np.concatenate(judged), is_defect, sides.source)
    fields = {
        **architecture.model_dump(),
        **{f"autoencoder.{n}": v for n, v in taught.manifest.architecture.items()},
        **{f"features.{n}": v for n, v in features.manifest.architecture.items()},
    }
    tensors = {
        **{f"autoencoder.{n}": t for n, t in taught.load_tensors().items()},
        **{f"features.{n}": t for n, t in features.load_tensors().items()},
    }
    kept, levels = run.out / "taught" / slot, taught.manifest.grey_levels
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(taught.folder, kept)
    bundle = write_bundle(
        run.out / slot,
        slot=slot,
        name=config.name,
        architecture=fields,
        labels=[],
        preprocess=config.preprocess,
        display_scale=2 * threshold.threshold,
        training={
            **taught.manifest.training,
            "config": config.model_dump(mode="json"),
            "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
        },
        demo=config.demo,
        tensors=tensors,
        threshold=threshold,
        grey_levels=None if levels is None else GreyLevels(levels.air, levels.body),
        # The other one was fitted to some of the same images.
        seen=seen_by(taught),
    )
    record_answers(bundle)
    return load_bundle(run.out / slot, slot)


def _maps(
    parts: tuple[CaePredictor, FeaturePredictor],
    views: Sequence[View],
    config: CombinedConfig,
    cache: ImageCache,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the raw maps of both detectors, (B, h, w) each, a batch at a time."""
    spec = config.preprocess
    for start in range(0, len(views), BATCH):
        part = views[start : start + BATCH]
        pixels = [cache.read(v.ref.source, v.ref.modality, spec, v.window).pixels for v in part]
        inputs = to_input(pixels, spec).numpy()
        yield parts[0].look(inputs)[0], parts[1].look(inputs)[0]

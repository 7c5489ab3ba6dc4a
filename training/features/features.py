"""Training of a detector of frozen features: normal images in, a bundle out, within seconds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inspection.errors import ConfigError
from inspection.images.preprocess import Preprocess, load_image
from inspection.modelstore.bundle import Bundle, load_bundle
from inspection.modelstore.bundle_writing import write_bundle
from inspection.modelstore.folders import Slot
from inspection.modelstore.seen import see
from inspection.systems.ensemble.cae import score_maps
from inspection.systems.ensemble.features_network import FeatureNetwork, picture_cells
from inspection.systems.ensemble.known_answers import record_answers
from training.autoencoder.folders import write_held_out
from training.autoencoder.sides import Sides, in_windows, read_sides
from training.autoencoder.thresholds import compute_threshold
from training.autoencoder.views import View, to_input
from training.data.image_cache import ImageCache, open_cache
from training.data.planes import cache_planes
from training.features.backbone import load_backbone
from training.features.config import FeaturesConfig
from training.features.fit import Moments, fill_places, remember
from training.loop.interruption import TrainingInterrupted, stop_requests
from training.loop.runs import TrainingRun, begin_run

log = logging.getLogger(__name__)

KEPT_CELLS = 1 << 21
"""Places whose features are kept for the second look: 600 MB in half precision."""
LOOKED_AT = 16
"""Pictures whose shape decides that of the input."""
FEWEST = 2
Progress = Callable[[int, int], None]


def train_features(config: FeaturesConfig, run: TrainingRun) -> Bundle:
    """Fit a detector to normal images and return its bundle.

    Parameters
    ----------
    config : ``features.yaml``
    run : data and folder

    Raises
    ------
    ConfigError
        If there are too few normal images, or the run was to be resumed or to start from a model:
        a fit has no epochs to go on from.
    TrainingInterrupted
        After Ctrl-C or SIGTERM.
    """
    share, seed = 1 / config.training.folds, config.training.seed
    return _fit(
        config, run, lambda: read_sides(run, config.modality, config.folder, share, seed), None
    )


def train_feature_views(
    config: FeaturesConfig,
    run: TrainingRun,
    taught: Sequence[View],
    progress: Progress | None = None,
) -> Bundle:
    """Fit a detector to normal images that were chosen one by one; see `train_features`.

    Parameters
    ----------
    progress : called with the images done and all of them
    """
    source = f"good batteries of {run.lots[0].resolve().name}, each by a fit to the others"
    sides = Sides(list(taught), [], [], source, [])
    return _fit(config, run, lambda: sides, progress)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of some pictures.

    Parameters
    ----------
    folds : (N,) int64
    features : (N, C, h, w) float16
    where : (N, h, w) bool
    """

    folds: Tensor
    features: Tensor
    where: Tensor


def _fit(
    config: FeaturesConfig,
    run: TrainingRun,
    read: Callable[[], Sides],
    progress: Progress | None,
) -> Bundle:
    slot: Slot = "rgb_ae" if config.modality == "rgb" else "ct_ae"
    if run.resume or run.init is not None:
        raise ConfigError("features_no_epochs")
    with begin_run(config, run) as processes, stop_requests() as asked:
        if processes.size > 1:
            raise ConfigError("features_one_process")
        sides, levels = in_windows(read(), config.modality, None)
        # None is held out to stop early by: every normal picture is judged by a fit to others.
        normals = [*sides.train, *(view for view in sides.held if view not in sides.train)]
        if len(normals) < FEWEST:
            raise ConfigError("ae_no_normals", lot=run.lots[0].name, found=len(normals))
        if sides.test:
            write_held_out(run.out, run.lots[0], sides.test)
        if config.pixels is not None:
            config = config.model_copy(update={"preprocess": fitted(config, normals)})
        cache, spec = open_cache(config.cache), config.preprocess
        planes = [(view.ref.source, view.window) for view in (*normals, *sides.judged)]
        cache_planes(cache, planes, config.modality, spec, config.training.workers)
        log.info("%s: %d normal images", config.run_name, len(normals))
        network = FeatureNetwork(config.architecture, spec.mean, spec.std).eval()
        wanted = network.backbone.state_dict()
        weights = load_backbone(config.architecture.backbone)
        network.backbone.load_state_dict({name: weights[name] for name in wanted})
        stored = {f"backbone.{name}": t.clone() for name, t in wanted.items()}
        network.backbone.fuse()
        network.to(processes.device).to(memory_format=torch.channels_last)
        source = _Pictures(network, config, cache)

        def step(done: int) -> None:
            if asked.is_set():
                raise TrainingInterrupted(0)
            if progress is not None:
                progress(done, len(normals))

        scores = fit_network(network, config, source, normals, step)
        is_defect = np.zeros(len(scores), bool)
        # Labelled ones of a validation lot or part, where there is one, say more.
        if sides.judged and sides.judged is not sides.held:
            scores = source.scores(sides.judged)
            is_defect = np.array([view.is_defect for view in sides.judged], bool)
        threshold = compute_threshold(config.threshold, scores, is_defect, sides.source)
        log.info("threshold %.4g (%s)", threshold.threshold, threshold.method)
        own = {n: t for n, t in network.state_dict().items() if not n.startswith("backbone.")}
        bundle = write_bundle(
            run.out / slot,
            slot=slot,
            name=config.name,
            architecture=config.architecture.model_dump(),
            labels=[],
            preprocess=spec,
            display_scale=2 * threshold.threshold,
            training=_record(config, run, len(normals)),
            demo=config.demo,
            tensors={**stored, **own},
            threshold=threshold,
            grey_levels=levels,
            seen=see(view.ref.source for view in (*normals, *sides.judged)),
        )
        record_answers(bundle)
    return load_bundle(run.out / slot, slot)


def _record(config: FeaturesConfig, run: TrainingRun, images: int) -> dict[str, Any]:
    return {
        "run_name": config.run_name,
        "config": config.model_dump(mode="json"),
        **run.provenance(),
        "images": images,
        "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def fit_network(
    network: FeatureNetwork,
    config: FeaturesConfig,
    source: _Pictures,
    normals: Sequence[View],
    step: Callable[[int], None],
) -> NDArray[np.float32]:
    """Fill a network with what is normal, and return the score of normal pictures.

    Each picture is judged by a fit to the other batteries' pictures; where there are more than
    memory holds, some of them, evenly.

    Parameters
    ----------
    step : called with the number of pictures done
    """
    settings, spec, arch = config.training, config.preprocess, config.architecture
    rng = np.random.default_rng(settings.seed)
    folds = folds_of(normals, settings.folds, rng)
    moments = [Moments.none(arch.width) for _ in range(int(folds.max()) + 1)]
    cells = (spec.width // arch.finest) * (spec.height // arch.finest)
    every = max(1, -(-len(normals) * cells // KEPT_CELLS))
    found: list[tuple[int, Tensor, Tensor]] = []
    for at, features, where in source.embedded(normals):
        fold = int(folds[at])
        moments[fold].add(features.permute(1, 2, 0)[where])
        if at % every == 0:
            found.append((fold, features.half(), where))
        step(at + 1)
    kept = _Kept(
        torch.tensor([row[0] for row in found]),
        torch.stack([row[1] for row in found]),
        torch.stack([row[2] for row in found]),
    )
    whole = moments[0]
    for part in moments[1:]:
        whole = Moments(
            whole.count + part.count, whole.total + part.total, whole.products + part.products
        )
    logs = torch.zeros(kept.where.shape)

    def fill(moments: Moments, known: Tensor) -> None:
        moments.fill(network, settings.shrinkage)
        if arch.method == "knn":
            rows = kept.features[known].permute(0, 2, 3, 1)[kept.where[known]]
            remember(network, rows.to(network.mean.device), settings.memory, rng)

    with torch.inference_mode():
        for fold, part in enumerate(moments):
            other = kept.folds == fold
            fill(whole.without(part), ~other)
            for at in torch.nonzero(other).flatten().tolist():
                one = kept.features[at : at + 1].float().to(network.mean.device)
                cell = kept.where[at : at + 1].to(network.mean.device)
                logs[at] = network.distances(one, cell)[0].cpu()
        fill_places(network, logs, kept.where)
        maps = network.cpu().heat(logs, kept.where)
        fill(whole, torch.ones(len(kept.folds), dtype=torch.bool))
        network.to(source.device)
        return score_maps(maps, arch.top_fraction).numpy()


def folds_of(views: Sequence[View], folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the part of each picture, (N,) from 0; a battery's are in one part.

    Pictures of a single battery are parts by themselves: that is little, and said so.
    """
    batteries = sorted({view.battery for view in views})
    if len(batteries) < FEWEST:
        log.warning("all pictures are of one battery: how others differ is not known")
        return np.arange(len(views)) % min(folds, len(views))
    count = min(folds, len(batteries))
    part_of = {batteries[at]: n % count for n, at in enumerate(rng.permutation(len(batteries)))}
    return np.array([part_of[view.battery] for view in views])


def fitted(config: FeaturesConfig, views: Sequence[View]) -> Preprocess:
    """Return the preprocess with sides of the pictures' own shape and about ``pixels`` in all."""
    assert config.pixels is not None
    some = views[:: -(-len(views) // LOOKED_AT)]
    shapes = []
    for view in some:
        roi = load_image(view.ref.source, modality=view.ref.modality, window=view.window).roi
        shapes.append(roi.w / roi.h)
    aspect, step = float(np.median(shapes)), config.architecture.step
    width = max(step, round((config.pixels * aspect) ** 0.5 / step) * step)
    height = max(step, round((config.pixels / aspect) ** 0.5 / step) * step)
    return config.preprocess.model_copy(update={"width": width, "height": height})


class _Pictures:
    """Pictures as the network sees them."""

    def __init__(self, network: FeatureNetwork, config: FeaturesConfig, cache: ImageCache) -> None:
        self._network, self._config, self._cache = network, config, cache
        self.device = next(network.backbone.parameters()).device

    @torch.inference_mode()
    def embedded(self, views: Sequence[View]) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Yield number, (C, h, w) features and (h, w) bool of each picture, on the processor."""
        number = 0
        for batch in self._batches(views):
            features = self._network.embed(batch)
            where = picture_cells(batch, (features.shape[2], features.shape[3]))
            for one, cells in zip(features.cpu(), where.cpu(), strict=True):
                yield number, one, cells
                number += 1

    @torch.inference_mode()
    def scores(self, views: Sequence[View]) -> NDArray[np.float32]:
        """Return the score of each picture, (N,), as the station would compute it."""
        found = []
        for batch in self._batches(views):
            raw = self._network.raw_map(self._network.embed(batch), batch)
            found.append(score_maps(raw, self._config.architecture.top_fraction).cpu().numpy())
        return np.concatenate(found)

    def _batches(self, views: Sequence[View]) -> Iterator[Tensor]:
        size, spec = self._config.training.batch_size, self._config.preprocess

        def read(view: View) -> NDArray[np.uint8]:
            source, modality = view.ref.source, view.ref.modality
            return self._cache.read(source, modality, spec, view.window).pixels

        with ThreadPoolExecutor(self._config.training.workers) as pool:
            for start in range(0, len(views), size):
                pixels = list(pool.map(read, views[start : start + size]))
                yield to_input(pixels, spec).to(self.device, memory_format=torch.channels_last)

"""Training of the autoencoder on normal images, from a lot or a plain folder to a bundle."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, recall_score
from torch import Tensor, nn
from torch.nn import functional

from inspection.errors import ConfigError
from inspection.images.grey import GreyLevels
from inspection.modelstore.bundle import Bundle, load_bundle
from inspection.modelstore.bundle_writing import write_bundle
from inspection.modelstore.folders import Slot
from inspection.modelstore.seen import SeenImages, see
from inspection.systems.ensemble.cae import load_weights
from inspection.systems.ensemble.cae_network import ConvAutoencoder
from inspection.systems.ensemble.known_answers import record_answers
from training.autoencoder.config import AutoencoderConfig
from training.autoencoder.folders import write_held_out
from training.autoencoder.loss import HeldOut, compute_loss, display_scale, score_views, validate
from training.autoencoder.sides import Sides, in_windows, read_sides
from training.autoencoder.thresholds import compute_threshold, f1_max_threshold
from training.autoencoder.views import (
    View,
    ViewBatch,
    training_batches,
    validation_batches,
)
from training.data.image_cache import ImageCache, open_cache
from training.data.planes import cache_planes
from training.loop.checkpoints import identity_of
from training.loop.config import LoggingConfig, LoopConfig
from training.loop.distributed import Processes
from training.loop.loop import Judged, fit
from training.loop.runs import TrainingRun, begin_run, digest_of

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

log = logging.getLogger(__name__)


def train_autoencoder(config: AutoencoderConfig, run: TrainingRun) -> Bundle:
    """Train on normal images and return the bundle of the best epoch.

    Parameters
    ----------
    config : ``autoencoder_rgb.yaml`` or ``autoencoder_ct.yaml``
    run : data and folder

    Raises
    ------
    BundleError
        If ``run.init`` is not a model folder of the same network.
    ConfigError
        If there are no normal images of at least two batteries, no threshold can be computed, or a
        checkpoint cannot be used.
    TrainingInterrupted
        After Ctrl-C or SIGTERM.
    """
    share, seed = config.training.validation_share, config.training.seed
    return _train(config, run, lambda: read_sides(run, config.modality, config.folder, share, seed))


def train_views(
    config: AutoencoderConfig, run: TrainingRun, taught: Sequence[View], held_out: Sequence[View]
) -> Bundle:
    """Train on normal images that were chosen one by one; see `train_autoencoder`.

    Parameters
    ----------
    taught : normal images to learn from
    held_out : others, of other batteries, to stop early by and to find the threshold with
    """
    source = f"held-out good batteries of {run.lots[0].resolve().name}"
    sides = Sides(list(taught), list(held_out), list(held_out), source, [])
    return _train(config, run, lambda: sides)


def _train(config: AutoencoderConfig, run: TrainingRun, read: Callable[[], Sides]) -> Bundle:
    slot = slot_of(config)
    start = None if run.init is None else load_bundle(run.init, slot)
    with begin_run(config, run) as processes:
        sides, levels = in_windows(read(), config.modality, start)
        log.info(
            "%s: %d normal images, %d to validate",
            config.run_name,
            len(sides.train),
            len(sides.held),
        )
        # Before the first epoch: an interrupted run must be judged on the same images.
        if sides.test and processes.writes:
            write_held_out(run.out, run.lots[0], sides.test)
        size = config.preprocess.width, config.preprocess.height
        model = ConvAutoencoder(config.architecture, *size)
        if start is not None:
            load_weights(model, start, grow=True)
        model.to(processes.device).to(memory_format=torch.channels_last)
        origin = {**run.provenance(), "init": None if start is None else start.sha256}
        views, cache = (*sides.train, *sides.held, *sides.judged), open_cache(config.cache)
        planes = [(view.ref.source, view.window) for view in views]
        workers = config.training.workers
        spec, mine = config.preprocess, processes.share(planes)
        cache_planes(cache, mine, config.modality, spec, workers)
        seen = see((view.ref.source for view in views), start)
        task = AutoencoderTask(
            config, model, sides, levels, cache, run.out, origin, seen, processes
        )
        images = [(view.ref.source, ",".join(view.defects)) for view in views]
        identity = identity_of(config, **origin, normal=run.normal, images=digest_of(images))
        fit(task, run.out, identity, processes, run.logging, resume=run.resume)
    return load_bundle(run.out / slot, slot)


class AutoencoderTask:
    """What the loop needs to know of an autoencoder; see `training.loop.loop.Task`."""

    columns: tuple[str, ...] = (
        "epoch", "train_loss", "val_loss", "val_f1", "val_accuracy", "val_recall", "val_auroc",
    )  # fmt: skip

    def __init__(
        self,
        config: AutoencoderConfig,
        model: ConvAutoencoder,
        sides: Sides,
        levels: GreyLevels | None,
        images: ImageCache,
        out: Path,
        origin: Mapping[str, Any],
        seen: SeenImages,
        processes: Processes,
    ) -> None:
        self.config, self._seen = config, seen
        self.settings: LoopConfig = config.training
        self.run_name, self.epochs = config.run_name, config.training.epochs
        self.model: nn.Module = model
        self.criterion: nn.Module = AutoencoderLoss(model, config)
        self._network = model
        self._sides, self._images, self._out, self._origin = sides, images, out, origin
        self._levels = levels
        self._part = slice(processes.rank, None, processes.size)
        count = len(sides.train) * config.training.repeats
        if processes.size > 1 and count < config.training.batch_size:
            raise ConfigError("batch_not_shared", size=count, processes=processes.size)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return all parameters as one group."""
        return [{"params": list(self.model.parameters()), "lr": self.settings.learning_rate}]

    def batch_count(self, epoch: int) -> int:
        """Return the steps of an epoch."""
        count = len(self._sides.train) * self.config.training.repeats
        return max(1, count // self.settings.batch_size)

    def batches(self, epoch: int) -> Iterator[ViewBatch]:
        """Yield an epoch's batches."""
        # Counted from 1, as validation's painted anomalies have a number of their own.
        return training_batches(self._sides.train, self.config, epoch + 1, self._images, self._part)

    def may_stop_after(self, epoch: int) -> bool:
        """Return True: every epoch counts."""
        return True

    def judge(self) -> Judged:
        """Judge the held-out normal images, each without and with a painted anomaly."""
        found = validate(self._network, self._sides.held, self.config, self._images)
        # At the best threshold for the painted marks; the model's own comes from other images.
        called = found.scores > f1_max_threshold(found.scores, found.labels.astype(bool))
        figures = {
            "val_loss": found.loss,
            "val_f1": float(f1_score(found.labels, called)),
            "val_accuracy": float(accuracy_score(found.labels, called)),
            "val_recall": float(recall_score(found.labels, called)),
            "val_auroc": found.auroc,
        }
        by_loss = self.config.training.best_by == "val_loss"
        rank = (-found.loss,) if by_loss else (found.auroc, -found.loss)
        return Judged(found.loss, rank, figures, found)

    def save(self, judged: Judged, rows: Sequence[dict[str, float]]) -> None:
        """Write the bundle, with the threshold that fits its stored weights."""
        config, model = self.config, copy.deepcopy(self._network).eval()
        # Matrices rounded to half as the bundle does: the threshold must fit what is stored.
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim >= 2:
                    parameter.copy_(parameter.half().float())
        scores = score_views(model, self._sides.judged, config, self._images)
        is_defect = np.array([view.is_defect for view in self._sides.judged], bool)
        threshold = compute_threshold(config.threshold, scores, is_defect, self._sides.source)
        log.info("threshold %.4g (%s)", threshold.threshold, threshold.method)
        slot = slot_of(config)
        bundle = write_bundle(
            self._out / slot,
            slot=slot,
            name=config.name,
            architecture=config.architecture.model_dump(),
            labels=[],
            preprocess=config.preprocess,
            display_scale=display_scale(config.architecture, threshold.threshold),
            training={
                "run_name": self.run_name,
                "config": config.model_dump(mode="json"),
                **self._origin,
                "best_epoch": rows[-1]["epoch"],
                "val_loss": rows[-1]["val_loss"],
                "val_auroc": rows[-1]["val_auroc"],
                "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
            },
            demo=config.demo,
            tensors=model.state_dict(),
            threshold=threshold,
            grey_levels=self._levels,
            seen=self._seen,
        )
        record_answers(bundle)

    def draw(
        self, writer: SummaryWriter, epoch: int, judged: Judged, config: LoggingConfig
    ) -> None:
        """Send histograms of the scores, and reconstructions."""
        found: HeldOut = judged.details
        if epoch % config.histograms_every == 0:
            writer.add_histogram("val/scores_clean", found.clean, epoch)
            writer.add_histogram("val/scores_painted", found.painted, epoch)
        if epoch % config.reconstructions_every == 0:
            shown = self._sides.held[: config.reconstructions]
            # In place of the threshold, which only a written model has.
            scale = display_scale(self.config.architecture, float(np.median(found.painted)))
            picture = draw_reconstructions(self._network, shown, self.config, self._images, scale)
            writer.add_image("val/reconstructions", picture, epoch, dataformats="HWC")


class AutoencoderLoss(nn.Module):
    """The loss of this process's part of a batch, as a module around the network."""

    def __init__(self, model: ConvAutoencoder, config: AutoencoderConfig) -> None:
        super().__init__()
        self.model = model
        self._config = config

    def forward(self, batch: ViewBatch) -> Tensor:
        """Return the loss of a batch."""
        return compute_loss(self.model, batch, self._config)


@torch.inference_mode()
def draw_reconstructions(
    model: ConvAutoencoder,
    views: Sequence[View],
    config: AutoencoderConfig,
    images: ImageCache,
    scale: float,
) -> NDArray[np.uint8]:
    """Return a row a view: with an anomaly painted on it, its reconstruction, and its map.

    Parameters
    ----------
    model : in evaluation mode
    views : few normal ones
    config, images : of the training
    scale : raw heat that is drawn white, the same for every view and epoch

    Returns
    -------
    (N H, 3 W, 3) uint8
    """
    device = next(model.parameters()).device
    mean, std = (np.asarray(v, np.float32) for v in (config.preprocess.mean, config.preprocess.std))
    rows = []
    for batch in validation_batches(views, config, images):
        inputs = batch.painted.to(device, memory_format=torch.channels_last)
        size = inputs.shape[2:]
        made = functional.interpolate(model.reconstruct(inputs).float(), size, mode="bilinear")
        heat = model.raw_map(inputs).float().unsqueeze(1) / scale
        heat = functional.interpolate(heat, size, mode="nearest").clamp(0, 1)
        shown = []
        for part in (inputs, made):
            values = part.cpu().numpy().transpose(0, 2, 3, 1) * std + mean
            shown.append(np.clip(np.round(values * 255), 0, 255).astype(np.uint8))
        white = np.repeat(heat.cpu().numpy().transpose(0, 2, 3, 1) * 255, 3, axis=3)
        rows += list(np.concatenate([*shown, white.astype(np.uint8)], axis=2))  # (H, 3 W, 3)
    return np.concatenate(rows)


def slot_of(config: AutoencoderConfig) -> Slot:
    """Return which part of the station the model is for."""
    return "rgb_ae" if config.modality == "rgb" else "ct_ae"

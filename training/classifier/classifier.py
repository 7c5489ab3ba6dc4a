"""Training of the CT classifier: lots in, a bundle out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from torch import Tensor, nn
from torch.nn import functional

from inspection.classes import class_table
from inspection.errors import ConfigError
from inspection.images.grey import GreyLevels
from inspection.modelstore.bundle import Bundle, load_bundle
from inspection.modelstore.bundle_writing import write_bundle
from inspection.modelstore.folders import Slot
from inspection.modelstore.seen import SeenImages, see
from inspection.systems.ensemble.backbones import CtClassifier, build_classifier
from inspection.systems.ensemble.known_answers import record_answers
from training.classifier.config import CnnConfig, Localisation
from training.classifier.dataset import (
    Slice,
    SliceBatch,
    SliceBatches,
    SliceImages,
    read_slices,
    split_batteries,
)
from training.classifier.pretrained import load_pretrained
from training.classifier.validation import Validation, validate
from training.data.image_cache import open_cache
from training.data.planes import cache_planes
from training.data.stack_windows import find_windows
from training.evaluation.metrics import calibrate_temperature, defect_indices
from training.loop.checkpoints import identity_of
from training.loop.config import LoggingConfig, LoopConfig
from training.loop.distributed import Processes, sum_over_processes
from training.loop.loop import Judged, fit
from training.loop.precision import autocast, choose_dtype
from training.loop.run_log import draw_confusion
from training.loop.runs import TrainingRun, begin_run, digest_of

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

log = logging.getLogger(__name__)

SLOT: Slot = "ct_cnn"
MAP_LOSS_SCALE = 10.0
"""Brings a mean over mostly cold cells to the size of the cross-entropy."""


def train_classifier(config: CnnConfig, run: TrainingRun) -> Bundle:
    """Train and return the bundle of the best epoch.

    Parameters
    ----------
    config : ``cnn.yaml``
    run : data and folder

    Raises
    ------
    InspectionError
        If a lot, model folder, weights file or checkpoint cannot be used, or there are too few
        batteries.
    TrainingInterrupted
        After Ctrl-C or SIGTERM.
    """
    start = None if run.init is None else load_bundle(run.init, SLOT)
    first_weights = config.training.pretrained
    if start is not None and first_weights is not None:
        raise ConfigError("pretrained_and_init")
    with begin_run(config, run) as processes:
        architecture = config.architecture.model_dump()
        model = build_classifier(architecture)
        if start is not None:
            if start.manifest.architecture != architecture:
                raise ConfigError("init_architecture", folder=start.folder.name)
            load_start(model, start)
        elif first_weights is not None:
            load_pretrained(model, config.architecture.backbone, first_weights)
        model.to(processes.device).to(memory_format=torch.channels_last)
        train, val = read_sides(config, run)
        cache = open_cache(config.cache)
        stacks = [(item.battery, item.ref) for item in (*train, *val)]
        windows, levels = find_windows(stacks, {item.battery for item in train}, start)
        planes = [(item.ref.source, windows[item.battery]) for item in (*train, *val)]
        workers = config.training.workers
        cache_planes(cache, processes.share(planes), "ct", config.preprocess, workers)
        log.info("%s: %d slices, %d to validate", config.run_name, len(train), len(val))
        task = ClassifierTask(
            config,
            model,
            SliceImages(train, config, cache, windows),
            SliceImages(val, config, cache, windows),
            levels,
            run.out,
            {**run.provenance(), "init": None if start is None else start.sha256},
            see((item.ref.source for item in (*train, *val)), start),
            processes,
        )
        images = [(item.ref.source, class_table().ct[item.label]) for item in (*train, *val)]
        # A run that was begun when the warm-up came on top had other epochs.
        identity = identity_of(
            config,
            **task.origin,
            images=digest_of(images),
            epochs=config.training.epochs,
            classes=list(class_table().ct),
        )
        fit(task, run.out, identity, processes, run.logging, resume=run.resume)
    return load_bundle(run.out / SLOT, SLOT)


def load_start(model: CtClassifier, start: Bundle) -> None:
    """Take over a model's weights; of a class that it does not know the weights stay random.

    Raises
    ------
    ConfigError
        If it knows none of the table's classes, or its weights do not fit.
    """
    tensors, known = start.load_tensors(), class_table().ct
    if not {*known} & {*start.manifest.labels}:
        raise ConfigError("init_labels", folder=start.folder.name)
    for name, rows in (("fc.weight", model.fc.weight), ("fc.bias", model.fc.bias)):
        taken = rows.detach().clone()
        for place, label in enumerate(start.manifest.labels):
            if label in known:
                taken[known.index(label)] = tensors[name][place]
        tensors[name] = taken
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ConfigError("init_architecture", folder=start.folder.name) from error


def read_sides(config: CnnConfig, run: TrainingRun) -> tuple[list[Slice], list[Slice]]:
    """Return (training, validation) slices.

    Raises
    ------
    ConfigError
        If there are too few batteries, or one of the two is less than a batch.
    """
    slices = read_slices(run.lots)
    if run.split is not None:
        wanted = run.split.sources("train", "ct"), run.split.sources("val", "ct")
        train, val = ([s for s in slices if s.ref.source in part] for part in wanted)
    elif run.val is None:
        train, val, _ = split_batteries(slices, config.split, config.training.seed)
    else:
        train, val = slices, []
    if run.val is not None:
        val = read_slices([run.val])
    for lot, found in ((run.lots[0], train), (run.val or run.lots[0], val)):
        if len(found) < config.training.batch_size:
            raise ConfigError("no_labelled_slices", lot=lot.name)
    return train, val


class ClassifierTask:
    """What the loop needs to know of a classifier; see `training.loop.loop.Task`."""

    columns: tuple[str, ...] = (
        "epoch", "train_loss", "val_loss", "val_f1", "val_accuracy", "val_recall",
    )  # fmt: skip

    def __init__(
        self,
        config: CnnConfig,
        model: CtClassifier,
        train: SliceImages,
        val: SliceImages,
        levels: GreyLevels | None,
        out: Path,
        origin: Mapping[str, Any],
        seen: SeenImages,
        processes: Processes,
    ) -> None:
        self.config, self.origin, self._seen = config, origin, seen
        self.settings: LoopConfig = config.training
        self.run_name = config.run_name
        # Crops first: they show the network defects at once, which are rare in whole slices.
        self.epochs = config.training.epochs
        marked = train.placed[np.isin(train.labels, defect_indices())]
        # Where no defect's place is marked, no crop is known to show one.
        self._warmup_epochs = config.warmup_epochs if marked.any() or not marked.size else 0
        self.model: nn.Module = model
        self.criterion: nn.Module = ClassifierLoss(model, config, train.labels)
        self._classifier = model
        self._batches = SliceBatches(train, config, processes)
        self._val, self._out, self._processes = val, out, processes
        self._levels = levels
        self._dtype = choose_dtype(config.training.precision, processes.device)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the body, and the head with a rate of its own.

        Its weights must grow far larger than the rest before one hot cell moves the mean.
        """
        body = [p for name, p in self.model.named_parameters() if not name.startswith("fc.")]
        head, training = list(self._classifier.fc.parameters()), self.config.training
        rate = training.learning_rate
        return [
            {"params": body, "lr": rate},
            {"params": head, "lr": rate * training.head_lr_factor},
        ]

    def batch_count(self, epoch: int) -> int:
        """Return the steps of an epoch; the first ones are on crops."""
        warming = epoch < self._warmup_epochs
        return self._batches.crop_count if warming else self._batches.whole_count

    def batches(self, epoch: int) -> Iterator[SliceBatch]:
        """Yield an epoch's batches."""
        warming = epoch < self._warmup_epochs
        return self._batches.crops(epoch) if warming else self._batches.whole(epoch)

    def may_stop_after(self, epoch: int) -> bool:
        """Return whether slices were seen whole, as in validation."""
        return epoch >= self._warmup_epochs

    def judge(self) -> Judged:
        """Judge the validation slices."""
        context = autocast(self._processes.device, self._dtype)
        found = validate(self._classifier, self._val, self.config, context, self._processes)
        by_f1 = self.config.training.best_by == "val_f1"
        figures = {
            "val_loss": found.loss,
            "val_f1": found.f1,
            "val_accuracy": found.accuracy,
            "val_recall": found.recall,
        }
        rank = (found.f1, -found.loss) if by_f1 else (-found.loss,)
        return Judged(found.loss, rank, figures, found)

    def save(self, judged: Judged, rows: Sequence[dict[str, float]]) -> None:
        """Write the bundle, with what it says of a few tiny pictures."""
        found: Validation = judged.details
        bundle = write_bundle(
            self._out / SLOT,
            slot=SLOT,
            name=self.config.name,
            architecture=self.config.architecture.model_dump(),
            labels=list(class_table().ct),
            preprocess=self.config.preprocess,
            temperature=calibrate_temperature(found.logits, self._val.labels),
            display_scale=found.display_scale,
            training={
                "run": self.run_name,
                "config": self.config.model_dump(mode="json"),
                **self.origin,
                "epoch": len(rows),
                "val_f1": found.f1,
                "val_loss": found.loss,
                "val_cam_hit": found.cam_hit,
                "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
            },
            demo=self.config.demo,
            tensors=self.model.state_dict(),
            grey_levels=self._levels,
            seen=self._seen,
        )
        record_answers(bundle)

    def draw(
        self, writer: SummaryWriter, epoch: int, judged: Judged, config: LoggingConfig
    ) -> None:
        """Send the confusion matrix and where the maps point."""
        found: Validation = judged.details
        writer.add_scalar("val/cam_hit", found.cam_hit, epoch)
        if epoch % config.confusion_every == 0:
            predicted = found.logits.argmax(axis=1)
            counts = confusion_matrix(
                self._val.labels, predicted, labels=range(len(class_table().ct))
            )
            picture = draw_confusion(counts, class_table().ct)
            writer.add_image("val/confusion", picture, epoch, dataformats="HWC")


class ClassifierLoss(nn.Module):
    """Cross-entropy with class weights, and the map loss; means over the whole global batch.

    Parameters
    ----------
    model : the classifier
    config : its configuration
    labels : (N,) of the training images, which the class weights are made from
    """

    def __init__(self, model: CtClassifier, config: CnnConfig, labels: NDArray[np.int64]) -> None:
        super().__init__()
        self.model = model
        self._config = config
        counts = np.bincount(labels, minlength=len(class_table().ct)).astype(np.float64)
        power = -config.training.class_weights
        weights = np.where(counts > 0, np.maximum(counts, 1) ** power, 0.0)
        # Mean 1 over images, so that the loss keeps its scale.
        weights *= counts.sum() / (weights * counts).sum()
        self._weights = torch.from_numpy(weights).float()

    def forward(self, batch: SliceBatch) -> Tensor:
        """Return the loss of this process's part of a batch, whose mean is the batch's loss."""
        device = self.model.fc.weight.device
        inputs = torch.from_numpy(batch.inputs).to(device)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        labels = torch.from_numpy(batch.labels).to(device)
        logits, cams = self.model(inputs)  # (B, classes), (B, classes, h, w)
        weights = self._weights.to(device)
        total = functional.cross_entropy(
            logits,
            labels,
            weight=weights,
            label_smoothing=self._config.training.label_smoothing,
            reduction="sum",
        )
        # Of the whole batch: else a rare class would weigh by the process that drew it.
        mean_weight = sum_over_processes(weights[labels].sum()) / batch.shares
        heat = torch.from_numpy(batch.heat).to(device)
        placed = torch.from_numpy(batch.placed).to(device)
        return total / mean_weight + map_loss(cams, heat, placed, self._config.localisation)


def map_loss(cams: Tensor, heat: Tensor, placed: Tensor, config: Localisation) -> Tensor:
    """Return the weighted squared distance of the defect maps from those wanted.

    Squared, because the maps' sums are the logits: background must be zero and not just low.

    Parameters
    ----------
    cams : (B, classes, h, w) raw class maps
    heat : (B, defects, h, w) in [0, 1], wanted of the defect classes
    placed : (B,) bool; the maps of an image without are left alone
    """
    if config.weight == 0.0:
        return cams.new_zeros(())
    maps = cams[:, list(defect_indices())] / config.peak  # (B, defects, h, w)
    weights = (1.0 + config.positive_weight * heat) * placed[:, None, None, None]
    return config.weight * MAP_LOSS_SCALE * (weights * (maps - heat) ** 2).mean()

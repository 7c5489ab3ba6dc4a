"""The classifier's training, read from top to bottom: lots in, a bundle out."""

from __future__ import annotations

import csv
import logging
import os
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor
from torch.nn import functional

from inspection.bundle import Bundle, load_bundle, write_bundle
from inspection.errors import ConfigError
from inspection.models.cnn import CtClassifier, build_classifier
from inspection.records import CT_CLASSES
from training.config import CnnConfig, Localisation, save_config
from training.dataset import (
    DEFECT_INDICES,
    SliceBatches,
    SliceCache,
    cache_slices,
    read_slices,
)
from training.metrics import calibrate_temperature
from training.splits import split_batteries
from training.validation import Validation, validate

log = logging.getLogger(__name__)

LOG_FIELDS = ("epoch", "train_loss", "val_loss", "val_f1", "val_accuracy", "val_recall")
LOG_STEPS = 50
"""Steps between two lines of the log, for runs without a terminal."""
MAP_LOSS_SCALE = 10.0
"""Brings a mean over mostly cold cells to the size of the cross-entropy."""
WARMUP_SHARE = 0.05
"""Share of a one-cycle schedule in which the learning rate rises."""


def train_classifier(
    config: CnnConfig,
    data: Sequence[Path],
    out: Path,
    val: Path | None = None,
    init: Path | None = None,
) -> Bundle:
    """Train and write a bundle, the best epoch by validation F1.

    The bundle is written whenever an epoch is better, so Ctrl-C, which ends the training early,
    loses nothing.

    Parameters
    ----------
    config : ``cnn.yaml``
    data : lots to train on
    out : folder of the run: ``config.yaml``, ``log.csv``, and the bundle in ``ct_cnn/``
    val : lot to validate on; without it, batteries of `data` are held out
    init : model folder to go on from, such as ``models/ct_cnn``; random weights by default

    Raises
    ------
    InspectionError
        If a lot cannot be used or has too few batteries, or the model folder is refused.
    """
    start = None if init is None else load_bundle(init, "ct_cnn")
    out.mkdir(parents=True, exist_ok=True)
    save_config(config, out / "config.yaml")
    _seed_everything(config.training.seed)
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    model = _model(config, start)

    slices = read_slices(data)
    if val is None:
        train_slices, val_slices, _ = split_batteries(slices, config.split, config.training.seed)
    else:
        train_slices, val_slices = slices, read_slices([val])
    for lot, found in ((data[0], train_slices), (val or data[0], val_slices)):
        if len(found) < config.training.batch_size:
            raise ConfigError("no_labelled_slices", lot=lot.name)
    files = out / "train.npy", out / "val.npy"
    try:
        train_cache = cache_slices(train_slices, config.preprocess, files[0])
        val_cache = cache_slices(val_slices, config.preprocess, files[1])
        log.info("%s: %d slices, %d to validate", config.run_name, len(slices), len(val_slices))
        origin: dict[str, Any] = {
            "data": [path.name for path in data],
            "init": None if start is None else start.sha256,
        }
        return _fit(config, model, train_cache, val_cache, out, origin)
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def _fit(
    config: CnnConfig,
    model: CtClassifier,
    train_cache: SliceCache,
    val_cache: SliceCache,
    out: Path,
    origin: Mapping[str, Any],
) -> Bundle:
    settings, warmup = config.training, config.warmup
    device = next(model.parameters()).device
    batches = SliceBatches(train_cache, config)
    class_weights = _class_weights(train_cache.labels, settings.class_weights).to(device)

    # The head's weights must grow far larger than the rest before one hot cell moves the mean.
    head = list(model.fc.parameters())
    body = [p for name, p in model.named_parameters() if not name.startswith("fc.")]
    rates = [settings.learning_rate, settings.learning_rate * settings.head_lr_factor]
    optimiser = torch.optim.Adam(
        [{"params": body, "lr": rates[0]}, {"params": head, "lr": rates[1]}],
        weight_decay=settings.weight_decay,
        fused=True,
    )
    steps = warmup.epochs * batches.crop_count + settings.epochs * batches.whole_count
    schedule = None
    if settings.schedule == "one_cycle":
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=rates, total_steps=max(steps, 1), pct_start=WARMUP_SHARE
        )
    autocast = _autocast(settings.precision, device)

    best: Bundle | None = None
    best_key = (-1.0, 0.0)
    lowest_loss, stale_epochs = float("inf"), 0
    rows: list[dict[str, float]] = []
    started = time.monotonic()
    try:
        for epoch in range(warmup.epochs + settings.epochs):
            warming = epoch < warmup.epochs
            source = batches.crops(epoch) if warming else batches.whole(epoch)
            count = batches.crop_count if warming else batches.whole_count
            model.train()
            losses: list[float] = []
            epoch_started = time.monotonic()
            with _progress(f"epoch {epoch + 1}") as progress:
                task = progress.add_task("", total=count, loss=0.0)
                for step, batch in enumerate(source, start=1):
                    inputs = torch.from_numpy(batch.inputs).to(device)
                    inputs = inputs.contiguous(memory_format=torch.channels_last)
                    labels = torch.from_numpy(batch.labels).to(device)
                    heat = torch.from_numpy(batch.heat).to(device)
                    with autocast:
                        logits, cams = model(inputs)  # (B, 5), (B, 5, h, w)
                    loss = functional.cross_entropy(
                        logits,
                        labels,
                        weight=class_weights,
                        label_smoothing=settings.label_smoothing,
                    )
                    loss = loss + _map_loss(cams, heat, config.localisation)
                    optimiser.zero_grad(set_to_none=True)
                    loss.backward()
                    optimiser.step()
                    if schedule is not None:
                        schedule.step()
                    losses.append(float(loss.detach()))
                    recent = float(np.mean(losses[-LOG_STEPS:]))
                    progress.update(task, advance=1, loss=recent)
                    if step % LOG_STEPS == 0:
                        rate = step * len(labels) / (time.monotonic() - epoch_started)
                        log.info("  %d of %d: loss %.3f, %.1f images/s", step, count, recent, rate)

            found = validate(model, val_cache, config, autocast)
            rows.append(
                {
                    "epoch": epoch + 1,
                    "train_loss": float(np.mean(losses)),
                    "val_loss": found.loss,
                    "val_f1": found.f1,
                    "val_accuracy": found.accuracy,
                    "val_recall": found.recall,
                }
            )
            _write_log(out / "log.csv", rows)
            log.info(
                "epoch %d%s: train %.3f, val %.3f, F1 %.3f, CAM hits %.3f, heat %.0f, %.0f s",
                epoch + 1,
                " (crops)" if warming else "",
                rows[-1]["train_loss"],
                found.loss,
                found.f1,
                found.cam_hit,
                found.display_scale,
                time.monotonic() - started,
            )
            if (found.f1, -found.loss) > best_key:
                best_key = (found.f1, -found.loss)
                best = _save(model, config, found, val_cache, out, origin, rows)
            if warming:
                continue
            # One cycle ends cold, and its middle is meant to be rough: only then is a stale
            # loss a reason to stop.
            if found.loss < lowest_loss - settings.early_stopping.min_delta:
                lowest_loss, stale_epochs = found.loss, 0
            else:
                stale_epochs += 1
                if stale_epochs >= settings.early_stopping.patience:
                    log.info("stopped early: no better validation loss")
                    break
    except KeyboardInterrupt:
        if best is None:
            raise
        log.info("interrupted: the best epoch so far is kept")
    assert best is not None  # the first epoch's F1 is above the start value
    return best


def _map_loss(cams: Tensor, heat: Tensor, config: Localisation) -> Tensor:
    """Return the weighted squared distance of the defect maps from those wanted.

    Squared, because the maps' sums are the logits: background must be zero and not just low.
    """
    if config.weight == 0.0:
        return cams.new_zeros(())
    maps = cams[:, list(DEFECT_INDICES)] / config.peak  # (B, 3, h, w)
    weights = 1.0 + config.positive_weight * heat
    return config.weight * MAP_LOSS_SCALE * (weights * (maps - heat) ** 2).mean()


def _class_weights(labels: NDArray[np.int64], power: float) -> Tensor:
    counts = np.bincount(labels, minlength=len(CT_CLASSES)).astype(np.float64)
    weights = np.where(counts > 0, np.maximum(counts, 1) ** -power, 0.0)
    # Mean 1 over images, so that the loss keeps its scale.
    return torch.from_numpy(weights * counts.sum() / (weights * counts).sum()).float()


def _save(
    model: CtClassifier,
    config: CnnConfig,
    found: Validation,
    val_cache: SliceCache,
    out: Path,
    origin: Mapping[str, Any],
    rows: list[dict[str, float]],
) -> Bundle:
    return write_bundle(
        out / "ct_cnn",
        slot="ct_cnn",
        name=config.name,
        architecture=config.architecture.model_dump(),
        labels=list(CT_CLASSES),
        preprocess=config.preprocess,
        temperature=calibrate_temperature(found.logits, val_cache.labels),
        display_scale=found.display_scale,
        training={
            "run": config.run_name,
            "config": config.model_dump(mode="json"),
            **origin,
            "epoch": len(rows),
            "val_f1": found.f1,
            "val_loss": found.loss,
            "val_cam_hit": found.cam_hit,
            "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
        },
        demo=config.demo,
        tensors=model.state_dict(),
    )


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    # Read by cuBLAS when it starts; without it deterministic algorithms refuse to run on a GPU.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)


def _model(config: CnnConfig, start: Bundle | None) -> CtClassifier:
    """Return the network on its device, with random weights or those of a bundle.

    Raises
    ------
    ConfigError
        If the bundle has another architecture.
    """
    model = build_classifier(config.architecture.model_dump())
    if start is not None:
        if start.manifest.architecture != config.architecture.model_dump():
            raise ConfigError("init_architecture", folder=start.folder.name)
        model.load_state_dict(start.load_tensors())
    return model.to(_device(config.training.device)).to(memory_format=torch.channels_last)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def _autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    if precision == "auto":
        if device.type == "cuda":
            wanted = torch.cuda.is_bf16_supported()
        else:
            # Emulated bfloat16 is slower than single precision.
            wanted = torch.cpu._is_avx512_bf16_supported()
    else:
        wanted = precision == "bfloat16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted)


def _progress(title: str) -> Progress:
    return Progress(
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        transient=True,
    )


def _write_log(path: Path, rows: list[dict[str, float]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, LOG_FIELDS)
        writer.writeheader()
        writer.writerows(rows)

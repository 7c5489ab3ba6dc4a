"""Training of the autoencoder on normal images, from a lot to a bundle."""

from __future__ import annotations

import copy
import csv
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from inspection.bundle import Bundle, Slot, ThresholdFile, load_bundle, write_bundle
from inspection.errors import ConfigError
from inspection.models.cae import ConvAutoencoder, load_weights
from training.autoencoder_config import AutoencoderConfig
from training.autoencoder_loss import compute_loss, display_scale, score_views, validate
from training.config import save_config
from training.thresholds import compute_threshold
from training.views import View, read_views, split_by_battery, training_batches

log = logging.getLogger(__name__)

LOG_FIELDS = ("epoch", "train_loss", "val_loss", "val_auroc", "lr", "seconds")


def train_autoencoder(
    config: AutoencoderConfig,
    data: Sequence[Path],
    out: Path,
    val: Path | None = None,
    init: Path | None = None,
) -> Bundle:
    """Train on the normal views of ``data`` and write a bundle.

    The bundle is written whenever an epoch is better, so Ctrl-C, which ends the training early,
    loses nothing.

    Parameters
    ----------
    config : the typed ``autoencoder_rgb.yaml``
    data : lots; a share of their batteries is held out for early stopping
    out : folder of the run: ``config.yaml``, ``log.csv``, the bundle in ``rgb_ae`` or ``ct_ae``
    val : lot whose labelled views give the threshold; by default the held-out batteries
    init : model folder to go on from; random weights without it

    Raises
    ------
    BundleError
        If ``init`` is not a model folder of the same network.
    ConfigError
        If there are no normal views of at least two batteries, or no threshold can be computed.
    """
    views = [v for lot in data for v in read_views(lot, config.modality)]
    normals = [v for v in views if not v.is_defect]
    batteries = len({v.battery for v in normals})
    if batteries < 2:
        raise ConfigError("ae_no_normals", lot=", ".join(p.name for p in data), found=batteries)
    train, held = split_by_battery(normals, config.training.validation_share, config.training.seed)
    log.info("%s: %d normal views, %d to validate", config.run_name, len(train), len(held))
    out.mkdir(parents=True, exist_ok=True)
    save_config(config, out / "config.yaml")

    judged, source = held, "held-out normal batteries of the training lot"
    if val is not None:
        judged, source = read_views(val, config.modality), f"labelled views of lot {val.name}"
    is_defect = np.array([v.is_defect for v in judged], bool)

    def save(model: ConvAutoencoder, rows: Sequence[dict[str, float]]) -> Bundle:
        scores = score_views(model, judged, config)
        threshold = compute_threshold(config.threshold, scores, is_defect, source)
        log.info("threshold %.4g (%s)", threshold.threshold, threshold.method)
        return _write(config, model, rows, threshold, data, out)

    torch.manual_seed(config.training.seed)
    model = ConvAutoencoder(config.architecture, config.preprocess.width, config.preprocess.height)
    if init is not None:
        load_weights(model, load_bundle(init, slot_of(config)))
    return fit(config, model, train, held, out / "log.csv", save)


Save = Callable[[ConvAutoencoder, Sequence[dict[str, float]]], Bundle]


def fit(
    config: AutoencoderConfig,
    model: ConvAutoencoder,
    train: Sequence[View],
    held: Sequence[View],
    log_path: Path,
    save: Save,
) -> Bundle:
    """Train until the validation loss stops falling; return the best network's bundle.

    The same configuration, images and thread count give the same network on a CPU.

    Parameters
    ----------
    model : to be trained, changed in place
    train, held : normal views to learn from and to stop early by
    log_path : CSV file, a row an epoch
    save : writes the bundle of a network, whose weights are already rounded as stored
    """
    settings = config.training
    device = _device(settings.device)
    half = _takes_bfloat16(settings.precision, device)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    model.to(device).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = max(1, -(-len(train) // settings.batch_size)) * settings.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=steps + 1, pct_start=0.1
    )
    best: Bundle | None = None
    best_loss, stale_epochs = float("inf"), 0
    rows: list[dict[str, float]] = []
    try:
        for epoch in range(1, settings.epochs + 1):
            started = time.monotonic()
            model.train()
            losses = []
            for batch in training_batches(train, config, epoch):
                with torch.autocast(device.type, torch.bfloat16, enabled=half):
                    loss = compute_loss(model, batch, config)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
                optimiser.step()
                schedule.step()
                losses.append(loss.item())
            val_loss, val_auroc = validate(model, held, config)
            row = {
                "epoch": epoch,
                "train_loss": float(np.mean(losses)),
                "val_loss": val_loss,
                "val_auroc": val_auroc,
                "lr": schedule.get_last_lr()[0],
                "seconds": time.monotonic() - started,
            }
            rows.append(row)
            _write_log(log_path, rows)
            log.info(
                "epoch %(epoch)d: train %(train_loss).4f, val %(val_loss).4f, "
                "AUROC %(val_auroc).4f, %(seconds).0f s",
                row,
            )
            if val_loss < best_loss - settings.early_stopping.min_delta:
                best_loss, stale_epochs = val_loss, 0
                best = save(_as_stored(model), rows)
            else:
                stale_epochs += 1
                if stale_epochs >= settings.early_stopping.patience:
                    log.info("stopped early: no better validation loss")
                    break
    except KeyboardInterrupt:
        if best is None:
            raise
        log.info("interrupted: the best epoch so far is kept")
    assert best is not None  # any finite loss is below the start value
    return best


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _takes_bfloat16(precision: str, device: torch.device) -> bool:
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    # Without the instructions bfloat16 is emulated, and slower than single precision.
    return bool(torch.cpu._is_avx512_bf16_supported())


def _as_stored(model: ConvAutoencoder) -> ConvAutoencoder:
    """Return a copy with matrices rounded to half as the bundle does: the threshold must fit it."""
    stored = copy.deepcopy(model).eval()
    with torch.no_grad():
        for parameter in stored.parameters():
            if parameter.ndim >= 2:
                parameter.copy_(parameter.half().float())
    return stored


def _write_log(path: Path, rows: Sequence[dict[str, float]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, LOG_FIELDS)
        writer.writeheader()
        writer.writerows(rows)


def slot_of(config: AutoencoderConfig) -> Slot:
    """Return which part of the station the model is for."""
    return "rgb_ae" if config.modality == "rgb" else "ct_ae"


def _write(
    config: AutoencoderConfig,
    model: ConvAutoencoder,
    rows: Sequence[dict[str, float]],
    threshold: ThresholdFile,
    data: Sequence[Path],
    out: Path,
) -> Bundle:
    slot = slot_of(config)
    return write_bundle(
        out / slot,
        slot=slot,
        name=config.name,
        architecture=config.architecture.model_dump(),
        labels=[],
        preprocess=config.preprocess,
        display_scale=display_scale(config.architecture, threshold.threshold),
        training={
            "run_name": config.run_name,
            "config": config.model_dump(mode="json"),
            "data": [path.name for path in data],
            "best_epoch": rows[-1]["epoch"],
            "val_loss": rows[-1]["val_loss"],
            "val_auroc": rows[-1]["val_auroc"],
            "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
        },
        demo=config.demo,
        tensors=model.state_dict(),
        threshold=threshold,
    )

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
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from inspection.bundle import Bundle, Slot, ThresholdFile, load_bundle, write_bundle
from inspection.errors import ConfigError
from inspection.models.cae import (
    CaeArchitecture,
    ConvAutoencoder,
    load_weights,
    score_maps,
    smooth,
)
from training.autoencoder_config import AutoencoderConfig, LossConfig
from training.config import save_config
from training.thresholds import compute_threshold
from training.views import (
    Batch,
    View,
    load_pixels,
    read_views,
    split_by_battery,
    to_input,
    training_batches,
    validation_batches,
)

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
                    loss = _loss(model, batch, config)
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


@torch.inference_mode()
def validate(
    model: ConvAutoencoder, held: Sequence[View], config: AutoencoderConfig
) -> tuple[float, float]:
    """Return (loss, AUROC of clean against painted views) on held-out normal views."""
    model.eval()
    losses, clean, painted = [], [], []
    for batch in validation_batches(held, config):
        losses.append(_loss(model, batch, config).item() * len(batch.masks))
        clean.append(_scores(model, batch.clean, config))
        painted.append(_scores(model, batch.painted, config))
    scores = np.concatenate([*clean, *painted])
    labels = np.repeat([0, 1], len(scores) // 2)
    return float(np.sum(losses)) / len(held), float(roc_auc_score(labels, scores))


@torch.inference_mode()
def score_views(
    model: ConvAutoencoder, views: Sequence[View], config: AutoencoderConfig
) -> NDArray[np.float32]:
    """Return the score of each view, (N,), as the station would compute it."""
    model.eval()
    size = config.training.batch_size
    scores = []
    for start in range(0, len(views), size):
        pixels = [load_pixels(v.ref, config.preprocess) for v in views[start : start + size]]
        scores.append(_scores(model, to_input(pixels, config.preprocess), config))
    return np.concatenate(scores) if scores else np.zeros(0, np.float32)


def _scores(
    model: ConvAutoencoder, inputs: Tensor, config: AutoencoderConfig
) -> NDArray[np.float32]:
    raw = model.raw_map(_moved(inputs, model))
    maps = smooth(raw, config.architecture.smooth_sigma)
    return score_maps(maps, config.architecture.top_fraction).cpu().numpy()


def _loss(model: ConvAutoencoder, batch: Batch, config: AutoencoderConfig) -> Tensor:
    """Reconstruct the clean picture from the painted one; find what was painted.

    The classical method sees clean pictures only, as the customer's baseline does.
    """
    clean = _moved(batch.clean, model)
    if model.head is None:
        return F.mse_loss(model.reconstruct(clean).float(), model.reduce(clean))
    painted, masks = _moved(batch.painted, model), _moved(batch.masks, model)
    reconstruction = model.reconstruct(painted)
    reconstructed = F.mse_loss(reconstruction.float(), model.reduce(clean))
    half = F.interpolate(reconstruction.detach(), masks.shape[2:], mode="bilinear")
    crop = config.training.crop if model.training else None
    if crop is not None:
        size = (crop[1] // 2, crop[0] // 2)
        painted = _crops(painted, [(2 * y, 2 * x) for y, x in batch.corners], (crop[1], crop[0]))
        half, masks = _crops(half, batch.corners, size), _crops(masks, batch.corners, size)
    logits = model.head(painted, half).float()
    return config.loss.reconstruction * reconstructed + detection_loss(logits, masks, config)


def _crops(images: Tensor, corners: Sequence[tuple[int, int]], size: tuple[int, int]) -> Tensor:
    """Return (B, C, h, w): of each image the part of ``size`` (h, w) at its corner (y, x)."""
    h, w = size
    parts = [image[:, y : y + h, x : x + w] for image, (y, x) in zip(images, corners, strict=True)]
    return torch.stack(parts).contiguous(memory_format=torch.channels_last)


def detection_loss(logits: Tensor, masks: Tensor, config: AutoencoderConfig) -> Tensor:
    """Return the head's loss: per pixel, overlap over the batch, and the score itself.

    Anomalies cover a few pixels in a thousand: only the hardest of the others are counted, or the
    easy ones would drown both.

    Parameters
    ----------
    logits : (B, 1, h, w)
    masks : (B, 1, h, w) float32 in {0, 1}
    """
    weights: LossConfig = config.loss
    plain = F.binary_cross_entropy_with_logits(logits, masks, reduction="none")
    positive = masks > 0
    found, rest = plain[positive], plain[~positive]
    # At least some, so that a batch without anomalies teaches what is normal.
    count = max(int(weights.hard_negatives * len(found)), rest.numel() // 200, 1)
    hard = rest.topk(min(count, rest.numel())).values
    pixels = (found.sum() + hard.sum()) / (len(found) + len(hard))
    probability = logits.sigmoid()
    # Over the whole batch: clean pictures have no overlap of their own.
    overlap = 1 - (2 * (probability * masks).sum() + 1) / (probability.sum() + masks.sum() + 1)
    # The top of the map is what an image is judged by, so it is trained as such.
    top = score_maps(logits.squeeze(1), config.architecture.top_fraction)
    image = F.binary_cross_entropy_with_logits(top, masks.amax(dim=(1, 2, 3)))
    return weights.pixels * pixels + weights.overlap * overlap + weights.image * image


def _moved(tensor: Tensor, model: ConvAutoencoder) -> Tensor:
    # Convolutions on a CPU are several times quicker on channels-last tensors.
    device = next(model.parameters()).device
    return tensor.to(device, memory_format=torch.channels_last)


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


def display_scale(arch: CaeArchitecture, threshold: float) -> float:
    """Return the raw heat that is shown as 1: certainty for a probability, else 3 thresholds."""
    return max(1.0, 2 * threshold) if arch.method == "discriminative" else 3 * threshold


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

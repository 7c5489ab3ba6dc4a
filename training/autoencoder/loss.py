"""What the autoencoder is trained on and judged by: its loss, its scores, its held-out figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from inspection.systems.ensemble.cae import score_maps, smooth
from inspection.systems.ensemble.cae_network import CaeArchitecture, ConvAutoencoder
from training.autoencoder.config import AutoencoderConfig, LossConfig
from training.autoencoder.views import View, ViewBatch, to_input, validation_batches
from training.data.image_cache import ImageCache
from training.loop.distributed import gather_batch


def compute_loss(model: ConvAutoencoder, batch: ViewBatch, config: AutoencoderConfig) -> Tensor:
    """Reconstruct the clean picture from the painted one; find what was painted.

    The classical method sees clean pictures only, as the customer's baseline does.
    """
    clean = _moved(batch.clean, model)
    if model.head is None:
        return F.mse_loss(model.reconstruct(clean).float(), model.reduce(clean))
    painted, masks = _moved(batch.painted, model), _moved(batch.masks, model)
    reconstruction = model.reconstruct(painted)
    reconstructed = F.mse_loss(reconstruction.float(), model.reduce(clean))
    # Detached: the head must not teach the autoencoder to draw what it finds easy to tell.
    half = F.interpolate(reconstruction.detach(), masks.shape[2:], mode="bilinear")
    crop = config.training.crop if model.training else None
    if crop is not None:
        size = (crop[1] // 2, crop[0] // 2)
        painted = _crops(painted, [(2 * y, 2 * x) for y, x in batch.corners], (crop[1], crop[0]))
        half, masks = _crops(half, batch.corners, size), _crops(masks, batch.corners, size)
    logits = model.head(painted, half).float()
    if model.training:
        # Its terms are no means over images: processes that share a batch need all of it.
        logits, masks = gather_batch(logits), gather_batch(masks)
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


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What the network says of held-out normal views, clean and with a painted anomaly each.

    Parameters
    ----------
    loss : mean over the views
    clean, painted : (N,) float32 scores
    """

    loss: float
    clean: NDArray[np.float32]
    painted: NDArray[np.float32]

    @property
    def labels(self) -> NDArray[np.int64]:
        """(2 N,) of clean and painted views: 1 is painted."""
        return np.repeat([0, 1], [len(self.clean), len(self.painted)])

    @property
    def scores(self) -> NDArray[np.float32]:
        """(2 N,) of clean and painted views."""
        return np.concatenate([self.clean, self.painted])

    @property
    def auroc(self) -> float:
        """How well the score tells painted views from clean ones."""
        return float(roc_auc_score(self.labels, self.scores))


@torch.inference_mode()
def validate(
    model: ConvAutoencoder,
    held: Sequence[View],
    config: AutoencoderConfig,
    images: ImageCache,
) -> HeldOut:
    """Judge held-out normal views; leaves the model in evaluation mode.

    Mirror images are left out: an epoch's worth shows without them, in a quarter of the time.
    """
    model.eval()
    losses, clean, painted = [], [], []
    # A last batch is smaller: losses are weighed by their images.
    for batch in validation_batches(held, config, images):
        losses.append(compute_loss(model, batch, config).item() * len(batch.masks))
        clean.append(_scores(model, batch.clean, config, flips=False))
        painted.append(_scores(model, batch.painted, config, flips=False))
    loss = float(np.sum(losses)) / len(held)
    return HeldOut(loss, np.concatenate(clean), np.concatenate(painted))


@torch.inference_mode()
def score_views(
    model: ConvAutoencoder,
    views: Sequence[View],
    config: AutoencoderConfig,
    images: ImageCache,
) -> NDArray[np.float32]:
    """Return the score of each view, (N,), as the station would compute it."""
    model.eval()
    size, spec = config.training.batch_size, config.preprocess
    scores = []
    for start in range(0, len(views), size):
        part = views[start : start + size]
        pixels = [images.read(v.ref.source, v.ref.modality, spec, v.window).pixels for v in part]
        scores.append(_scores(model, to_input(pixels, spec), config))
    return np.concatenate(scores) if scores else np.zeros(0, np.float32)


def _scores(
    model: ConvAutoencoder, inputs: Tensor, config: AutoencoderConfig, *, flips: bool = True
) -> NDArray[np.float32]:
    raw = model.raw_map(_moved(inputs, model), flips=flips)
    maps = smooth(raw, config.architecture.smooth_sigma)
    return score_maps(maps, config.architecture.top_fraction).cpu().numpy()


def display_scale(arch: CaeArchitecture, threshold: float) -> float:
    """Return the raw heat that is shown as 1: certainty for a probability, else 3 thresholds."""
    return max(1.0, 2 * threshold) if arch.method == "discriminative" else 3 * threshold

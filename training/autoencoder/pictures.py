"""Pictures of what an autoencoder makes of views, for TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from inspection.systems.ensemble.cae import ConvAutoencoder
from training.autoencoder.config import AutoencoderConfig
from training.autoencoder.views import View, validation_batches
from training.data.image_cache import ImageCache


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

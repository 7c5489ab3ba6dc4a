"""Whether a loaded model can tell pictures apart, and says what it said when it was exported.

Digests protect files; they do not tell a model from noise, and somebody who writes a manifest
writes its digests too. So a model is asked about a few tiny pictures before it is believed.
"""

from __future__ import annotations

import logging
import math
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from inspection.errors import BundleError
from inspection.images.preprocess import ImageData, Preprocess, to_model_input
from inspection.modelstore.answers import ANSWERS_NAME, KnownAnswers
from inspection.modelstore.bundle import Bundle
from inspection.modelstore.bundle_writing import rewrite_bundle
from inspection.records import Rect
from inspection.systems.ensemble.detectors import Predictor, load_predictor
from inspection.systems.memory import is_out_of_memory

log = logging.getLogger(__name__)

EXACT = 0.01
"""Largest difference from a recorded answer, as a share of the largest one: single precision on
another processor sums in another order, and a cold temperature makes that larger."""
ALIKE = 1e-4
"""Answers are alike where each of their numbers varies by no more than this share of itself. By
shares, since a classifier that is sure says 0.0001 here and 0.000001 there."""
WIDTH, HEIGHT = 48, 64
BATCH_PIXELS = 1 << 20


def check_answers(predictor: Predictor, bundle: Bundle) -> None:
    """Refuse a model that cannot tell pictures apart, or has another answer than is recorded.

    A bundle without known answers is asked about pictures made here, which tell less.

    Raises
    ------
    BundleError
        Says what is wrong with its answers.
    """
    # Loaded with the model at the latest.
    from inspection.systems.ensemble.backends import PLAIN, TOLERANCE

    known, folder = bundle.answers, bundle.folder.name
    outputs = answers_of(predictor, bundle, known.pictures if known else trial_pictures(bundle))
    if not np.isfinite(outputs).all():
        raise BundleError("model_answers_no_number", folder=folder)
    # Whether its map moves does not help a model whose answer never does.
    for answers in (outputs[:, :-1], (known.outputs if known else outputs)[:, :-1]):
        if np.all(np.ptp(answers, axis=0) <= ALIKE * np.abs(answers).max(axis=0)):
            raise BundleError("model_answers_alike", folder=folder)
    if known is None:
        return
    if known.outputs.shape != outputs.shape:
        raise BundleError("bundle_unreadable", folder=folder, file=ANSWERS_NAME)
    apart = np.abs(outputs - known.outputs)
    plain = predictor.device == "cpu" and set(predictor.backends) == {PLAIN}
    if apart.max() > (EXACT if plain else TOLERANCE) * np.abs(known.outputs).max():
        worst = np.unravel_index(int(apart.argmax()), apart.shape)
        raise BundleError(
            "model_answers_differ",
            folder=folder,
            got=float(outputs[worst]),
            expected=float(known.outputs[worst]),
        )


def settle_backend(predictor: Predictor, bundle: Bundle) -> None:
    """Ask again where the model computes now; go back to the processor where that is wrong.

    Raises
    ------
    BundleError
        If PyTorch has other answers too.
    """
    try:
        check_answers(predictor, bundle)
    except BundleError as error:
        computed = f"{predictor.device}: {', '.join(predictor.backends)}"
        log.warning("%s on %s: %s", bundle.manifest.slot, computed, error)
        predictor.move_to("cpu")
        check_answers(predictor, bundle)


def record_answers(bundle: Bundle) -> Bundle:
    """Write known answers into a bundle's folder: what its stored weights say, in PyTorch.

    Whatever they are: whether they are those of a model that can be used is asked at its use.

    Raises
    ------
    BundleError
        If the model cannot be run.
    """
    pictures = trial_pictures(bundle)
    outputs = answers_of(load_predictor(bundle), bundle, pictures)
    if not np.isfinite(outputs).all():
        raise BundleError("model_answers_no_number", folder=bundle.folder.name)
    content = KnownAnswers(pictures, outputs).as_bytes()
    return rewrite_bundle(bundle, {ANSWERS_NAME: content}, answers_file=ANSWERS_NAME)


def answers_of(
    predictor: Predictor, bundle: Bundle, pictures: tuple[NDArray[np.uint8], ...]
) -> NDArray[np.float32]:
    """Return what a model says of pictures, (N, K): probabilities, score, mean of the map.

    Raises
    ------
    BundleError
        If it cannot be run on them.
    """
    spec, rows = predictor.preprocess, []
    inputs = []
    for pixels in pictures:
        size = pixels.shape[1], pixels.shape[0]
        inputs.append(to_model_input(ImageData(pixels, Rect(0, 0, *size), size), spec).array)
    # Together, unless the input is so large that they would take gigabytes.
    step = max(1, BATCH_PIXELS // (spec.width * spec.height))
    for start in range(0, len(inputs), step):
        try:
            for found in predictor.judge(np.stack(inputs[start : start + step])):
                said = [found.probabilities[label] for label in bundle.manifest.labels]
                rows.append([*said, found.pred_score, float(found.heat.mean())])
        except (RuntimeError, ValueError, KeyError, IndexError) as error:
            if is_out_of_memory(error):
                raise
            problem = next(iter(str(error).splitlines()), type(error).__name__)[:200]
            raise BundleError(
                "model_cannot_judge", folder=bundle.folder.name, problem=problem
            ) from error
    return np.asarray(rows, np.float32)


def trial_pictures(bundle: Bundle) -> tuple[NDArray[np.uint8], ...]:
    """Return tiny pictures of a kind that a model of the slot sees, each unlike the others."""
    spec: Preprocess = bundle.manifest.preprocess
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    noise = np.random.default_rng(20261127).normal(0.0, 1.0, (HEIGHT, WIDTH))
    inside = (rows >= 6) & (rows < 58) & (columns >= 8) & (columns < 40)
    layers = 110 + 25 * np.sin(columns * math.tau / 6) + 0.5 * rows
    body = np.where(inside, layers, 6.0)
    slit = np.where(inside & (abs(columns - 22) < 2) & (abs(rows - 30) < 12), 12.0, body)
    blob = np.where(inside & (np.hypot(columns - 30, rows - 44) < 6), 245.0, body)
    slab = np.where(inside & (rows > 20) & (rows < 44), 170.0 + 12 * noise, 6.0)
    # Even ones too: an autoencoder may find all that is drawn here equally strange.
    even = [np.full((HEIGHT, WIDTH), level) for level in (30.0, 90.0)]
    drawn = [body + 4 * noise, slit + 4 * noise, blob + 4 * noise, slab, 120 + 50 * noise, *even]
    grey = [np.clip(picture, 0, 255).astype(np.uint8) for picture in drawn]
    if spec.modality == "ct":
        return tuple(grey)
    tints = [(1.0, 0.9, 0.8), (0.8, 1.0, 0.9), (0.9, 0.7, 1.0)]
    return tuple(
        (picture[..., None] * np.array(tint)).astype(np.uint8)
        for picture, tint in zip(grey, cycle(tints))
    )

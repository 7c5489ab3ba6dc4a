"""A new threshold for a trained autoencoder, without training it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from inspection.config_mistakes import config_error
from inspection.errors import BundleError, ConfigError, ImageError
from inspection.modelstore.bundle import Bundle, ThresholdFile, load_bundle
from inspection.modelstore.bundle_writing import rewrite_bundle
from inspection.modelstore.seen import also_seen
from inspection.records import ImageSource
from inspection.systems.ensemble.cae_network import CaeArchitecture
from inspection.systems.ensemble.known_answers import record_answers
from training.autoencoder.loss import display_scale
from training.autoencoder.thresholds import ThresholdConfig, compute_threshold
from training.evaluation.evaluate import Data
from training.evaluation.judge import judge_alone


def set_threshold(folder: Path, rule: Mapping[str, Any], data: Data) -> ThresholdFile:
    """Compute the threshold from the scores of labelled images and rewrite the bundle with it.

    Parameters
    ----------
    folder : the autoencoder's bundle; its display scale is moved with the threshold
    rule : the fields of a ``threshold`` block
    data : neither trained on nor judged on later

    Raises
    ------
    BundleError
        If the folder is not a sound autoencoder's.
    ConfigError
        If the rule is wrong, or the images that it needs are lacking.
    """
    try:
        config = ThresholdConfig.model_validate(rule)
    except ValidationError as error:
        raise config_error(error, "threshold") from error
    bundle = load_bundle(folder)
    slot = bundle.manifest.slot
    if bundle.threshold is None:
        raise BundleError("bundle_wrong_slot", folder=folder.name, found=slot, expected="rgb_ae")
    judged = [image for lot in data.lots for image in judge_alone(bundle, lot, keep=data.keep)]
    for image in judged:
        if image.error is not None:
            # A threshold from the readable half of a lot would look like one from the whole.
            raise ImageError(image.error.code, **image.error.params)
    # By the station's own code: it is the station that will compare scores with the threshold.
    scores = np.array([image.score for image in judged], np.float64)
    is_defect = np.array([image.truth.is_defect for image in judged], bool)
    source = f"labelled views of {data.name}"
    threshold = compute_threshold(config, scores, is_defect, source)
    put_threshold(bundle, threshold, [image.ref.source for image in judged])
    return threshold


def choose_threshold(folder: Path, value: float) -> ThresholdFile:
    """Rewrite an autoencoder's bundle with a threshold that a person has chosen.

    What is known of the scores that the one before came from stays in the record.

    Raises
    ------
    BundleError
        If the folder is not a sound autoencoder's.
    ConfigError
        If the value is not a positive number.
    """
    bundle = load_bundle(folder)
    if bundle.threshold is None:
        raise BundleError(
            "bundle_wrong_slot",
            folder=folder.name,
            found=bundle.manifest.slot,
            expected="rgb_ae",
        )
    if not 0.0 < value < float("inf"):
        raise ConfigError("threshold_not_positive", value=value)
    changes = {"threshold": value, "method": "chosen", "k": None, "percentile": None}
    threshold = ThresholdFile.model_validate({**bundle.threshold.model_dump(), **changes})
    put_threshold(bundle, threshold)
    return threshold


def put_threshold(
    bundle: Bundle, threshold: ThresholdFile, found_on: Iterable[ImageSource] = ()
) -> Bundle:
    """Rewrite an autoencoder's bundle with another threshold; its display scale moves with it.

    Parameters
    ----------
    found_on : images that it comes from, which the model has seen from now on

    Raises
    ------
    BundleError
        If the model has no threshold.
    """
    name, slot = bundle.manifest.threshold_file, bundle.manifest.slot
    if name is None:
        raise BundleError(
            "bundle_wrong_slot", folder=bundle.folder.name, found=slot, expected="rgb_ae"
        )
    architecture = bundle.manifest.architecture
    if architecture.get("name") in ("features", "combined"):
        scale = 2 * threshold.threshold
    else:
        scale = display_scale(CaeArchitecture.model_validate(architecture), threshold.threshold)
    fresh = rewrite_bundle(
        bundle,
        {
            name: (threshold.model_dump_json(indent=2) + "\n").encode(),
            **also_seen(bundle, found_on),
        },
        display_scale=scale,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    # Its maps have another scale now.
    return record_answers(fresh)

"""The detectors that can be taught, each by the training that makes it."""

from __future__ import annotations

from pathlib import Path

from inspection.modelstore.bundle import Bundle
from inspection.modelstore.teaching import DetectorName, TeachRequest
from inspection.paths import config_path
from training.autoencoder.autoencoder import train_views
from training.autoencoder.config import AutoencoderConfig
from training.config import read_training_config
from training.features.combined import train_combined_views
from training.features.config import CombinedConfig, FeaturesConfig
from training.features.features import train_feature_views
from training.loop.checkpoints import is_unfinished
from training.loop.config import LoggingConfig
from training.loop.runs import TrainingRun
from training.teach.images import Chosen, views_of
from training.teach.telling import Teller, epochs_told

OF_BATTERIES = ("preprocess", "augmentation", "anomalies", "training")


def train_detector(
    name: DetectorName, request: TeachRequest, chosen: Chosen, out: Path, teller: Teller
) -> Bundle:
    """Train a detector on the images that are learned from; goes on where a run was broken off.

    Parameters
    ----------
    out : folder of its run

    Raises
    ------
    InspectionError
        If an image cannot be read, or the training fails.
    """
    modality = "rgb" if request.slot == "rgb_ae" else "ct"
    taught = views_of(chosen.taught)
    overrides = [f"training.seed={request.seed}", f"training.device={request.device}"]
    overrides += [f"name={request.slot.replace('_', '-')}-taught", "demo=false"]
    overrides += [f"modality={modality}", f"preprocess.modality={modality}"]
    logging = LoggingConfig(tensorboard=False)
    if name == "features":
        features = read_training_config(config_path("features.yaml"), overrides)
        assert isinstance(features, FeaturesConfig)
        run = TrainingRun(out=out, data=(chosen.lot.root,), force=True, logging=logging)
        return train_feature_views(
            features, run, taught, lambda done, total: teller.tell("training", done, total)
        )
    if request.epochs is not None:
        overrides.append(f"training.epochs={request.epochs}")
    own = read_training_config(config_path(f"autoencoder_{modality}.yaml"), overrides)
    assert isinstance(own, AutoencoderConfig)
    goes_on = is_unfinished(out)
    run = TrainingRun(
        out=out,
        data=(chosen.lot.root,),
        resume=goes_on,
        force=not goes_on,
        logging=logging,
    )
    limits = views_of(chosen.threshold)
    with epochs_told(teller, out / "log.csv", own.training.epochs):
        if name == "discriminative":
            return train_views(own, run, taught, limits)
        combined = read_training_config(config_path("combined.yaml"), overrides)
        assert isinstance(combined, CombinedConfig)
        # What is painted, and how long, suits batteries there and a bare surface in that file.
        changes = {name: getattr(own, name) for name in OF_BATTERIES}
        return train_combined_views(combined.model_copy(update=changes), run, taught, limits)

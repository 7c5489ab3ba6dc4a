"""Every model that the trainer makes, loaded as the station loads it."""

from __future__ import annotations

from inspection.errors import ModelMissingError
from inspection.modelstore.bundle import SLOTS, find_bundle
from inspection.modelstore.folders import ModelFolders
from inspection.systems.ensemble.cae import CaePredictor
from inspection.systems.ensemble.cnn import CnnPredictor


def load_bundles(models: ModelFolders) -> None:
    """Load every installed bundle and let go of it again.

    Raises
    ------
    ModelMissingError
        If none is installed.
    BundleError
        If one is incomplete or altered, or does not fit its network.
    """
    installed = [slot for slot in SLOTS if (models.holding(slot) / slot).is_dir()]
    if not installed:
        raise ModelMissingError("model_not_installed", system="ensemble")
    for slot in installed:
        bundle = find_bundle(models.holding(slot), slot)
        if slot == "ct_cnn":
            CnnPredictor(bundle)
        else:
            CaePredictor(bundle)

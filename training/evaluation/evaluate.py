"""Figures of the models of a folder on a labelled lot, by the station's own lane, in one pass."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspection.config import InspectorConfig, find_policy
from inspection.errors import ConfigError
from inspection.images.body_planes import with_body
from inspection.lot.scan import scan_lot
from inspection.modelstore.bundle import Bundle, find_bundle
from inspection.modelstore.folders import Slot
from inspection.records import Battery, ImageRef
from training.data.split_files import PARTS, read_split
from training.evaluation.batteries import battery_figures, judged_pairs
from training.evaluation.config import EvaluationConfig, load_evaluation
from training.evaluation.ct import ct_figures
from training.evaluation.judge import (
    FUSED,
    JudgedBattery,
    JudgedImage,
    Keep,
    Models,
    Predictions,
    kept_batteries,
)
from training.evaluation.rgb import view_figures
from training.progress import progress_bar

log = logging.getLogger(__name__)

OnBattery = Callable[[JudgedBattery, Predictions], None]


@dataclass(frozen=True, slots=True)
class Data:
    """What models are evaluated on.

    Parameters
    ----------
    lots : labelled lot folders
    keep : which of their images; all where None
    part : name of the split's part, and the split's digest; None for whole lots
    """

    lots: tuple[Path, ...]
    keep: Keep | None = None
    part: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """The lots' names, with the part where there is a split."""
        names = ", ".join(lot.resolve().name for lot in self.lots)
        return f"{names} ({self.part[0]})" if self.part else names

    def batteries(self) -> Iterator[tuple[Path, Battery]]:
        """Yield the batteries, each with its lot and with the images to keep alone."""
        for lot in self.lots:
            for battery in kept_batteries(map(with_body, scan_lot(lot).batteries), self.keep):
                yield lot, battery

    def images(self) -> Iterator[ImageRef]:
        """Yield the images, battery by battery."""
        for _, battery in self.batteries():
            yield from (*battery.ct, *battery.rgb)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that figures, pictures and report need; the images were read once."""

    figures: dict[str, Any]
    judged: tuple[JudgedBattery, ...]
    bundles: dict[Slot, Bundle]
    policy: InspectorConfig
    data: Data

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The models that had something to judge."""
        return tuple(slot for slot in self.bundles if slot in self.figures["models"])

    def images(self, slot: Slot) -> list[JudgedImage]:
        """Return what a model said of every image."""
        return [image for row in self.judged for image in row.slots.get(slot, ())]


def select_data(lots: Sequence[Path], split: Path | None, part: str) -> Data:
    """Return the images asked for: whole lots, or one part of a split of them.

    Raises
    ------
    ConfigError
        If neither is given, the split is unsound, or the part is unknown or empty.
    """
    if split is None:
        if not lots:
            raise ConfigError("evaluate_no_data")
        return Data(tuple(lots))
    if part not in PARTS:
        raise ConfigError("evaluate_part_unknown", part=part, known=", ".join(PARTS))
    files = read_split(split, lots)
    wanted = files.sources(part)
    if not wanted:
        raise ConfigError("evaluate_part_empty", part=part, folder=str(split))
    # A lot with nothing in the part need not be scanned.
    names = {row.lot for row in files.rows(part)}
    folders = tuple(path for name, path in files.lots.items() if name in names)
    return Data(folders, lambda ref: ref.source in wanted, (part, files.id))


def evaluate(
    models_dir: Path,
    data: Data,
    *,
    device: str = "cpu",
    config: EvaluationConfig | None = None,
    policy: InspectorConfig | None = None,
    on_battery: OnBattery | None = None,
) -> Evaluation:
    """Judge labelled images with every model of a folder, once, and return all figures.

    Parameters
    ----------
    models_dir : folder of model folders (``ct_cnn``, ``rgb_ae``, ``ct_ae``)
    data : what to judge
    device : ``auto``, ``cpu`` or ``cuda``
    config : by default ``configs/evaluation.yaml``
    policy : by default the one beside the models, else the installed one
    on_battery : sees every battery while its maps are in memory

    Raises
    ------
    InspectionError
        If the folder holds no model, a model is altered, or the lot has no labels.
    """
    settings, rules = config or load_evaluation(), policy or find_policy(models_dir).inspector
    models = Models(models_dir, rules, device)
    judged = _judge(models, data, on_battery)
    of_models: dict[str, Any] = {}
    for slot, bundle in models.bundles.items():
        images = [image for row in judged for image in row.slots.get(slot, ())]
        errors = [image.error for image in images if image.truth.name]
        if errors and errors[0] is not None and all(error == errors[0] for error in errors):
            # The model itself, which no image can be judged with, and not the lot.
            raise ConfigError(errors[0].code, **errors[0].params)
        if all(errors):
            log.warning("%s: no labelled image in %s", slot, data.name)
        elif bundle.manifest.labels:
            of_models[slot] = ct_figures(bundle, images, settings, data.name)
        else:
            # A battery's views count with the worst of them, its slices each for itself.
            of_views = bundle.manifest.preprocess.modality == "rgb"
            top_k = rules.aggregation.top_k_views if of_views else 1
            of_models[slot] = view_figures(bundle, images, settings, top_k, data.name)
    if not of_models:
        raise ConfigError("no_labelled_slices", lot=data.name)
    figures: dict[str, Any] = {
        "lot": ", ".join(lot.resolve().name for lot in data.lots),
        "part": data.part[0] if data.part else None,
        "split": data.part[1] if data.part else None,
        "models": of_models,
    }
    if models.fused and judged_pairs(judged):
        figures["batteries"] = battery_figures(judged, settings.bootstrap)
    figures["policy"] = rules.model_dump(mode="json")
    figures["provenance"] = {
        slot: {
            "name": bundle.manifest.name,
            "sha256": bundle.sha256,
            "created_at": bundle.manifest.created_at,
            "demo": bundle.manifest.demo,
            "trained_on": bundle.manifest.training.get("data"),
            "run": bundle.manifest.training.get("run") or bundle.manifest.training.get("run_name"),
        }
        for slot, bundle in models.bundles.items()
    }
    figures["evaluation"] = settings.model_dump(mode="json", exclude={"fusion"})
    return Evaluation(figures, tuple(judged), models.bundles, rules, data)


def judge(
    models_dir: Path, data: Data, policy: InspectorConfig, device: str
) -> tuple[list[JudgedBattery], dict[Slot, Bundle]]:
    """Return every battery as judged, and the models that did; no figures.

    Raises
    ------
    InspectionError
        If one of the two models that a verdict needs is missing or altered.
    """
    for slot in FUSED:
        find_bundle(models_dir, slot)
    models = Models(models_dir, policy, device, FUSED)
    return _judge(models, data, None), models.bundles


def _judge(models: Models, data: Data, on_battery: OnBattery | None) -> list[JudgedBattery]:
    judged: list[JudgedBattery] = []
    with progress_bar(data.name) as advance:
        for lot in data.lots:
            for battery, predictions, done, total in models.judge(lot, data.keep):
                if on_battery is not None:
                    on_battery(battery, predictions)
                judged.append(battery)
                advance(done, total)
    return judged

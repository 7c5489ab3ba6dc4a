"""What two models are compared on: batteries, or groups of images that show the same part."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from inspection.config import GateConfig, InspectorConfig, load_gate
from inspection.errors import ConfigError
from inspection.gate.battery import battery_checks, body_of
from inspection.gate.images import ImageGate
from inspection.images.decode_ahead import DecodeAhead
from inspection.images.grey import GreyLevels
from inspection.images.stack_grey import GreyPolicy, StackWindow, StackWindows
from inspection.lot.truth import read_truth
from inspection.modelstore.bundle import Bundle
from inspection.modelstore.release_records import Unit as UnitKind
from inspection.modelstore.seen import SeenImages, fingerprints
from inspection.predictions import FailedPrediction, Prediction
from inspection.records import Battery, ImageRef, source_path
from inspection.systems.ensemble.channel import ChannelModel
from inspection.systems.ensemble.detectors import SECOND_SLOT, load_predictor
from inspection.systems.ensemble.evidence import ct_evidence, rgb_evidence
from inspection.systems.ensemble.lane import image_result
from inspection.systems.ensemble.second_look import second_look
from training.autoencoder.folders import group_alike, plain_view
from training.autoencoder.plain_folder import images_without_masks
from training.evaluation.evaluate import Data
from training.evaluation.judge import battery_truth

Word = Literal["passed", "called", "stopped"]


@dataclass(frozen=True, slots=True)
class Unit:
    """What counts once.

    Parameters
    ----------
    key : lot and battery, or folder and image
    refs : its images of the slot's modality
    prints : of their files
    defective : what its labels say
    battery : of a lot; None in a plain folder
    """

    key: str
    refs: tuple[ImageRef, ...]
    prints: frozenset[str]
    defective: bool
    battery: Battery | None = None

    def known_to(self, seen: SeenImages | None) -> bool:
        """Return whether a model has seen any of it in training, as far as it tells."""
        return seen is not None and not self.prints.isdisjoint(seen.prints)


@dataclass(frozen=True, slots=True)
class HeldOutUnits:
    """Labelled units of one kind.

    Parameters
    ----------
    data : names of the lots or folders
    """

    kind: UnitKind
    data: tuple[str, ...]
    units: tuple[Unit, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the units, their images and their truth."""
        lines = sorted(
            "\t".join([unit.key, str(unit.defective), *sorted(unit.prints)]) for unit in self.units
        )
        return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def read_units(data: Data, modality: str) -> HeldOutUnits:
    """Return the batteries of lots whose truth the labels of one modality tell.

    Raises
    ------
    InspectionError
        If a folder is not a lot, or no battery has labels.
    """
    units = []
    for lot, battery in data.batteries():
        refs = battery.ct if modality == "ct" else battery.rgb
        truth = battery_truth([read_truth(ref) for ref in refs], battery) if refs else None
        if truth is None:
            continue
        key = f"{lot.resolve().name}/{battery.battery_id}"
        units.append(unit_of(key, refs, truth != "normal", battery))
    if not units:
        raise ConfigError("release_no_units", data=data.name)
    return HeldOutUnits("battery", tuple(lot.resolve().name for lot in data.lots), tuple(units))


def read_plain_units(folder: Path, normal: str) -> HeldOutUnits:
    """Return the images of a plain folder; those that show the same part count once.

    Raises
    ------
    ConfigError
        If there is no such folder of normal images, or nothing in it.
    """
    if not (folder / normal).is_dir():
        raise ConfigError("ae_folder_no_normal", folder=str(folder), normal=normal)
    units: list[Unit] = []
    for part in sorted(path for path in folder.iterdir() if path.is_dir()):
        paths = images_without_masks(part)
        groups: dict[int, list[Path]] = {}
        for path, group in zip(paths, group_alike(paths) if len(paths) > 1 else [0], strict=False):
            groups.setdefault(group, []).append(path)
        for members in groups.values():
            key = f"{folder.resolve().name}/{part.name}/{members[0].name}"
            refs = tuple(plain_view(p, n, key).ref for n, p in enumerate(members))
            units.append(unit_of(key, refs, part.name != normal, None))
    if not units:
        raise ConfigError("release_no_units", data=str(folder))
    return HeldOutUnits("image_group", (folder.resolve().name,), tuple(units))


def unit_of(key: str, refs: Sequence[ImageRef], defective: bool, battery: Battery | None) -> Unit:
    """Return a unit, with the fingerprints of its files."""
    paths = list(dict.fromkeys(source_path(ref.source) for ref in refs))
    return Unit(key, tuple(refs), frozenset(fingerprints(paths)), defective, battery)


@dataclass(frozen=True, slots=True)
class Said:
    """What a model makes of a unit; ``gate`` is True where its gate stops any image of it."""

    word: Word
    gate: bool


def judge_units(
    bundle: Bundle,
    units: Sequence[Unit],
    policy: InspectorConfig,
    levels: GreyLevels | None,
    device: str,
    advance: Callable[[int, int], None],
) -> Iterator[Said]:
    """Yield what a model makes of each unit, by the station's own rules for its channel.

    A unit passes only where the channel would be ``normal``: complete, no run of slices and no
    single one over the threshold, no view over it, and nothing that the gate stops.

    Parameters
    ----------
    policy : that is in force with the model
    levels : to which stacks are brought: those of the classifier, as on the station
    advance : called with units done and in all
    """
    slot = bundle.manifest.slot
    predictor = load_predictor(bundle, device)
    greys = StackWindows(GreyPolicy(policy.grey_window, levels))
    decoding = DecodeAhead()
    gate = load_gate()
    channel = ChannelModel(
        predictor,
        decoding,
        policy.aggregation.slice_threshold,
        # A slice passes one gate, however many look at it.
        gate=None if slot == SECOND_SLOT else ImageGate(gate, predictor.preprocess, bundle.gate),
    )
    try:
        for done, unit in enumerate(units, start=1):
            grey: StackWindow | None = None
            if unit.battery is not None and bundle.manifest.preprocess.modality == "ct":
                grey = greys.of(unit.battery)
            said = list(channel.predict(unit.refs, threading.Event(), grey=grey))
            if unit.battery is None:
                yield _word_of_images(said)
            else:
                yield _word_of_battery(said, unit.battery, bundle, policy, gate)
            advance(done, len(units))
    finally:
        decoding.close()


def _word_of_images(said: Sequence[Prediction | FailedPrediction]) -> Said:
    judged = [one for one in said if isinstance(one, Prediction)]
    sound = [one for one in judged if one.gate is None or not one.gate.failed]
    stopped = len(sound) < len(judged)
    if any(one.is_anomaly for one in sound):
        return Said("called", stopped)
    return Said("passed" if len(sound) == len(said) else "stopped", stopped)


def _word_of_battery(
    said: Sequence[Prediction | FailedPrediction],
    battery: Battery,
    bundle: Bundle,
    policy: InspectorConfig,
    gate: GateConfig,
) -> Said:
    slot, modality = bundle.manifest.slot, bundle.manifest.preprocess.modality
    # Named in no record: the battery's folder tells enough.
    root = battery.ct[0].path.parent if battery.ct else battery.rgb[0].path.parent
    images = [image_result(outcome, root) for outcome in said]
    if slot == SECOND_SLOT:
        strange = [
            image.model_copy(
                update={"ct_ae_score": image.pred_score, "ct_ae_threshold": image.threshold}
            )
            for image in images
        ]
        reason = second_look(strange, policy.aggregation.min_run).reason
        return Said("passed" if reason is None else "called", gate=False)
    limits: dict[str, float] = {}
    if bundle.gate is not None:
        limits[modality] = bundle.gate.strange
    told = battery_checks(images, body_of(battery.ct), gate, limits)
    stopped = bool(told) or any(image.gate for image in images)
    judge = ct_evidence if modality == "ct" else rgb_evidence
    state = judge(images, len(images), policy).state
    if state == "defect":
        return Said("called", stopped)
    return Said("passed" if state == "normal" and not stopped else "stopped", stopped)

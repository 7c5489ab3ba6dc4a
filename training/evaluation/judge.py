"""One pass over a labelled lot: what the station's own lane says of every image, and the truth."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from inspection.classes import class_table
from inspection.config import InspectorConfig
from inspection.errors import ConfigError
from inspection.images.body_planes import with_body
from inspection.images.decode_ahead import DecodeAhead
from inspection.images.grey import GreyLevels
from inspection.images.stack_grey import GreyPolicy, StackWindows
from inspection.lot.scan import scan_lot
from inspection.lot.truth import ImageTruth, read_truth
from inspection.messages import Message
from inspection.modelstore.bundle import Bundle, find_bundle, reference_levels
from inspection.modelstore.folders import SLOTS, ModelFolders, Slot
from inspection.predictions import FailedPrediction, LaneEvent, Prediction
from inspection.records import MODALITIES, Battery, ImageRef, ImageSource, Modality
from inspection.results import Box, ImageResult, Peak, Verdict
from inspection.systems.ensemble.channel import ChannelModel
from inspection.systems.ensemble.detectors import STATION_SLOTS, load_predictor
from inspection.systems.ensemble.lane import EnsembleLane
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings, resolve_device
from inspection.volumes.planes import AXES
from training.evaluation.metrics import points_at_defect

TRUTH_NAME = "truth.json"
"""What a synthetic lot tells of its defects."""
FUSED: tuple[Slot, ...] = tuple(STATION_SLOTS.values())
"""Only with both can batteries be judged."""
Truth = Literal["normal", "internal", "external", "both"]
Keep = Callable[[ImageRef], bool]


@dataclass(frozen=True, slots=True)
class JudgedImage:
    """One image with a model's word on it; ``error`` is set where there is none.

    Parameters
    ----------
    battery : lot and battery, what resamples draw
    boxes : as the station shows them: none under the threshold
    peak_hit : whether the map peaks at a labelled defect; None without polygons
    """

    ref: ImageRef
    battery: str
    truth: ImageTruth
    error: Message | None = None
    pred_label: str = ""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    score: float = 0.0
    threshold: float = 0.0
    boxes: tuple[Box, ...] = ()
    peak: Peak | None = None
    peak_hit: bool | None = None


@dataclass(frozen=True, slots=True)
class JudgedBattery:
    """One battery with the station's verdict.

    Parameters
    ----------
    key : lot and battery
    slots : what each model said of its images
    verdict : None where no battery can be judged for want of a model
    results : the images as the fusion takes them
    truth : None where the labels do not tell
    visibilities : of a synthetic battery's defects
    """

    battery: Battery
    key: str
    slots: Mapping[Slot, tuple[JudgedImage, ...]]
    verdict: Verdict | None
    results: tuple[ImageResult, ...]
    truth: Truth | None
    visibilities: frozenset[str] = frozenset()


Predictions = Mapping[ImageSource, Prediction]
"""A battery's predictions with their maps, by image file."""


class Models:
    """The models of a folder, loaded as the station loads them.

    Parameters
    ----------
    folder : of model folders
    policy : how images make a battery
    device : ``auto``, ``cpu`` or ``cuda``
    slots : models to load, where they are there

    Raises
    ------
    InspectionError
        If the folder holds no model, or one is incomplete or altered.
    """

    def __init__(
        self, folder: Path, policy: InspectorConfig, device: str, slots: Sequence[Slot] = SLOTS
    ) -> None:
        self.folder, self.policy, self.device = folder, policy, device
        self.bundles: dict[Slot, Bundle] = {
            slot: find_bundle(folder, slot) for slot in slots if (folder / slot).is_dir()
        }
        if not self.bundles:
            raise ConfigError("no_models", folder=str(folder))
        self._reference = reference_levels(ModelFolders((folder,)))

    @property
    def fused(self) -> bool:
        """True where both models are there that a verdict needs."""
        return set(FUSED) <= self.bundles.keys()

    def judge(
        self, lot: Path, keep: Keep | None = None
    ) -> Iterator[tuple[JudgedBattery, Predictions, int, int]]:
        """Yield every battery of a lot with its maps, the images done so far and those in all.

        A battery's maps live until the next one is asked for.

        Parameters
        ----------
        lot : labelled
        keep : which images to judge; all by default

        Raises
        ------
        LotError
            If the folder is not a lot.
        """
        scanned, visibility = scan_lot(lot), _Visibility.read(lot)
        settings = LaneSettings(
            ModelFolders((self.folder,)),
            scanned.root,
            self.policy,
            ImageChooser(self.policy.sampling, scanned.root, with_ensemble=True),
            self.device,
            greys=StackWindows(GreyPolicy(self.policy.grey_window, self._reference)),
        )
        lane = EnsembleLane(settings) if self.bundles.keys() & set(FUSED) else None
        decoding = DecodeAhead()
        try:
            if lane is not None:
                lane.load()
            batteries = kept_batteries(map(with_body, scanned.batteries), keep)
            # Models that no verdict rests on are judged beside the lane.
            others = {
                slot: ChannelModel(
                    load_predictor(bundle, resolve_device(self.device)),
                    decoding,
                    self.policy.aggregation.slice_threshold,
                )
                for slot, bundle in self.bundles.items()
                if slot not in FUSED
            }
            done, total = 0, sum(len(b.ct) + len(b.rgb) for b in batteries)
            for battery in batteries:
                key = f"{lot.resolve().name}/{battery.battery_id}"
                judged, maps = self._judge_battery(
                    battery, key, lane, others, settings.greys, visibility
                )
                done += len(battery.ct) + len(battery.rgb)
                yield judged, maps, done, total
        finally:
            decoding.close()
            if lane is not None:
                lane.close()

    def _judge_battery(
        self,
        battery: Battery,
        key: str,
        lane: EnsembleLane | None,
        others: Mapping[Slot, ChannelModel],
        greys: StackWindows,
        visibility: _Visibility,
    ) -> tuple[JudgedBattery, Predictions]:
        never = threading.Event()
        outcomes: list[Prediction | FailedPrediction] = []

        def keep_outcome(event: LaneEvent) -> None:
            if isinstance(event, Prediction | FailedPrediction):
                outcomes.append(event)

        result = None if lane is None else lane.inspect(battery, never, keep_outcome)
        truths = {ref.source: visibility.truth_of(ref) for ref in (*battery.ct, *battery.rgb)}
        said = {
            slot: [o for o in outcomes if o.image.modality == modality]
            for modality, slot in STATION_SLOTS.items()
            if slot in self.bundles
        }
        for slot, channel in others.items():
            of_rgb = self.bundles[slot].manifest.preprocess.modality == "rgb"
            # The whole battery's window, also where only some of its slices are judged.
            refs, grey = (battery.rgb, None) if of_rgb else (battery.ct, greys.of(battery))
            said[slot] = list(channel.predict(refs, never, grey=grey))
        judged = JudgedBattery(
            battery,
            key,
            {
                slot: tuple(judged_image(o, key, truths[o.image.source]) for o in found)
                for slot, found in said.items()
            },
            result.verdict if result is not None and self.fused else None,
            result.images if result is not None else (),
            battery_truth(list(truths.values()), battery),
            visibility.grades.get(battery.battery_id, frozenset()),
        )
        return judged, {o.image.source: o for o in outcomes if isinstance(o, Prediction)}


def judge_alone(
    bundle: Bundle, lot: Path, device: str = "cpu", keep: Keep | None = None
) -> list[JudgedImage]:
    """Return what one autoencoder says of the labelled images of a lot, or those to keep.

    Images whose truth is not known are left out.
    """
    predictor = load_predictor(bundle, resolve_device(device))
    modality, visibility = predictor.preprocess.modality, _Visibility.read(lot)
    decoding = DecodeAhead()
    channel = ChannelModel(predictor, decoding)
    trained = bundle.manifest.grey_levels
    levels = GreyLevels(trained.air, trained.body) if trained else None
    greys = StackWindows(GreyPolicy("auto", levels))
    judged = []
    try:
        for battery in map(with_body, scan_lot(lot).batteries):
            of_modality = battery.rgb if modality == "rgb" else battery.ct
            # `filter` takes None for "all of them", as `keep` does.
            truths = {ref.source: visibility.truth_of(ref) for ref in filter(keep, of_modality)}
            known = [ref for ref in of_modality if ref.source in truths and truths[ref.source].name]
            key = f"{lot.resolve().name}/{battery.battery_id}"
            grey = greys.of(battery) if modality == "ct" else None
            for outcome in channel.predict(known, threading.Event(), grey=grey):
                judged.append(judged_image(outcome, key, truths[outcome.image.source]))
    finally:
        decoding.close()
    return judged


def judged_image(
    outcome: Prediction | FailedPrediction, battery: str, truth: ImageTruth
) -> JudgedImage:
    """Return a model's word beside the label's."""
    if isinstance(outcome, FailedPrediction):
        # Kept, and counted as failed: a lot must not look better for its broken images.
        return JudgedImage(outcome.image, battery, truth, error=outcome.error.message)
    return JudgedImage(
        outcome.image,
        battery,
        truth,
        pred_label=outcome.pred_label,
        probabilities=outcome.probabilities,
        score=outcome.pred_score,
        threshold=outcome.threshold,
        boxes=outcome.pred_boxes if outcome.is_anomaly else (),
        peak=outcome.peak,
        peak_hit=points_at_defect(outcome.peak, truth.polygons) if truth.polygons else None,
    )


def battery_truth(truths: Sequence[ImageTruth], battery: Battery) -> Truth | None:
    """Return where a battery is defective; None where a missing label may hide a defect."""
    defects = {t.name for t in truths if t.is_defect}
    table = class_table()
    internal, external = (bool(defects & {*table.defects(m)}) for m in MODALITIES)
    if internal or external:
        return "both" if internal and external else "internal" if internal else "external"
    known = bool(truths) and all(t.name is not None for t in truths) and not battery.lost
    return "normal" if known else None


def kept_batteries(batteries: Iterable[Battery], keep: Keep | None) -> list[Battery]:
    """Return the batteries that have images to keep, and of these none but those."""
    if keep is None:
        return list(batteries)
    kept = [
        dataclasses.replace(b, ct=tuple(filter(keep, b.ct)), rgb=tuple(filter(keep, b.rgb)))
        for b in batteries
    ]
    return [battery for battery in kept if battery.ct or battery.rgb]


def _slices_through(defect: Mapping[str, Any]) -> dict[str, Iterable[int]]:
    """Return the numbers of the slices that show a defect, by axis: of a body across every axis."""
    if "numbers" in defect:
        return {defect["axis"]: defect["numbers"]}
    extent = zip(AXES, defect["start"], defect["shape"], strict=True)
    return {axis: range(start, start + length) for axis, start, length in extent}


@dataclass(frozen=True, slots=True)
class _Visibility:
    """How visible the defects of a synthetic lot were made; empty for any other lot."""

    of_image: Mapping[tuple[Modality, str, str, int], str]
    grades: Mapping[str, frozenset[str]]

    @classmethod
    def read(cls, lot: Path) -> _Visibility:
        path = lot / TRUTH_NAME
        if not path.is_file():
            return cls({}, {})
        of_image: dict[tuple[Modality, str, str, int], str] = {}
        grades = {}
        for battery_id, row in json.loads(path.read_text(encoding="utf-8")).items():
            found = [*row["internal"], *row["external"]]
            grades[battery_id] = frozenset(str(defect["visibility"]) for defect in found)
            for defect in row["internal"]:
                for axis, numbers in _slices_through(defect).items():
                    for number in numbers:
                        of_image["ct", battery_id, axis, number] = defect["visibility"]
            for defect in row["external"]:
                for number in defect["views"]:
                    of_image["rgb", battery_id, "", number] = defect["visibility"]
        return cls(of_image, grades)

    def truth_of(self, ref: ImageRef) -> ImageTruth:
        truth = read_truth(ref)
        shown = self.of_image.get((ref.modality, ref.battery_id, ref.axis or "", ref.number))
        return dataclasses.replace(truth, visibility=shown) if truth.is_defect else truth

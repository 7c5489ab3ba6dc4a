"""The three systems as lanes: a battery in, what the system says of it out.

A lane is built and used in one thread. Nothing heavy is imported before ``load()``, so a window
can be painted first; on Windows torch must then be imported before Qt, which the launcher does.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from inspection.assemble import LaneResult
from inspection.config import InspectorConfig
from inspection.errors import ImageError, InspectionError, LabelError, ModelMissingError
from inspection.evidence import MAPS_NAME, write_maps, write_pictures
from inspection.fusion import judge_images
from inspection.heatmaps import boxes_in_source, crop_to_content, peak_of
from inspection.images import ImageData, ModelInput, Preprocess, load_image, to_model_input
from inspection.labels import read_label
from inspection.messages import Message
from inspection.predictions import FailedPrediction, Prediction
from inspection.records import CT_DEFECT_CLASSES, Battery, ImageRef
from inspection.results import Box, ImageResult, ModelProvenance, SystemName

if TYPE_CHECKING:
    from inspection.bundle import Bundle
    from inspection.models.cae import CaePredictor
    from inspection.models.cnn import CnnPredictor

__all__ = ["Lane", "LaneResult", "LaneSettings", "build_lane", "inspect_safely"]

log = logging.getLogger(__name__)

OnImage = Callable[[Prediction | FailedPrediction], None]
BATCH = 16
BOX_THRESHOLD = 0.5
"""Maps come on their bundle's fixed scale, where 0.5 is the edge of a region (specification)."""
MIN_BOX_AREA = 100


class Lane(Protocol):
    """One of the three systems. Owned by one thread from ``load`` to ``close``."""

    name: SystemName

    def load(self) -> list[ModelProvenance]:
        """Load the models.

        Raises
        ------
        ModelMissingError
            If no model is installed for this system.
        BundleError
            If a model is incomplete or altered.
        """

    def inspect(self, battery: Battery, cancel: threading.Event, on_image: OnImage) -> LaneResult:
        """Judge one battery; returns early with ``cancelled`` once ``cancel`` is set."""

    def close(self) -> None:
        """Release models and threads."""


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """What a lane needs to know.

    Parameters
    ----------
    models_dir : folder of model bundles
    lot_root : images are named relative to it
    inspector : fusion policy
    device : ``auto``, ``cpu`` or ``cuda``
    evidence_dir : where pictures and maps go; None keeps none
    """

    models_dir: Path
    lot_root: Path
    inspector: InspectorConfig
    device: str = "auto"
    evidence_dir: Path | None = None


def build_lane(system: SystemName, settings: LaneSettings) -> Lane:
    """Return the lane of a system, not loaded yet."""
    if system == "ensemble":
        return EnsembleLane(settings)
    return UninstalledLane(system)


def inspect_safely(
    lane: Lane, battery: Battery, cancel: threading.Event, on_image: OnImage
) -> LaneResult:
    """Return the lane's result, or a ``failed`` one, so that the other systems go on.

    This is the one place where an unforeseen error of a model becomes a result; it is logged in
    full and can only ever read as "not inspected".
    """
    started = time.monotonic()
    try:
        return lane.inspect(battery, cancel, on_image)
    except InspectionError as error:
        message = error.message
    except Exception as error:
        log.exception("%s failed on battery %s", lane.name, battery.battery_id)
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
        message = Message(code="lane_failed", params={"system": lane.name, "problem": problem})
    return LaneResult(lane.name, "failed", message, time.monotonic() - started)


class UninstalledLane:
    """A system whose models this version cannot run: it says so, and judges nothing."""

    def __init__(self, name: SystemName) -> None:
        self.name = name

    def load(self) -> list[ModelProvenance]:
        """Say that the model is not installed."""
        raise ModelMissingError("model_not_installed", system=self.name.upper())

    def inspect(self, battery: Battery, cancel: threading.Event, on_image: OnImage) -> LaneResult:
        """Return ``not_installed``."""
        message = Message(code="model_not_installed", params={"system": self.name.upper()})
        return LaneResult(self.name, "not_installed", message)

    def close(self) -> None:
        """Nothing is held."""


class EnsembleLane:
    """System 1: the CT classifier and the RGB autoencoder, fused into one verdict."""

    name: SystemName = "ensemble"

    def __init__(self, settings: LaneSettings) -> None:
        self._settings = settings
        self._pool: ThreadPoolExecutor | None = None
        self._cnn: CnnPredictor | None = None
        self._cae: CaePredictor | None = None
        self._missing: dict[str, InspectionError] = {}

    def load(self) -> list[ModelProvenance]:
        """Load both models. One alone is enough to inspect, never enough for ``normal``."""
        from inspection.bundle import find_bundle
        from inspection.models.cae import CaePredictor
        from inspection.models.cnn import CnnPredictor

        device = resolve_device(self._settings.device)
        provenance = []
        self._missing.clear()
        try:
            bundle = find_bundle(self._settings.models_dir, "ct_cnn")
            self._cnn = CnnPredictor(bundle, device)
            provenance.append(_provenance(bundle))
        except InspectionError as error:
            self._missing["ct"] = error
        try:
            bundle = find_bundle(self._settings.models_dir, "rgb_ae")
            self._cae = CaePredictor(bundle, device)
            provenance.append(_provenance(bundle))
        except InspectionError as error:
            self._missing["rgb"] = error
        if len(self._missing) == 2:
            raise self._missing["ct"]
        self._pool = ThreadPoolExecutor(max_workers=max(1, (os.cpu_count() or 2) - 1))
        return provenance

    def close(self) -> None:
        """Drop the models and end the decoding threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pool = self._cnn = self._cae = None

    def inspect(self, battery: Battery, cancel: threading.Event, on_image: OnImage) -> LaneResult:
        """Judge every image of the battery and fuse them into a verdict."""
        started = time.monotonic()
        predictions: list[Prediction] = []
        images: list[ImageResult] = []
        for outcome in self._predict(battery, cancel):
            if cancel.is_set():
                return LaneResult(self.name, "cancelled", Message(code="cancelled_by_operator"))
            on_image(outcome)
            if isinstance(outcome, Prediction):
                predictions.append(outcome)
            images.append(self._image_result(outcome))
        if cancel.is_set():
            return LaneResult(self.name, "cancelled", Message(code="cancelled_by_operator"))
        verdict, ensemble, runs, slices, views = judge_images(
            images, len(battery.ct), len(battery.rgb), self._settings.inspector
        )
        if self._settings.evidence_dir is not None:
            images = self._keep_evidence(battery, predictions, images, {*slices, *views})
            ensemble = ensemble.model_copy(update=_gradcam_evidence(images, slices))
        return LaneResult(
            system=self.name,
            state="done",
            seconds=time.monotonic() - started,
            verdict=verdict,
            ensemble=ensemble,
            images=tuple(images),
            runs=tuple(runs),
            worst_slices=tuple(slices),
            worst_views=tuple(views),
        )

    # -- prediction ------------------------------------------------------------------------

    def _predict(
        self, battery: Battery, cancel: threading.Event
    ) -> Iterator[Prediction | FailedPrediction]:
        for refs, model, modality in (
            (battery.ct, self._cnn, "ct"),
            (battery.rgb, self._cae, "rgb"),
        ):
            if model is None:
                yield from (FailedPrediction(ref, self._missing[modality]) for ref in refs)
                continue
            predict = self._predict_ct if modality == "ct" else self._predict_rgb
            for batch in self._decoded_batches(refs, model.preprocess, cancel):
                yield from (item for item in batch if isinstance(item, FailedPrediction))
                ready = [item for item in batch if not isinstance(item, FailedPrediction)]
                if ready:
                    yield from predict(ready)

    def _decoded_batches(
        self, refs: Sequence[ImageRef], spec: Preprocess, cancel: threading.Event
    ) -> Iterator[list[_Decoded | FailedPrediction]]:
        """Decode in threads, at most two batches ahead of the model, so that memory is bounded."""
        assert self._pool is not None
        waiting = iter(refs)
        pending: list[Future[_Decoded | FailedPrediction]] = []
        while not cancel.is_set():
            for ref in islice(waiting, 2 * BATCH - len(pending)):
                pending.append(self._pool.submit(_decode, ref, spec))
            if not pending:
                return
            batch, pending = pending[:BATCH], pending[BATCH:]
            yield [future.result() for future in batch]
        for future in pending:
            future.cancel()

    def _predict_ct(self, ready: Sequence[_Decoded]) -> Iterator[Prediction]:
        assert self._cnn is not None
        started = time.monotonic()
        output = self._cnn.predict(np.stack([item.input.array for item in ready]))
        maps = self._cnn.anomaly_maps(output)
        share = (time.monotonic() - started) / len(ready)
        labels = self._cnn.labels
        for item, probabilities, heat in zip(ready, output.probabilities, maps, strict=True):
            by_label = {k: float(p) for k, p in zip(labels, probabilities, strict=True)}
            yield _prediction(
                item,
                heat,
                pred_label=max(by_label, key=by_label.__getitem__),
                probabilities=by_label,
                pred_score=min(1.0, sum(by_label[name] for name in CT_DEFECT_CLASSES)),
                threshold=self._settings.inspector.aggregation.slice_threshold,
                seconds=share,
            )

    def _predict_rgb(self, ready: Sequence[_Decoded]) -> Iterator[Prediction]:
        assert self._cae is not None
        started = time.monotonic()
        output = self._cae.predict(np.stack([item.input.array for item in ready]))
        share = (time.monotonic() - started) / len(ready)
        threshold = self._cae.threshold
        for item, score, heat in zip(ready, output.scores, output.maps, strict=True):
            yield _prediction(
                item,
                heat,
                pred_label="defect" if score > threshold else "normal",
                probabilities={},
                pred_score=float(score),
                threshold=threshold,
                seconds=share,
            )

    # -- results ---------------------------------------------------------------------------

    def _image_result(self, outcome: Prediction | FailedPrediction) -> ImageResult:
        ref = outcome.image
        name = image_name(ref, self._settings.lot_root)
        if isinstance(outcome, FailedPrediction):
            return ImageResult(
                image=name,
                modality=ref.modality,
                axis=ref.axis,
                number=ref.number,
                state="failed",
                error=outcome.error.message,
            )
        return ImageResult(
            image=name,
            modality=ref.modality,
            axis=ref.axis,
            number=ref.number,
            state="done",
            pred_label=outcome.pred_label,
            probabilities=outcome.probabilities,
            pred_score=outcome.pred_score,
            threshold=outcome.threshold,
            is_anomaly=outcome.is_anomaly,
            pred_boxes=list(outcome.pred_boxes) if outcome.is_anomaly else [],
            peak=outcome.peak,
            width=outcome.source_size[0],
            height=outcome.source_size[1],
            roi=Box(x=outcome.roi.x, y=outcome.roi.y, w=outcome.roi.w, h=outcome.roi.h),
            seconds=outcome.seconds,
        )

    def _keep_evidence(
        self,
        battery: Battery,
        predictions: Sequence[Prediction],
        images: Sequence[ImageResult],
        worst: set[str],
    ) -> list[ImageResult]:
        from inspection.session import battery_file_name

        assert self._settings.evidence_dir is not None
        name = battery_file_name(battery.battery_id)
        folder = self._settings.evidence_dir / name
        folder.mkdir(parents=True, exist_ok=True)
        entries = write_maps(folder, predictions)
        by_name = {image_name(p.image, self._settings.lot_root): p for p in predictions}
        kept = []
        for image in images:
            evidence = {}
            prediction = by_name.get(image.image)
            if prediction is not None:
                entry = entries[prediction.image.path]
                evidence["map"] = f"evidence/{name}/{MAPS_NAME}#{entry}"
                if image.image in worst:
                    for kind, file in write_pictures(folder, prediction).items():
                        evidence[kind] = f"evidence/{name}/{file}"
            kept.append(image.model_copy(update={"evidence": evidence}))
        return kept


@dataclass(frozen=True, slots=True)
class _Decoded:
    image: ImageRef
    input: ModelInput
    data: ImageData
    spec: Preprocess
    seconds: float


def _decode(ref: ImageRef, spec: Preprocess) -> _Decoded | FailedPrediction:
    started = time.monotonic()
    try:
        data = load_image(
            ref.path, modality=ref.modality, roi=_labelled_roi(ref), fit=(spec.width, spec.height)
        )
        prepared = to_model_input(data, spec)
    except InspectionError as error:
        return FailedPrediction(ref, error)
    except OSError as error:
        return FailedPrediction(
            ref, ImageError("image_unreadable", name=ref.path.name, problem=error.strerror or "")
        )
    return _Decoded(ref, prepared, data, spec, time.monotonic() - started)


def _labelled_roi(ref: ImageRef) -> tuple[int, int] | None:
    if ref.label_path is None or ref.modality != "ct":
        return None
    try:
        return read_label(ref.label_path).roi
    except LabelError:
        # A broken label must not keep a good picture from being inspected: its content box
        # serves as the ROI, and the intake has the label among its findings.
        return None


def _prediction(
    item: _Decoded,
    heat: NDArray[np.float32],
    *,
    pred_label: str,
    probabilities: dict[str, float],
    pred_score: float,
    threshold: float,
    seconds: float,
) -> Prediction:
    roi = item.data.roi
    anomaly_map = crop_to_content(heat, item.input.content, (item.spec.width, item.spec.height))
    return Prediction(
        image=item.image,
        pred_label=pred_label,
        probabilities=probabilities,
        pred_score=pred_score,
        threshold=threshold,
        anomaly_map=anomaly_map,
        roi=roi,
        source_size=item.data.source_size,
        pred_boxes=tuple(boxes_in_source(anomaly_map, roi, BOX_THRESHOLD, MIN_BOX_AREA)),
        peak=peak_of(anomaly_map, roi),
        seconds=seconds + item.seconds,
    )


def image_name(ref: ImageRef, lot_root: Path) -> str:
    """Return an image's name in results: its path relative to the lot, with forward slashes."""
    try:
        return ref.path.relative_to(lot_root).as_posix()
    except ValueError:
        return ref.path.as_posix()


def resolve_device(device: str) -> str:
    """Return ``cpu`` or ``cuda``; ``auto`` takes the GPU where there is one.

    Raises
    ------
    InspectionError
        If a GPU is asked for and there is none.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InspectionError("device_missing", device=device)
    return device


def _provenance(bundle: Bundle) -> ModelProvenance:
    manifest = bundle.manifest
    return ModelProvenance(
        slot=manifest.slot,
        name=manifest.name,
        sha256=bundle.sha256,
        thresholds={manifest.slot: bundle.threshold.threshold} if bundle.threshold else {},
        trained_at=manifest.created_at,
        demo=manifest.demo,
    )


def _gradcam_evidence(images: Sequence[ImageResult], slices: Sequence[str]) -> dict[str, object]:
    """Return the two Grad-CAM fields of the ensemble's result: those of the worst slice."""
    by_name = {image.image: image for image in images}
    worst = by_name.get(slices[0]) if slices else None
    if worst is None:
        return {}
    return {
        "gradcam_heatmap": worst.evidence.get("heatmap"),
        "gradcam_bbox": worst.pred_boxes,
    }

"""System 1: the CT classifier and the RGB autoencoder, fused into one verdict."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from inspection.assemble import LaneResult
from inspection.channel_models import ChannelModel, ct_channel, rgb_channel
from inspection.errors import InspectionError
from inspection.evidence import keep_evidence
from inspection.fusion import judge_images
from inspection.lanes import LaneSettings, OnEvent, resolve_device
from inspection.messages import Message
from inspection.predictions import FailedPrediction, Prediction
from inspection.records import Battery, image_name
from inspection.results import Box, ImageResult, ModelProvenance, SystemName

if TYPE_CHECKING:
    from inspection.bundle import Bundle


class EnsembleLane:
    """Judges every slice and view of a battery."""

    name: SystemName = "ensemble"

    def __init__(self, settings: LaneSettings) -> None:
        self.settings = settings
        self._ct: ChannelModel | InspectionError | None = None
        self._rgb: ChannelModel | InspectionError | None = None

    def load(self) -> list[ModelProvenance]:
        """Load both models. One alone is enough to inspect, never enough for ``normal``."""
        provenance: list[ModelProvenance] = []
        self._ct = self._load_ct(provenance)
        self._rgb = self._load_rgb(provenance)
        if isinstance(self._ct, InspectionError) and isinstance(self._rgb, InspectionError):
            raise self._ct
        return provenance

    def _load_ct(self, provenance: list[ModelProvenance]) -> ChannelModel | InspectionError:
        from inspection.bundle import find_bundle
        from inspection.models.cnn import CnnPredictor

        try:
            bundle = find_bundle(self.settings.models.holding("ct_cnn"), "ct_cnn")
            predictor, device = CnnPredictor(bundle), resolve_device(self.settings.device)
        except InspectionError as error:
            return error
        provenance.append(_provenance(bundle))
        threshold = self.settings.inspector.aggregation.slice_threshold
        return ct_channel(predictor, threshold, device)

    def _load_rgb(self, provenance: list[ModelProvenance]) -> ChannelModel | InspectionError:
        from inspection.bundle import find_bundle
        from inspection.models.cae import CaePredictor

        try:
            bundle = find_bundle(self.settings.models.holding("rgb_ae"), "rgb_ae")
            predictor, device = CaePredictor(bundle), resolve_device(self.settings.device)
        except InspectionError as error:
            return error
        provenance.append(_provenance(bundle))
        return rgb_channel(predictor, device)

    def close(self) -> None:
        """Drop the models and end the decoding threads."""
        for channel in (self._ct, self._rgb):
            if isinstance(channel, ChannelModel):
                channel.close()
        self._ct = self._rgb = None

    def inspect(self, battery: Battery, cancel: threading.Event, on_event: OnEvent) -> LaneResult:
        """Judge every image of the battery and fuse them into a verdict."""
        started = time.monotonic()
        predictions: list[Prediction] = []
        images: list[ImageResult] = []
        for outcome in self._predict(battery, cancel):
            on_event(outcome)
            if isinstance(outcome, Prediction):
                predictions.append(outcome)
            images.append(_image_result(outcome, self.settings.lot_root))
        if cancel.is_set():
            return LaneResult(self.name, "cancelled", Message(code="cancelled_by_operator"))
        verdict, ensemble, runs, slices, views = judge_images(
            images,
            len(battery.ct),
            len(battery.rgb),
            self.settings.inspector,
            lost=battery.lost,
        )
        self.settings.chooser.tell_worst(battery.battery_id, slices, views)
        if self.settings.evidence_dir is not None:
            kept = keep_evidence(
                self.settings.evidence_dir,
                battery.battery_id,
                {image_name(p.image, self.settings.lot_root): p for p in predictions},
                {*slices, *views},
            )
            images = [i.model_copy(update={"evidence": kept.get(i.image, {})}) for i in images]
            ensemble = ensemble.model_copy(update=_gradcam(images, slices))
        return LaneResult(
            system=self.name,
            state="done",
            seconds=time.monotonic() - started,
            memory_steps=self._memory_steps(),
            verdict=verdict,
            ensemble=ensemble,
            images=tuple(images),
            runs=tuple(runs),
            worst_slices=tuple(slices),
            worst_views=tuple(views),
        )

    def _memory_steps(self) -> tuple[Message, ...]:
        steps: list[Message] = []
        for channel in (self._ct, self._rgb):
            if isinstance(channel, ChannelModel):
                steps += channel.memory_steps
        return tuple(steps)

    def _predict(
        self, battery: Battery, cancel: threading.Event
    ) -> Iterator[Prediction | FailedPrediction]:
        for refs, channel in ((battery.ct, self._ct), (battery.rgb, self._rgb)):
            if isinstance(channel, ChannelModel):
                for outcome in channel.predict(refs, cancel):
                    if cancel.is_set():
                        return
                    yield outcome
            elif channel is not None:
                yield from (FailedPrediction(ref, channel) for ref in refs)


def _image_result(outcome: Prediction | FailedPrediction, lot_root: Path) -> ImageResult:
    ref = outcome.image
    name = image_name(ref, lot_root)
    if isinstance(outcome, FailedPrediction):
        return ImageResult(
            image=name,
            modality=ref.modality,
            axis=ref.axis,
            number=ref.number,
            state="failed",
            error=outcome.error.message,
        )
    roi = outcome.roi
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
        # Below the threshold a region is noise that happens to be the loudest.
        pred_boxes=list(outcome.pred_boxes) if outcome.is_anomaly else [],
        peak=outcome.peak,
        width=outcome.source_size[0],
        height=outcome.source_size[1],
        roi=Box(x=roi.x, y=roi.y, w=roi.w, h=roi.h),
        seconds=outcome.seconds,
    )


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


def _gradcam(images: Sequence[ImageResult], slices: Sequence[str]) -> dict[str, object]:
    """Return the two Grad-CAM fields of the ensemble's result: those of the worst slice."""
    worst = next((image for image in images if slices and image.image == slices[0]), None)
    if worst is None:
        return {}
    return {"gradcam_heatmap": worst.evidence.get("heatmap"), "gradcam_bbox": worst.pred_boxes}

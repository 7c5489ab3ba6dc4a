"""System 1: the CT classifier and the RGB autoencoder, fused; a CT autoencoder may look too."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inspection.classes import class_table
from inspection.errors import InspectionError, ModelMissingError
from inspection.gate.battery import battery_checks, body_of
from inspection.gate.images import ImageGate
from inspection.images.decode_ahead import AHEAD, DecodeAhead, Wanted
from inspection.images.evidence import keep_evidence
from inspection.images.stack_grey import StackWindow
from inspection.messages import Message
from inspection.modelstore.bundle import Bundle, find_bundle
from inspection.modelstore.folders import Slot
from inspection.modelstore.releases import release_of
from inspection.predictions import FailedPrediction, LaneResult, Prediction
from inspection.records import Battery, ImageRef, Modality, image_name
from inspection.results import Box, ImageResult, ModelProvenance, SystemName
from inspection.systems.ensemble.channel import ChannelModel
from inspection.systems.ensemble.defect_bodies import measure_defects
from inspection.systems.ensemble.detectors import SECOND_SLOT, STATION_SLOTS, load_predictor
from inspection.systems.ensemble.fusion import judge_images
from inspection.systems.ensemble.known_answers import check_answers, settle_backend
from inspection.systems.ensemble.size_limits import apply_limits
from inspection.systems.lane import LaneSettings, OnEvent, none_opened, resolve_device


class EnsembleLane:
    """Judges every slice and view of a battery."""

    name: SystemName = "ensemble"

    def __init__(self, settings: LaneSettings) -> None:
        self.settings = settings
        self._channels: dict[Modality, ChannelModel | InspectionError] = {}
        self._second: ChannelModel | InspectionError | None = None
        self._decoding: DecodeAhead | None = None
        # Of its own: the second look wants the same files in another size.
        self._decoding_again: DecodeAhead | None = None
        self._following: Battery | None = None
        self._strange_limits: dict[str, float] = {}
        # Threads begin with their first picture.
        self._drawing = ThreadPoolExecutor(thread_name_prefix="evidence")

    def load(self) -> list[ModelProvenance]:
        """Load the models. One alone is enough to inspect, never enough for ``normal``."""
        provenance: list[ModelProvenance] = []
        decoding = self._decoding = DecodeAhead()

        def channel(slot: Slot, decoding: DecodeAhead) -> ChannelModel | InspectionError:
            try:
                bundle = find_bundle(self.settings.models.holding(slot), slot)
                predictor, device = load_predictor(bundle), resolve_device(self.settings.device)
                check_answers(predictor, bundle)
            except InspectionError as error:
                return error
            threshold = self.settings.inspector.aggregation.slice_threshold
            spec, gate = predictor.preprocess, None
            if slot in STATION_SLOTS.values():
                # A slice passes one gate, however many look at it.
                gate = ImageGate(self.settings.gate, spec, bundle.gate)
                if bundle.gate is not None:
                    self._strange_limits[spec.modality] = bundle.gate.strange
            made = ChannelModel(predictor, decoding, threshold, device, gate)
            # Not before it is on its device: to move a model is to compute it in PyTorch again.
            if self.settings.cache_dir is not None:
                predictor.accelerate(self.settings.cache_dir)
            settle_backend(predictor, bundle)
            found = _provenance(bundle, predictor.device, predictor.backends)
            released = release_of(self.settings.models, found.slot, found.sha256)
            provenance.append(found.model_copy(update={"release": released}))
            return made

        for modality, slot in STATION_SLOTS.items():
            self._channels[modality] = channel(slot, decoding)
        errors = [c for c in self._channels.values() if isinstance(c, InspectionError)]
        if len(errors) == len(self._channels):
            decoding.close()
            raise errors[0]
        if self.settings.inspector.ct_autoencoder:
            self._decoding_again = DecodeAhead()
            second = channel(SECOND_SLOT, self._decoding_again)
            self._second = None if isinstance(second, ModelMissingError) else second
        return provenance

    def close(self) -> None:
        """Drop the models and end the decoding threads."""
        for decoding in (self._decoding, self._decoding_again):
            if decoding is not None:
                decoding.close()
        self._drawing.shutdown()
        self._channels.clear()
        self._second = self._decoding = self._decoding_again = self._following = None

    def expect(self, battery: Battery | None) -> None:
        """Decode the first images of this battery while the last ones of another are judged."""
        self._following = battery

    def inspect(self, battery: Battery, cancel: threading.Event, on_event: OnEvent) -> LaneResult:
        """Judge every image of the battery and fuse them into a verdict."""
        started = time.monotonic()
        predictions: list[Prediction] = []
        images: list[ImageResult] = []
        for outcome in self._predict(battery, cancel):
            on_event(outcome)
            if isinstance(outcome, Prediction):
                predictions.append(outcome)
            images.append(image_result(outcome, self.settings.lot_root))
        if cancel.is_set():
            return LaneResult(self.name, "cancelled", Message(code="cancelled_by_operator"))
        judged_ct = isinstance(self._channels.get("ct"), ChannelModel) and bool(battery.ct)
        grey = self.settings.greys.of(battery).find() if judged_ct else None
        gate = battery_checks(images, body_of(battery.ct), self.settings.gate, self._strange_limits)
        unasked = self._second.message if isinstance(self._second, InspectionError) else None
        lost = [*battery.lost, *([grey.problem] if grey and grey.problem else []), *gate]
        verdict, ensemble, runs, slices, views = judge_images(
            images,
            len(battery.ct),
            len(battery.rgb),
            self.settings.inspector,
            lost=lost,
            unasked=unasked,
        )
        bodies, volume = measure_defects(battery.ct, images, runs)
        unjudged = any(image.state == "failed" or image.gate for image in images)
        whole = not (lost or unasked or unjudged)
        limited, bodies = apply_limits(
            verdict, bodies, runs, images, class_table().rows, whole=whole
        )
        if limited.kind != verdict.kind:
            # Of a word that sizes have changed, the scores say no confidence.
            change = {"prediction": limited.kind, "defect_type": limited.defect_type}
            ensemble = ensemble.model_copy(update=change | {"confidence": None})
        verdict = limited
        self.settings.chooser.set_worst(battery.battery_id, slices, views)
        if none_opened(images):
            # Failed, and not a verdict of which nothing more is to come: it is tried again.
            return LaneResult(
                self.name,
                "failed",
                Message(code="images_none_opened", params={"count": len(images)}),
                seconds=time.monotonic() - started,
                verdict=verdict,
                images=tuple(images),
            )
        if self.settings.evidence_dir is not None:
            kept = keep_evidence(
                self.settings.evidence_dir,
                battery.battery_id,
                {image_name(p.image, self.settings.lot_root): p for p in predictions},
                {*slices, *views},
                self._drawing,
            )
            images = [i.model_copy(update={"evidence": kept.get(i.image, {})}) for i in images]
            worst = next((i for i in images if slices and i.image == slices[0]), None)
            if worst is not None:
                shown = {
                    "gradcam_heatmap": worst.evidence.get("heatmap"),
                    "gradcam_bbox": worst.pred_boxes,
                }
                ensemble = ensemble.model_copy(update=shown)
        return LaneResult(
            system=self.name,
            state="done",
            seconds=time.monotonic() - started,
            memory_steps=tuple(
                step
                for channel in (*self._channels.values(), self._second)
                if isinstance(channel, ChannelModel)
                for step in channel.memory_steps
            ),
            verdict=verdict,
            ensemble=ensemble,
            images=tuple(images),
            runs=tuple(runs),
            worst_slices=tuple(slices),
            worst_views=tuple(views),
            grey=grey,
            defects=tuple(bodies),
            volume=volume,
            gate=tuple(gate),
        )

    def _predict(
        self, battery: Battery, cancel: threading.Event
    ) -> Iterator[Prediction | FailedPrediction]:
        following = self._wanted(self._following, ("ct", "rgb")) if self._following else []
        after_ct = [*self._wanted(battery, ("rgb",)), *following]
        order: list[tuple[Modality, Sequence[ImageRef], list[Wanted]]] = [
            ("ct", battery.ct, after_ct),
            ("rgb", battery.rgb, following),
        ]
        for modality, refs, then in order:
            channel = self._channels.get(modality)
            if isinstance(channel, ChannelModel):
                grey = self.settings.greys.of(battery) if modality == "ct" else None
                look = self._look_twice if modality == "ct" else channel.predict
                for outcome in look(refs, cancel, then, grey):
                    if cancel.is_set():
                        return
                    yield outcome
            elif channel is not None:
                yield from (FailedPrediction(ref, channel) for ref in refs)

    def _look_twice(
        self,
        refs: Sequence[ImageRef],
        cancel: threading.Event,
        then: Sequence[Wanted],
        grey: StackWindow | None,
    ) -> Iterator[Prediction | FailedPrediction]:
        """Judge slices; where an autoencoder looks at them too, with its scores.

        It is a part of the stack ahead, so that a slice has all its scores as soon as it is told,
        and no more than a part's scores are held.
        """
        first, second = self._channels["ct"], self._second
        assert isinstance(first, ChannelModel)
        if not isinstance(second, ChannelModel):
            yield from first.predict(refs, cancel, then, grey)
            return
        for start in range(0, len(refs), AHEAD):
            part, rest = refs[start : start + AHEAD], refs[start + AHEAD : start + 2 * AHEAD]
            strange = {
                outcome.image.source: outcome
                for outcome in second.predict(part, cancel, second.wanted(rest, grey), grey)
                if isinstance(outcome, Prediction)
            }
            following = [*first.wanted(rest, grey), *then]
            for outcome in first.predict(part, cancel, following, grey):
                beside = strange.get(outcome.image.source)
                if beside is not None and isinstance(outcome, Prediction):
                    yield replace(
                        outcome,
                        ct_ae_score=beside.pred_score,
                        ct_ae_threshold=beside.threshold,
                        seconds=outcome.seconds + beside.seconds,
                    )
                else:
                    yield outcome

    def _wanted(self, battery: Battery, modalities: Sequence[Modality]) -> list[Wanted]:
        """Return what will be decoded of a battery first; more than `AHEAD` never is."""
        images = {"ct": battery.ct, "rgb": battery.rgb}
        wanted: list[Wanted] = []
        for modality in modalities:
            channel = self._channels.get(modality)
            if isinstance(channel, ChannelModel):
                grey = self.settings.greys.of(battery) if modality == "ct" else None
                wanted += channel.wanted(images[modality][:AHEAD], grey)
        return wanted


def image_result(outcome: Prediction | FailedPrediction, lot_root: Path) -> ImageResult:
    """Return what is kept of an image; of one that the gate stopped, nothing that was judged."""
    ref = outcome.image
    which: dict[str, Any] = {
        "image": image_name(ref, lot_root),
        "modality": ref.modality,
        "axis": ref.axis,
        "number": ref.number,
    }
    if isinstance(outcome, FailedPrediction):
        return ImageResult(**which, state="failed", error=outcome.error.message)
    roi, gate = outcome.roi, outcome.gate
    which |= {
        "state": "done",
        "width": outcome.source_size[0],
        "height": outcome.source_size[1],
        "roi": Box(x=roi.x, y=roi.y, w=roi.w, h=roi.h),
        "seconds": outcome.seconds,
    }
    if gate is not None:
        which |= {
            "gate": list(gate.failed),
            "unlike": gate.unlike,
            "brightness": gate.brightness,
            "digest": gate.digest,
        }
        if gate.failed:
            # A score of what cannot be judged is no score: it is left out, not marked.
            return ImageResult(**which)
    return ImageResult(
        **which,
        pred_label=outcome.pred_label,
        probabilities=outcome.probabilities,
        pred_score=outcome.pred_score,
        threshold=outcome.threshold,
        is_anomaly=outcome.is_anomaly,
        ct_ae_score=outcome.ct_ae_score,
        ct_ae_threshold=outcome.ct_ae_threshold,
        # Below the threshold a region is noise that happens to be the loudest.
        pred_boxes=list(outcome.pred_boxes) if outcome.is_anomaly else [],
        peak=outcome.peak,
    )


def _provenance(bundle: Bundle, device: str, backends: Sequence[str]) -> ModelProvenance:
    manifest = bundle.manifest
    libraries = ["torch"]
    if any(name.startswith("OpenVINO") for name in backends):
        libraries.append("openvino")
    return ModelProvenance(
        slot=manifest.slot,
        name=manifest.name,
        sha256=bundle.sha256,
        thresholds={manifest.slot: bundle.threshold.threshold} if bundle.threshold else {},
        trained_at=manifest.created_at,
        demo=manifest.demo,
        device=f"{device}: {', '.join(dict.fromkeys(backends))}",
        versions={name: version(name) for name in libraries},
        gate=bundle.gate is not None if manifest.slot in STATION_SLOTS.values() else None,
    )

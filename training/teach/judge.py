"""What a model says of good and of defective batteries, as the station would compute it."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from sklearn.metrics import roc_auc_score

from inspection.atomic import write_atomic
from inspection.config import Aggregation
from inspection.errors import ConfigError
from inspection.images.decode_ahead import DecodeAhead
from inspection.images.grey import GreyLevels
from inspection.images.heatmaps import overlay
from inspection.images.preprocess import load_image
from inspection.images.stack_grey import GreyPolicy, StackWindow, StackWindows
from inspection.modelstore.bundle import Bundle
from inspection.modelstore.teaching import NearMiss
from inspection.predictions import FailedPrediction, Prediction
from inspection.records import Battery, ImageRef, Lot, image_name
from inspection.results import ImageResult
from inspection.systems.ensemble.channel import ChannelModel
from inspection.systems.ensemble.detectors import Predictor, load_predictor
from inspection.systems.ensemble.stacks import segments
from training.autoencoder.anomalies import add_anomaly
from training.autoencoder.config import AnomalyConfig
from training.autoencoder.views import to_input
from training.data.transforms import letterbox

MISSES = 10
MISSES_FOLDER = "misses"
PICTURE_SIDE = 480
PAINTED = 32
"""Images that defects are painted on: enough to tell detectors apart."""
BATCH = 16

OnImage = Callable[[int, int], None]


@dataclass(slots=True)
class Scores:
    """Scores of some images.

    Parameters
    ----------
    images : score by battery and name of the image
    batteries : by battery, the threshold under which it is called defective
    nearest : predictions with the highest scores, the highest first
    """

    images: dict[tuple[str, str], float] = field(default_factory=dict)
    batteries: dict[str, float] = field(default_factory=dict)
    nearest: list[Prediction] = field(default_factory=list)


class TaughtJudge:
    """A model that judges images of a lot.

    Parameters
    ----------
    bundle : the model
    lot : of the images
    batteries : of that lot, by id
    rules : how images make a battery
    device : ``cpu`` or ``cuda``
    """

    def __init__(
        self,
        bundle: Bundle,
        lot: Lot,
        batteries: Mapping[str, Battery],
        rules: Aggregation,
        device: str,
    ) -> None:
        self._predictor: Predictor = load_predictor(bundle, device)
        if self._predictor.threshold is None:
            raise ConfigError("teach_slot_classes", slot=bundle.manifest.slot)
        self._threshold = self._predictor.threshold
        self._lot, self._batteries, self._rules = lot, batteries, rules
        trained = bundle.manifest.grey_levels
        levels = GreyLevels(trained.air, trained.body) if trained else None
        self._greys = StackWindows(GreyPolicy("auto", levels))

    def score(self, images: Mapping[str, Sequence[ImageRef]], on_image: OnImage) -> Scores:
        """Judge images by battery; those that cannot be judged are not in the scores."""
        scores = Scores()
        ranked: list[tuple[float, str, Prediction]] = []
        decoding = DecodeAhead()
        channel = ChannelModel(self._predictor, decoding)
        done, total = 0, sum(map(len, images.values()))
        try:
            for name, refs in images.items():
                rows = []
                grey = self._window(name)
                for outcome in channel.predict(refs, threading.Event(), grey=grey):
                    done += 1
                    on_image(done, total)
                    if isinstance(outcome, FailedPrediction):
                        continue
                    image = image_name(outcome.image, self._lot.root)
                    scores.images[name, image] = outcome.pred_score
                    rows.append(outcome)
                    heapq.heappush(ranked, (outcome.pred_score, image, outcome))
                    if len(ranked) > MISSES:
                        heapq.heappop(ranked)
                if rows:
                    scores.batteries[name] = self._of_battery(rows)
        finally:
            decoding.close()
        scores.nearest = [one for _, _, one in sorted(ranked, reverse=True)]
        return scores

    def painted_auroc(
        self, images: Mapping[str, Sequence[ImageRef]], seed: int, on_image: OnImage
    ) -> float:
        """Return how well the score tells images with a painted defect from those without.

        The same defects are painted whatever the model, but for the size of its input.
        """
        refs = [(name, ref) for name, part in images.items() for ref in part]
        refs = refs[:: -(-len(refs) // PAINTED)]
        spec = self._predictor.preprocess
        size = spec.width, spec.height
        pictures = []
        for name, ref in refs:
            window = self._window(name)
            found = window.window if window is not None else None
            image = load_image(ref.source, modality=ref.modality, fit=size, window=found)
            pixels, _ = letterbox(image, spec)
            wide = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
            pictures.append(np.ascontiguousarray(wide))
        config = AnomalyConfig()
        clean, painted = [], []
        for place, picture in enumerate(pictures):
            rng = np.random.default_rng([seed, place])
            foreign = pictures[(place + 1) % len(pictures)]
            marked, mask = add_anomaly(picture, foreign, rng, config)
            # Where nothing could be seen nothing need be found.
            if mask.any():
                clean.append(picture)
                painted.append(marked)
        if not painted:
            return 0.5
        both = [*clean, *painted]
        values: list[float] = []
        for start in range(0, len(both), BATCH):
            part = both[start : start + BATCH]
            if spec.channels == 1:
                part = [np.ascontiguousarray(picture[:, :, 0]) for picture in part]
            judged = self._predictor.judge(to_input(part, spec).numpy())
            values += [found.pred_score for found in judged]
            on_image(len(values), len(both))
        labels = np.repeat([0, 1], [len(clean), len(painted)])
        return float(roc_auc_score(labels, values))

    def write_misses(self, folder: Path, nearest: Sequence[Prediction]) -> tuple[NearMiss, ...]:
        """Write the pictures and maps of some images; returns what there is."""
        rows = []
        (folder / MISSES_FOLDER).mkdir(exist_ok=True)
        for number, found in enumerate(nearest, start=1):
            ref = found.image
            window = self._window(ref.battery_id)
            loaded = load_image(
                ref.source,
                modality=ref.modality,
                fit=(PICTURE_SIDE, PICTURE_SIDE),
                window=window.window if window is not None else None,
            )
            height, width = loaded.pixels.shape[:2]
            factor = min(1.0, PICTURE_SIDE / max(height, width))
            size = max(1, round(width * factor)), max(1, round(height * factor))
            small = cv2.resize(loaded.pixels, size, interpolation=cv2.INTER_AREA)
            picture = np.asarray(small, np.uint8)
            names = [f"{MISSES_FOLDER}/{number:02d}{end}.png" for end in ("", "-map")]
            shown = (picture, overlay(picture, found.anomaly_map))
            for name, pixels in zip(names, shown, strict=True):
                stored = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
                write_atomic(folder / name, cv2.imencode(".png", stored)[1].tobytes())
            rows.append(
                NearMiss(
                    image=image_name(ref, self._lot.root),
                    battery=ref.battery_id,
                    score=found.pred_score,
                    picture=names[0],
                    map=names[1],
                )
            )
        return tuple(rows)

    def _window(self, battery: str) -> StackWindow | None:
        """Return the window of a battery's slices; the whole stack gives it."""
        if self._predictor.preprocess.modality == "rgb":
            return None
        return self._greys.of(self._batteries[battery])

    def _of_battery(self, rows: Sequence[Prediction]) -> float:
        scores = sorted((row.pred_score for row in rows), reverse=True)
        if self._predictor.preprocess.modality == "rgb":
            top = scores[: self._rules.top_k_views]
            return sum(top) / len(top)
        # Of slices a run of neighbours counts: the highest level that so many all reach.
        least = self._rules.min_run
        slices = [
            ImageResult(
                image=row.image.file_name,
                modality="ct",
                axis=row.image.axis,
                number=row.image.number,
                state="done",
                pred_score=row.pred_score,
                threshold=self._threshold,
            )
            for row in rows
        ]
        levels = [
            min(float(image.pred_score or 0.0) for image in stretch[first : first + least])
            for stretch in segments(slices)
            for first in range(len(stretch) - least + 1)
        ]
        return max(levels, default=0.0)

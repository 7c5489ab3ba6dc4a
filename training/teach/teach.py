"""Teach a model on good batteries of a lot, and say how it does beside the one in use."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from inspection.atomic import write_atomic
from inspection.config import Aggregation, find_policy, load_gate, load_inspector
from inspection.errors import ConfigError
from inspection.gate.references import GATE_FILE, GateReferences
from inspection.images.grey import GreyLevels
from inspection.modelstore.bundle import WEIGHTS_NAME, Bundle, load_bundle
from inspection.modelstore.bundle_writing import rewrite_bundle
from inspection.modelstore.seen import also_seen, seen_by
from inspection.modelstore.teaching import (
    RESULT_NAME,
    GateFigure,
    PresentModel,
    ScoredBattery,
    ScoredView,
    TeachRequest,
    TeachResult,
    Trial,
)
from inspection.records import ImageRef, ImageSource, Modality
from inspection.systems.ensemble.detectors import load_predictor
from inspection.systems.lane import resolve_device
from training.autoencoder.calibrate import put_threshold
from training.evaluation.evaluate import Data
from training.gate.fit import FEWEST_IMAGES, fit_gate
from training.gate.look import MOST, false_alarms, look_at, out_of_place
from training.teach.detectors import train_detector
from training.teach.figures import RULES, proposals, threshold_of
from training.teach.images import Chosen, choose
from training.teach.judge import MISSES_FOLDER, Scores, TaughtJudge
from training.teach.telling import Teller

WORTH_MEASURING = 500
TAUGHT = "taught"
"""Key of a manifest's training under which the batteries are that the model knows."""


def teach(request: TeachRequest, folder: Path, teller: Teller) -> TeachResult:
    """Do what a request asks for; the result is written last, and without it there is no model.

    Parameters
    ----------
    request : what to teach
    folder : of the teaching; the model's folder and the result are made in it
    teller : is told where it is

    Raises
    ------
    InspectionError
        If lot, batteries or the model in use cannot be used.
    OSError
        If the disk refuses.
    KeyboardInterrupt
        If it was asked to stop.
    """
    started = time.monotonic()
    if request.slot == "ct_cnn" and request.task == "detector":
        raise ConfigError("teach_slot_classes", slot=request.slot)
    modality: Modality = "rgb" if request.slot == "rgb_ae" else "ct"
    present = None if request.present is None else load_bundle(Path(request.present), request.slot)
    if present is None and request.task == "gate":
        raise ConfigError("teach_gate_of_nothing", slot=request.slot)
    teller.tell("reading")
    known = None if present is None else seen_by(present)
    chosen = choose(request, modality, partial(teller.tell, "reading"), known)
    work = _Teaching(request, chosen, folder, resolve_device(request.device), teller)
    try:
        if request.task == "gate" and present is not None:
            result = work.gate_of(present)
        else:
            result = work.detector(present)
        result = result.model_copy(update={"seconds": time.monotonic() - started})
        write_atomic(folder / RESULT_NAME, result.model_dump_json(indent=1) + "\n")
    except BaseException:
        forget(folder, request)
        raise
    return result


def forget(folder: Path, request: TeachRequest) -> None:
    """Remove what a teaching that has not come to its end has made."""
    made = [request.slot, MISSES_FOLDER, *(f"run-{name}" for name in request.detectors)]
    for name in made:
        shutil.rmtree(folder / name, ignore_errors=True)


class _Teaching:
    """One teaching: its images, where it writes, whom it tells."""

    def __init__(
        self, request: TeachRequest, chosen: Chosen, folder: Path, device: str, teller: Teller
    ) -> None:
        self._request, self._chosen, self._folder = request, chosen, folder
        self._device, self._teller = device, teller
        self._place = folder / request.slot

    def detector(self, present: Bundle | None) -> TeachResult:
        """Train the detectors, keep the best, and judge it and the model in use."""
        request, chosen, teller = self._request, self._chosen, self._teller
        rules = self._rules()
        trials: list[tuple[Trial, Bundle, TaughtJudge]] = []
        for name in dict.fromkeys(request.detectors):
            began = time.monotonic()
            bundle = train_detector(name, request, chosen, self._folder / f"run-{name}", teller)
            took = time.monotonic() - began
            judge = self._judge(bundle, rules)
            trial = Trial(detector=name, painted_auroc=self._painted(judge), seconds=took)
            trials.append((trial, bundle, judge))
        trials.sort(key=lambda trial: trial[0].painted_auroc, reverse=True)
        _, bundle, judge = trials[0]
        good, bad = self._score(judge)
        source = f"held-out good batteries of {chosen.lot.root.name}"
        limits = [score for (name, _), score in good.images.items() if name in chosen.threshold]
        if not limits:
            raise ConfigError("teach_nothing_judged")
        threshold = threshold_of(RULES[0], limits, source)
        gate, figures = self._gate(bundle)
        shutil.rmtree(self._place, ignore_errors=True)
        shutil.copytree(bundle.folder, self._place)
        written = put_threshold(load_bundle(self._place), threshold, self._sources())
        written = self._finished(written, gate)
        beside, known = None, (Scores(), Scores())
        if present is not None and present.threshold is not None:
            other = self._judge(present, rules)
            known = self._score(other)
            beside = PresentModel(
                name=present.manifest.name,
                sha256=present.sha256,
                demo=present.manifest.demo,
                threshold=present.threshold.threshold,
                painted_auroc=self._painted(other),
                known=self._known_to(present),
            )
        views = tuple(
            ScoredView(
                image=image, battery=name, score=s, present=known[0].images.get((name, image))
            )
            for (name, image), s in good.images.items()
        )
        batteries, defects = (
            tuple(
                ScoredBattery(battery=name, score=score, present=other.batteries.get(name))
                for name, score in mine.batteries.items()
            )
            for mine, other in zip((good, bad), known, strict=True)
        )
        return TeachResult(
            request=request,
            model=request.slot,
            name=written.manifest.name,
            sha256=written.sha256,
            threshold=threshold.threshold,
            proposals=proposals(views, batteries, chosen.judged.keys()),
            used=chosen.used,
            left_out=chosen.left_out,
            held_out=views,
            batteries=batteries,
            defects=defects,
            trials=tuple(trial for trial, *_ in trials),
            present=beside,
            misses=judge.write_misses(self._folder, good.nearest),
            gate=figures,
            seconds=0.0,
        )

    def gate_of(self, present: Bundle) -> TeachResult:
        """Fit the gate of the model in use anew, in a copy of it."""
        gate, figures = self._gate(present, spoilt=True)
        if gate is None:
            raise ConfigError("gate_few_images", least=FEWEST_IMAGES)
        shutil.rmtree(self._place, ignore_errors=True)
        shutil.copytree(present.folder, self._place)
        copy = load_bundle(self._place)
        files = {GATE_FILE: gate.to_bytes(), **also_seen(copy, self._sources())}
        written = rewrite_bundle(copy, files, gate_file=GATE_FILE)
        return TeachResult(
            request=self._request,
            model=self._request.slot,
            name=written.manifest.name,
            sha256=written.sha256,
            used=self._chosen.used,
            left_out=self._chosen.left_out,
            gate=figures,
            seconds=0.0,
        )

    def _sources(self) -> list[ImageSource]:
        """Return the images that the model has learned from, or has its limits from."""
        parts = (self._chosen.taught, self._chosen.threshold)
        return [ref.source for part in parts for refs in part.values() for ref in refs]

    def _rules(self) -> Aggregation:
        if self._request.present is None:
            return load_inspector().aggregation
        return find_policy(Path(self._request.present).parent).inspector.aggregation

    def _judge(self, bundle: Bundle, rules: Aggregation) -> TaughtJudge:
        chosen = self._chosen
        return TaughtJudge(bundle, chosen.lot, chosen.batteries, rules, self._device)

    def _score(self, judge: TaughtJudge) -> tuple[Scores, Scores]:
        """Return the scores of held-out good batteries and of decided defects."""
        chosen, tell = self._chosen, partial(self._teller.tell, "judging")
        return judge.score(chosen.held_out, tell), judge.score(chosen.defective, tell)

    def _painted(self, judge: TaughtJudge) -> float:
        tell = partial(self._teller.tell, "painting")
        return judge.painted_auroc(self._chosen.held_out, self._request.seed, tell)

    def _known_to(self, present: Bundle) -> tuple[str, ...]:
        taught: Any = present.manifest.training.get(TAUGHT)
        if not isinstance(taught, dict) or taught.get("lot") != self._chosen.lot.root.name:
            return ()
        return tuple(name for name in self._chosen.held_out if name in taught.get("batteries", ()))

    def _finished(self, bundle: Bundle, gate: GateReferences | None) -> Bundle:
        """Write the gate, and what the model was taught on."""
        chosen = self._chosen
        origin = {
            **bundle.manifest.training,
            TAUGHT: {
                "lot": chosen.lot.root.name,
                "batteries": sorted(chosen.taught),
                "threshold": sorted(chosen.threshold),
            },
        }
        files = {} if gate is None else {GATE_FILE: gate.to_bytes()}
        changes = {} if gate is None else {"gate_file": GATE_FILE}
        return rewrite_bundle(bundle, files, training=origin, **changes)

    def _gate(
        self, bundle: Bundle, *, spoilt: bool = False
    ) -> tuple[GateReferences | None, tuple[GateFigure, ...]]:
        """Fit a gate on what is learned from, with limits of what is held out.

        None where there are too few images, or the model gives nothing to compare.

        Parameters
        ----------
        spoilt : try it on spoilt pictures too, each of which the model has to judge
        """
        chosen, teller = self._chosen, self._teller
        teller.tell("gate")
        predictor = load_predictor(bundle, self._device)
        levels = bundle.manifest.grey_levels
        reference = GreyLevels(levels.air, levels.body) if levels else None
        taught, others = (
            [r for p in part.values() for r in p] for part in (chosen.taught, chosen.threshold)
        )
        if min(len(taught), len(others)) < FEWEST_IMAGES:
            return None, ()
        spec = predictor.preprocess
        trial = np.zeros((1, spec.channels, spec.height, spec.width), np.float32)
        if not predictor.judge(trial)[0].features:
            return None, ()
        blurred = load_gate().blurred.limit
        with tempfile.TemporaryDirectory() as cache:
            # To find out what is fastest takes as long as a few hundred images.
            if len(taught) + len(others) > WORTH_MEASURING:
                predictor.accelerate(Path(cache))
            seen, _ = look_at(predictor, _data(chosen, taught), reference, MOST)
            held_out, some = look_at(predictor, _data(chosen, others), reference)
            if min(len(seen), len(held_out)) < FEWEST_IMAGES:
                return None, ()
            weights, name = bundle.manifest.files[WEIGHTS_NAME], chosen.lot.root.name
            fitted = fit_gate(seen, held_out, weights, name, name)
            found = false_alarms(seen, held_out, blurred)
            if spoilt:
                found += out_of_place(predictor, fitted, some, blurred)
        figures = (GateFigure(name=f.name, caught=f.caught, tried=f.tried) for f in found)
        return fitted, tuple(figures)


def _data(chosen: Chosen, refs: Sequence[ImageRef]) -> Data:
    wanted = {ref.source for ref in refs}
    return Data((chosen.lot.root,), lambda ref: ref.source in wanted)

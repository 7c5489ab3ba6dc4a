"""One system's part of a run: its lane, loaded and kept, and what it says of each battery."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from inspection.predictions import (
    FailedPrediction,
    LaneEvent,
    LaneResult,
    PartialAnswer,
    Prediction,
)
from inspection.records import Battery
from inspection.results import JudgedBy, ModelProvenance, SystemName
from inspection.run.events import (
    Answering,
    BatteryStarted,
    ImagesDone,
    ImagesLeftOut,
    LaneLoading,
    LaneReady,
    LaneUnavailable,
    Tell,
)
from inspection.run.lot_access import Watch, can_be_opened, unreached_images
from inspection.run.run import Run
from inspection.systems.lane import (
    Lane,
    LaneSettings,
    inspect_safely,
    load_failure,
    resolve_device,
)
from inspection.volumes.stopping import ReadingStopped, until

log = logging.getLogger(__name__)

BuildLane = Callable[[SystemName, LaneSettings], Lane]

EVENT_SECONDS = 0.1
"""Images and words are told in groups, so that a fast GPU does not flood a window."""
EVIDENCE_FAILED = "session_evidence_failed"
"""What a battery says whose pictures the disk has refused."""
LOOKS = 3
"""At a battery whose images come and go, before what was seen of it counts."""


class LaneWorker:
    """Owns the lane of one system; every call is made in the one thread of that system.

    The lane stays loaded from run to run, until other models are wanted or `close` is called.

    Parameters
    ----------
    build : makes the lane; called in the system's thread
    """

    def __init__(self, system: SystemName, build: BuildLane) -> None:
        self._system: SystemName = system
        self._build = build
        self._lane: Lane | None = None
        self._models: tuple[ModelProvenance, ...] = ()
        self._device = ""

    def work(self, run: Run) -> None:
        """Inspect every battery of a run that the system has not spoken on."""
        try:
            batteries = run.plan.left_for(self._system)
            if batteries and not run.cancel.is_set():
                lane = self._loaded(run)
                if lane is not None:
                    run.tell(LaneReady(self._system, self._models, self._device))
                    self._inspect(run, lane, batteries)
        finally:
            if self._system == "ensemble":
                # However it ended, nobody need wait for it any more.
                run.plan.settings.chooser.stop_waiting()
                run.order.let_others_load()
            run.end_lane(self._system, loaded=self._lane is not None)

    def close(self) -> None:
        """Let go of the models."""
        lane, self._lane = self._lane, None
        if lane is None:
            return
        try:
            lane.close()
        except Exception:
            # A library may fail in any way as it lets go. Its models are out of reach either way,
            # and a run must still be able to start.
            log.exception("%s could not be closed", self._system)

    def _loaded(self, run: Run) -> Lane | None:
        """Return the lane with its models loaded; None where they cannot be, which is told."""
        settings = run.plan.settings
        if self._lane is not None and self._lane.settings.same_models(settings):
            self._lane.settings = settings
            if self._system == "ensemble":
                run.order.let_others_load()
            return self._lane
        self.close()
        run.tell(LaneLoading(self._system))
        try:
            # To build it imports the image libraries, which may be broken as well as a model.
            self._lane = self._build(self._system, settings)
            models = run.order.load(self._lane, run.cancel)
            self._device = resolve_device(settings.device)
        except Exception as error:  # noqa: BLE001 - every battery is told; `load_failure` logs it
            self.close()
            state, message = load_failure(self._system, error)
            run.tell(LaneUnavailable(self._system, state, message))
            for battery in run.plan.left_for(self._system):
                run.add(battery, LaneResult(self._system, state, message))
            return None
        if models is None:
            # Cancelled before its turn: there is nothing that it could let go of.
            self._lane = None
            return None
        self._models = tuple(models)
        return self._lane

    def _inspect(self, run: Run, lane: Lane, batteries: tuple[Battery, ...]) -> None:
        sound = True
        for battery, following in zip(batteries, [*batteries[1:], None], strict=True):
            run.wait_while_paused()
            if run.cancel.is_set():
                break
            run.tell(BatteryStarted(self._system, battery.battery_id))
            result = self._look(run, lane, battery, following)
            if result is None:
                break
            if result.message is not None and result.message.code == EVIDENCE_FAILED:
                # Every other battery would be judged for nothing; this one is judged again.
                run.stop(result.message)
                break
            if result.state == "done":
                digests = {model.slot: model.sha256 for model in self._models}
                result = replace(result, judged_by=JudgedBy(models=digests, policy=run.plan.policy))
            run.add(battery, result)
            # Images that cannot be opened are no fault of the model.
            sound = sound and (result.state != "failed" or bool(result.images))
        if not sound:
            # What broke may be the model's or the driver's state: the next run begins afresh.
            self.close()

    def _look(
        self, run: Run, lane: Lane, battery: Battery, following: Battery | None
    ) -> LaneResult | None:
        """Return a lane's word on a battery whose images were there; None where the lot stays away.

        A word on what was left of a battery while its share went away is no word: it is dropped.
        """
        looks, root = 0, run.plan.settings.lot_root
        while True:
            # A battery without images needs no lot.
            if (battery.ct or battery.rgb) and run.access.is_away() and not run.wait_for_lot():
                return None
            run.take_up(battery)
            watch = Watch(run.cancel, run.access)
            events = _GroupedEvents(run.tell, self._system, battery.battery_id, watch)
            # The window imports this before it is painted: numpy comes later.
            from inspection.images.body_planes import with_body

            try:
                with until(run.cancel.is_set):
                    then = with_body(following) if following is not None else None
                    seen = with_body(battery)
            except ReadingStopped:
                return None
            left_out = len(battery.ct) - len(seen.ct)
            if left_out and not looks:
                run.tell(ImagesLeftOut(self._system, battery.battery_id, left_out))
            result = inspect_safely(lane, seen, watch, events.take, then)
            events.tell_held()
            unreached = unreached_images(battery, result, root)
            suspect = bool(unreached) or (
                result.state == "failed" and bool(battery.ct or battery.rgb)
            )
            away = watch.away or (suspect and run.access.is_away())
            looks += not away
            if not away and (looks >= LOOKS or not can_be_opened(unreached)):
                return result
            if run.cancel.is_set():
                return None
            run.plan.settings.greys.forget(battery)


class _GroupedEvents:
    """Passes a lane's events on, at a pace that a window can show.

    Of what a VLM writes only the latest counts: each part holds all that came before.
    """

    def __init__(self, tell: Tell, system: SystemName, battery_id: str, watch: Watch) -> None:
        self._tell = tell
        self._watch = watch
        self._system: SystemName = system
        self._battery_id = battery_id
        self._images = 0
        self._partial: PartialAnswer | None = None
        self._told_at = time.monotonic()

    def take(self, event: LaneEvent) -> None:
        self._watch.look(event)
        if isinstance(event, PartialAnswer):
            self._partial = event
        elif isinstance(event, Prediction | FailedPrediction):
            self._images += 1
        else:
            self.tell_held()
            self._tell(Answering(self._system, self._battery_id, event))
        if time.monotonic() - self._told_at >= EVENT_SECONDS:
            self.tell_held()

    def tell_held(self) -> None:
        if self._images:
            self._tell(ImagesDone(self._system, self._battery_id, self._images))
        if self._partial is not None:
            self._tell(Answering(self._system, self._battery_id, self._partial))
        self._images, self._partial = 0, None
        self._told_at = time.monotonic()

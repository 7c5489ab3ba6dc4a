"""What three systems say of one battery, kept small, and as one result. Pure."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from inspection.messages import Message
from inspection.predictions import LaneResult
from inspection.records import Battery
from inspection.results import (
    SYSTEMS,
    BatteryResult,
    BatteryState,
    ChosenImages,
    ImagePrint,
    JudgedBy,
    SystemName,
    SystemState,
    Verdict,
)
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import none_opened

UNFINISHED: frozenset[SystemState] = frozenset({"queued", "running"})


def assemble(
    battery: Battery,
    outcomes: Mapping[SystemName, LaneResult],
    prints: Sequence[ImagePrint] = (),
) -> BatteryResult:
    """Return the battery's result as far as the systems have spoken.

    The verdict is the ensemble's. Where the ensemble did not judge, the battery is
    ``not_inspected``: neither silence nor a failure of a system ever reads as ``normal``.

    Parameters
    ----------
    battery : the battery
    outcomes : what each system said; a system that is absent is still queued
    prints : of its files, as they were when it was taken up
    """
    # In one order: which system spoke first must not show in the file.
    lanes: dict[SystemName, LaneResult] = {
        name: outcomes[name] if name in outcomes else LaneResult(name, "queued") for name in SYSTEMS
    }
    systems = {name: lane.state for name, lane in lanes.items()}
    ensemble = lanes["ensemble"]
    verdict = ensemble.verdict
    if verdict is None:
        reason = ensemble.message or Message(code="not_judged_yet")
        verdict = Verdict(kind="not_inspected", reasons=[reason])
    return BatteryResult(
        battery_id=battery.battery_id,
        ct_id=battery.ct_id,
        rgb_id=battery.rgb_id,
        state=_battery_state(systems),
        systems=systems,
        system_messages={n: lane.message for n, lane in lanes.items() if lane.message is not None},
        verdict=verdict,
        ensemble=ensemble.ensemble,
        vlm=lanes["vlm"].vlm,
        vlg=lanes["vlg"].vlg,
        chosen={n: lane.chosen for n, lane in lanes.items() if lane.chosen},
        memory_steps={n: list(lane.memory_steps) for n, lane in lanes.items() if lane.memory_steps},
        system_seconds={n: lane.seconds for n, lane in lanes.items() if lane.state == "done"},
        images=list(ensemble.images),
        runs=list(ensemble.runs),
        worst_slices=list(ensemble.worst_slices),
        worst_views=list(ensemble.worst_views),
        grey=next((lane.grey for lane in lanes.values() if lane.grey is not None), None),
        defects=list(ensemble.defects),
        volume=ensemble.volume,
        gate=list(ensemble.gate),
        seconds=max(lane.seconds for lane in lanes.values()),
        judged_by={n: lane.judged_by for n, lane in lanes.items() if lane.judged_by},
        prints=list(prints),
    )


def _battery_state(systems: Mapping[SystemName, SystemState]) -> BatteryState:
    states = set(systems.values())
    if states & UNFINISHED:
        return "running" if states - {"queued"} else "queued"
    if "cancelled" in states:
        return "cancelled"
    if systems["ensemble"] not in ("done", "off"):
        # Without the ensemble there is no verdict, so a retry must find this battery.
        return "failed"
    return "failed" if "failed" in states else "done"


class LaneResults(Mapping[SystemName, LaneResult]):
    """What the systems have said of one battery; unpacked each time one is asked for.

    A battery's 1,700 image results are some 7 MB of objects, and a fast ensemble is a whole lot
    ahead of a VLM: packed, they are a hundredth of that.

    Parameters
    ----------
    earlier : what was said already

    Attributes
    ----------
    silent : of an earlier run, why systems have said nothing; no word of theirs
    judged_by : what the systems that have spoken judged with
    """

    def __init__(self, earlier: LaneResults | None = None) -> None:
        self.silent: dict[SystemName, LaneResult] = {}
        self.judged_by: dict[SystemName, JudgedBy] = {}
        self._prints: bytes | None = None
        self._packed: dict[SystemName, bytes] = {}
        self._chosen: dict[SystemName, ChosenImages] = {}
        self._worst: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        if earlier is not None:
            self._packed.update(earlier._packed)
            self.judged_by.update(earlier.judged_by)
            self._prints = earlier._prints
            self._chosen.update(earlier._chosen)
            self._worst = earlier._worst

    @classmethod
    def of(cls, result: BatteryResult) -> LaneResults:
        """Return what was said in an earlier run, so that a later one need not ask again.

        Only a system that finished the battery counts; one that failed or was off, or could open
        none of its images, has said nothing.
        """
        said = cls()
        if result.prints:
            said.prints = result.prints
        for system in SYSTEMS:
            state = result.systems.get(system, "off")
            unseen = system == "ensemble" and none_opened(result.images)
            if state != "done" or unseen:
                message = result.system_messages.get(system)
                said.silent[system] = LaneResult(system, state, message)
                continue
            own: dict[str, Any] = {system: getattr(result, system)}
            if system == "ensemble":
                own["verdict"] = result.verdict
                own["volume"] = result.volume
                for name in ("images", "runs", "worst_slices", "worst_views", "defects", "gate"):
                    own[name] = tuple(getattr(result, name))
            said.add(
                LaneResult(
                    system,
                    "done",
                    seconds=result.system_seconds.get(system, 0.0),
                    chosen=result.chosen.get(system),
                    memory_steps=tuple(result.memory_steps.get(system, ())),
                    grey=result.grey,
                    judged_by=result.judged_by.get(system),
                    **own,
                )
            )
        return said

    def add(self, result: LaneResult) -> None:
        """Take what a system says, in place of what it said before."""
        self._packed[result.system] = zlib.compress(pickle.dumps(result), level=1)
        if result.judged_by is not None:
            self.judged_by[result.system] = result.judged_by
        if result.chosen is not None:
            self._chosen[result.system] = result.chosen
        if result.system == "ensemble" and result.state == "done":
            self._worst = result.worst_slices, result.worst_views

    def without(self, systems: Collection[SystemName]) -> LaneResults:
        """Return what the other systems have said."""
        kept = LaneResults(self)
        for system in systems:
            kept._packed.pop(system, None)
            kept.judged_by.pop(system, None)
            kept._chosen.pop(system, None)
        if "ensemble" in systems:
            kept._worst = None
        if not kept:
            # Nothing that is kept was said of those files.
            kept._prints = None
        return kept

    @property
    def prints(self) -> list[ImagePrint] | None:
        """The files as they were when the battery was taken up; None where it was not yet."""
        return None if self._prints is None else pickle.loads(zlib.decompress(self._prints))

    @prints.setter
    def prints(self, prints: list[ImagePrint]) -> None:
        self._prints = zlib.compress(pickle.dumps(prints), level=1)

    def choose_again(self, chooser: ImageChooser, battery_id: str) -> None:
        """Tell what was found and chosen earlier, so that new systems see the same images."""
        if self._worst is not None:
            chooser.set_worst(battery_id, *self._worst)
        for chosen in self._chosen.values():
            chooser.set_chosen(battery_id, chosen)

    def __getitem__(self, system: SystemName) -> LaneResult:
        # Packed by this very object: nothing from outside is ever unpickled.
        result = pickle.loads(zlib.decompress(self._packed[system]))
        assert isinstance(result, LaneResult)
        return result

    def __contains__(self, system: object) -> bool:
        return system in self._packed

    def __iter__(self) -> Iterator[SystemName]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)

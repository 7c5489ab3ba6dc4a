"""Which batteries are to be inspected by whom: what a session lacks, or one battery once more."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.folders import backend_cache
from inspection.config import policy_of
from inspection.errors import InspectionError
from inspection.records import Lot
from inspection.results import SessionRecord, SystemName, SystemState
from inspection.run.events import Said
from inspection.systems.memory import GpuBudget

if TYPE_CHECKING:
    from app.controller import Controller
    from inspection.run.lanes import LaneSettings


class Inspections:
    """Starts runs in the controller's open session; no system is asked twice in it."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._gpu = GpuBudget()

    def start_remaining(self) -> None:
        """Inspect what the session lacks."""
        self._controller.writer.recall(self._on_remaining)

    def start_again(self, battery_id: str) -> None:
        """Inspect a battery once more; the words of systems that are switched off by now stay."""
        self._controller.writer.recall(partial(self._on_again, battery_id))

    def _on_remaining(self, said: Said) -> None:
        controller, record = self._controller, self._controller.writer.record
        if controller.lot is None or record is None:
            return
        wanted = {name for name in controller.settings.systems if self._may_speak(name)}
        left = set(controller.writer.remaining(controller.lot))
        # A system that was switched on, or installed, since then fills in what it has not said.
        left |= {
            row.battery_id
            for row in record.batteries
            if wanted.difference(said.get(row.battery_id, ()))
        }
        self._start(left, {name: said[name] for name in left if name in said})

    def _may_speak(self, system: SystemName) -> bool:
        """Return False for a system that is not installed: it would fill in nothing."""
        models = self._controller.models
        return system == "ensemble" or (models.holding(system) / system).is_dir()

    def _on_again(self, battery_id: str, said: Said) -> None:
        before = {}
        if battery_id in said:
            before[battery_id] = said[battery_id].without(self._controller.settings.systems)
        self._start({battery_id}, before)

    def _start(self, battery_ids: set[str], before: Said) -> None:
        controller, writer = self._controller, self._controller.writer
        lot, folder, record = controller.lot, writer.folder, writer.record
        if lot is None or folder is None or record is None or writer.read_only:
            return
        if controller.runner.phase != "idle":
            return
        if not controller.settings.systems:
            controller.failed.emit(InspectionError("no_system_chosen"))
            return
        batteries = [b for b in lot.batteries if b.battery_id in battery_ids]
        if not batteries:
            controller.nothing_left.emit()
            return
        try:
            settings = self._lane_settings(lot, record, folder)
        except InspectionError as error:
            controller.failed.emit(error)
            return
        writer.mark("processing")
        for battery in batteries:
            said = before.get(battery.battery_id, ())
            done: dict[SystemName, SystemState] = dict.fromkeys(said, "done")
            row = controller.rows[battery.battery_id]
            controller.set_row(replace(row, state="queued", systems=done))
        controller.runner.start(batteries, controller.settings.systems, settings, before)

    def _lane_settings(self, lot: Lot, record: SessionRecord, folder: Path) -> LaneSettings:
        """Return what the lanes need to know; a session goes on as it was begun.

        Raises
        ------
        ConfigError
            If the session was begun under a policy that this program does not know.
        """
        from inspection.run.lanes import LaneSettings
        from inspection.systems.image_choice import ImageChooser, sample_of

        controller = self._controller
        inspector = policy_of(record.config, controller.policy).inspector
        return LaneSettings(
            models=controller.models,
            lot_root=lot.root,
            inspector=inspector,
            chooser=ImageChooser(
                inspector.sampling,
                lot.root,
                with_ensemble="ensemble" in controller.settings.systems,
                seed=sample_of(record.config),
            ),
            device=controller.settings.device,
            evidence_dir=folder / "evidence",
            language=record.language,
            gpu=self._gpu,
            cache_dir=backend_cache(),
        )

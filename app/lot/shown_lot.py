"""The lot on screen: a row a battery, the current one, and the results at hand."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.lot.review import BatteryView, Row, battery_of, battery_view
from app.lot.session_writer import SessionWriter
from inspection.config import GreySetting
from inspection.records import Lot, image_name
from inspection.results import SYSTEMS, AnyImage, BatteryResult
from inspection.session.record import SessionRecord

if TYPE_CHECKING:
    from inspection.images.display import StackDisplay
    from inspection.images.stack_grey import GreyPolicy
    from inspection.modelstore.folders import ModelFolders

# One of 1,700 images is some 7 MB; the operator goes back and forth between a few.
KEPT_RESULTS = 6


class ShownLot(QObject):
    """What the panels show.

    Parameters
    ----------
    writer : reads the results that are not at hand
    """

    lot_changed = Signal(object, object)
    row_changed = Signal(object)
    current_changed = Signal(object)

    def __init__(self, writer: SessionWriter, parent: QObject | None) -> None:
        super().__init__(parent)
        self.writer = writer
        self.lot: Lot | None = None
        self.rows: dict[str, Row] = {}
        self.current_id: str | None = None
        self._chosen_by_operator = False
        self._results: OrderedDict[str, BatteryResult] = OrderedDict()
        self._stacks: OrderedDict[str, StackDisplay] = OrderedDict()
        writer.loaded.connect(self._on_loaded)

    def show_lot(self, lot: Lot, record: SessionRecord | None = None) -> None:
        """Show the lot's batteries, with what a session says of them and those it alone knows."""
        rows = {battery.battery_id: Row(battery) for battery in lot.batteries}
        for summary in record.batteries if record else ():
            row = rows.get(summary.battery_id) or Row(battery_of(summary, (), lot.root))
            rows[summary.battery_id] = row.with_summary(summary)
        self.lot, self.rows = lot, rows
        self._results.clear()
        self._stacks.clear()
        self._chosen_by_operator = False
        self.current_id = None
        self.lot_changed.emit(lot, list(rows.values()))
        if rows:
            self._make_current(next(iter(rows)))
        else:
            self.current_changed.emit(None)

    def show_result(self, result: BatteryResult) -> None:
        """Show what a run has found."""
        battery_id = result.battery_id
        # The panels are told below, once the result is at hand for them as well.
        self.set_row(self.rows[battery_id].with_result(result), tell_current=False)
        if result.images or battery_id == self.current_id:
            self._keep(result)
        if battery_id == self.current_id:
            self.current_changed.emit(self.current_view())
        if not self._chosen_by_operator and result.ensemble is not None:
            # The first verdict comes to the operator, unless one battery was chosen already.
            self._chosen_by_operator = True
            self._make_current(battery_id)

    def follow(self, before: SessionRecord, record: SessionRecord) -> None:
        """Show what another process has added to the session."""
        known = {summary.battery_id: summary for summary in before.batteries}
        assert self.lot is not None
        for summary in record.batteries:
            battery_id = summary.battery_id
            if summary == known.get(battery_id):
                continue
            self._results.pop(battery_id, None)
            row = self.rows.get(battery_id) or Row(battery_of(summary, (), self.lot.root))
            self.set_row(row.with_summary(summary))
            if battery_id == self.current_id:
                self.writer.load(battery_id)

    def set_row(self, row: Row, *, tell_current: bool = True) -> None:
        """Show a battery's new state everywhere."""
        self.rows[row.battery_id] = row
        self.row_changed.emit(row)
        if tell_current and row.battery_id == self.current_id:
            self.current_changed.emit(self.current_view())

    def choose(self, battery_id: str) -> None:
        """Make a battery the current one, by the operator's will."""
        self._chosen_by_operator = True
        self._make_current(battery_id)

    def current_row(self) -> Row | None:
        """Return the current battery's row."""
        return self.rows.get(self.current_id) if self.current_id else None

    def current_view(self) -> BatteryView | None:
        """Return the current battery as the panels show it."""
        row = self.current_row()
        if row is None or self.lot is None:
            return None
        result = self._results.get(row.battery_id)
        if result is not None:
            row = _with_gone(row, result, self.lot.root)
        stack = self._stack_of(row) if row.battery.ct else None
        return battery_view(row, result, self.lot.root, self.writer.folder, stack)

    def stacks_judged_by(self) -> tuple[GreySetting, ModelFolders]:
        """Return what CT stacks would be windowed by now."""
        raise NotImplementedError

    def _stack_of(self, row: Row) -> StackDisplay:
        """Return how a battery's slices can be shown; the same one as long as it is looked at."""
        stack = self._stacks.get(row.battery_id)
        if stack is None:
            # Numpy comes with it: it is there since the lot was scanned.
            from inspection.images.display import StackDisplay

            stack = StackDisplay(row.battery.ct, partial(_policy, *self.stacks_judged_by()))
        self._stacks[row.battery_id] = stack
        self._stacks.move_to_end(row.battery_id)
        if len(self._stacks) > KEPT_RESULTS:
            self._stacks.popitem(last=False)
        return stack

    def _make_current(self, battery_id: str) -> None:
        if battery_id == self.current_id or battery_id not in self.rows:
            return
        self.current_id = battery_id
        self.current_changed.emit(self.current_view())
        if battery_id not in self._results and self.rows[battery_id].kind is not None:
            self.writer.load(battery_id)

    def _on_loaded(self, battery_id: str, result: BatteryResult | None) -> None:
        row = self.rows.get(battery_id)
        if result is None or row is None:
            return
        self._keep(result)
        self.set_row(replace(row, systems=dict(result.systems)))

    def _keep(self, result: BatteryResult) -> None:
        self._results[result.battery_id] = result
        self._results.move_to_end(result.battery_id)
        while len(self._results) > KEPT_RESULTS:
            oldest = next(name for name in self._results if name != self.current_id)
            del self._results[oldest]


def _with_gone(row: Row, result: BatteryResult, root: Path) -> Row:
    """Return a row whose battery has what was judged, where the lot holds none of it any more."""
    judged: dict[str, AnyImage] = {}
    for image in (one for system in SYSTEMS for one in result.images_of(system)):
        judged.setdefault(image.image, image)
    there = row.battery
    gone: list[AnyImage] = []
    for modality, refs in (("ct", there.ct), ("rgb", there.rgb)):
        images = [image for image in judged.values() if image.modality == modality]
        if images and not any(image_name(ref, root) in judged for ref in refs):
            gone += images
    if not gone:
        return row
    kept = battery_of(result, gone, root)
    return replace(row, battery=replace(there, ct=kept.ct or there.ct, rgb=kept.rgb or there.rgb))


def _policy(setting: GreySetting, models: ModelFolders) -> GreyPolicy:
    """Read what stacks are brought to; run in the thread that decodes."""
    from inspection.images.stack_grey import GreyPolicy
    from inspection.modelstore.bundle import reference_levels

    return GreyPolicy(setting, reference_levels(models))

"""One run of a plan: what its lanes share, and how it ends. Knows no Qt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from inspection.messages import Message
from inspection.names import told_name
from inspection.predictions import LaneResult
from inspection.records import Battery
from inspection.results import SYSTEMS, SystemName
from inspection.run.assemble import LaneResults, assemble
from inspection.run.events import BatteryChanged, LaneEnded, LotAway, LotBack, RunEnded, Tell
from inspection.run.loading import LoadingOrder
from inspection.run.lot_access import LotAccess
from inspection.run.plan import Plan
from inspection.session.prints import print_images

PAUSE_POLL_SECONDS = 0.05
LOT_WAIT_SECONDS = 600.0
"""For a lot that cannot be reached."""


class Run:
    """One run of a plan, shared by the threads of its lanes.

    Parameters
    ----------
    plan : what is to be inspected
    tell : takes every event, in the thread in which it happens; the last one is a `RunEnded`
    cancel : set it to stop at the next image; the batteries in work are left for a later run
    lot_wait : seconds that a lot is waited for that cannot be reached
    """

    def __init__(
        self,
        plan: Plan,
        tell: Tell,
        cancel: threading.Event | None = None,
        lot_wait: float = LOT_WAIT_SECONDS,
    ) -> None:
        self.plan = plan
        self.tell = tell
        self.cancel = cancel or threading.Event()
        self.pause = threading.Event()
        self.order = LoadingOrder(plan.systems)
        self.access = LotAccess(plan.settings.lot_root, lot_wait)
        self._stopped: Message | None = None
        self._taking_up = threading.Lock()
        self._lock = threading.Lock()
        self._working = set(plan.systems)
        self._results = {
            b.battery_id: LaneResults(plan.earlier.get(b.battery_id)) for b in plan.batteries
        }

    def start(self, start_worker: Callable[[SystemName], None]) -> None:
        """Have the lanes work, side by side: a slow, missing or failing one delays no other.

        Parameters
        ----------
        start_worker : has a thread of the system's own do the system's part of this run, after
            what it was given before
        """
        # Before any lane works: a battery is whole only with the word of those that are off.
        for battery in self.plan.batteries:
            results = self._results[battery.battery_id]
            for system in SYSTEMS:
                if system not in self.plan.systems and system not in results:
                    results.add(LaneResult(system, "off"))
            if len(results) == len(SYSTEMS):
                # Left over from a run that ended before a system had spoken that is now off.
                whole = assemble(battery, results, results.prints or ())
                self.tell(BatteryChanged(whole, None, worth_saving=True))
        for system in self.plan.systems:
            start_worker(system)

    def add(self, battery: Battery, result: LaneResult) -> None:
        """Take a system's word on a battery, and tell how the battery stands."""
        # To have been cancelled is no word: what was said before stays, the rest is asked later.
        if result.state == "cancelled":
            return
        # Told under the lock, or an older state of a battery could arrive after a newer one.
        with self._lock:
            results = self._results[battery.battery_id]
            results.add(result)
            whole = len(results) == len(SYSTEMS)
            worth_saving = whole or result.state in ("done", "failed")
            changed = assemble(battery, results, results.prints or ())
            self.tell(BatteryChanged(changed, result.system, worth_saving))

    def take_up(self, battery: Battery) -> None:
        """Keep how a battery's files are, before the first system looks at them."""
        results = self._results[battery.battery_id]
        with self._taking_up:
            if results.prints is None or not results.judged_by:
                root, digests = self.plan.settings.lot_root, self.plan.digests
                results.prints = print_images(battery, root, digests=digests)

    def stop(self, why: Message) -> None:
        """Stop at the next image, by nobody's wish: to go on would be in vain."""
        self._stopped = why
        self.cancel.set()

    def wait_for_lot(self) -> bool:
        """Return True once the lot can be reached; where it stays away the run is stopped."""
        params = {"path": told_name(str(self.access.root))}

        def tell(away: bool) -> None:
            self.tell(LotAway(Message(code="lot_away", params={**params})) if away else LotBack())

        back = self.access.wait(self.cancel.is_set, tell)
        if not back and not self.cancel.is_set():
            self.stop(Message(code="lot_stayed_away", params={**params}))
        return back

    def wait_while_paused(self) -> None:
        """Return once the run goes on, or is cancelled."""
        while self.pause.is_set() and not self.cancel.is_set():
            time.sleep(PAUSE_POLL_SECONDS)

    def end_lane(self, system: SystemName, *, loaded: bool) -> None:
        """Take it that a system does nothing more; the last one ends the run."""
        # Before it is struck off, or another lane's thread could tell the end of the run first.
        self.tell(LaneEnded(system, loaded))
        with self._lock:
            self._working.discard(system)
            if not self._working:
                # A wish to stop that came after the last result has stopped nothing.
                cancelled = self.cancel.is_set() and bool(self.unfinished)
                try:
                    if not cancelled:
                        # The window imports this before it is painted: numpy comes later.
                        from inspection.run.lot_gate import compare_batteries

                        for result in compare_batteries(self.plan, self._results):
                            self.tell(BatteryChanged(result, None, worth_saving=True, again=True))
                finally:
                    self.tell(RunEnded(cancelled, self._stopped if cancelled else None))

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Batteries of the plan on which not every system has spoken."""
        return tuple(name for name, said in self._results.items() if len(said) < len(SYSTEMS))

"""Loading models one after another, the ensemble's first."""

from __future__ import annotations

import threading
from collections.abc import Collection

from inspection.results import ModelProvenance, SystemName
from inspection.systems.lane import Lane

POLL_SECONDS = 0.05

# While transformers makes a model it replaces functions of torch itself, so that every model
# made meanwhile, in whichever thread, comes out without weights.
_alone = threading.Lock()


class LoadingOrder:
    """The order in which the lanes of a run load. Shared by their threads.

    The ensemble's models are small and the verdict waits for them; tens of gigabytes of a VLM
    come after.

    Parameters
    ----------
    systems : those that take part in the run
    """

    def __init__(self, systems: Collection[SystemName]) -> None:
        self._others_may_load = threading.Event()
        if "ensemble" not in systems:
            self._others_may_load.set()

    def let_others_load(self) -> None:
        """Stop waiting for the ensemble: it is loaded, or will not be."""
        self._others_may_load.set()

    def load(self, lane: Lane, cancel: threading.Event) -> list[ModelProvenance] | None:
        """Load a lane's models in its turn; None where ``cancel`` was set before it came.

        Raises
        ------
        Exception
            Whatever the lane raises.
        """
        if lane.name != "ensemble":
            while not self._others_may_load.wait(POLL_SECONDS) and not cancel.is_set():
                pass
        try:
            with _alone:
                return None if cancel.is_set() else lane.load()
        finally:
            if lane.name == "ensemble":
                self.let_others_load()

"""Threads for files; call-backs cross to the window's thread by queued signals."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

from inspection.volumes.stopping import until


# By identity: two orders may be for the same thing, and a pool keeps its own in a set.
@dataclass(eq=False, slots=True)
class Ticket:
    """A task that was handed to a pool; a cancelled one never calls back."""

    done: Callable[[Any], None] | None
    failed: Callable[[Exception], None]
    cancelled: bool = False

    def cancel(self) -> None:
        """Forget the task; it is skipped if it has not begun."""
        self.cancelled = True


class TaskPool(QObject):
    """Threads for files; the call-backs run in the window's thread.

    Parameters
    ----------
    threads : 1 makes a queue that keeps its order, as the session's writer needs
    name : prefix of the threads' names
    """

    _finished = Signal(object, object, object)

    def __init__(self, threads: int, name: str, parent: QObject) -> None:
        super().__init__(parent)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._open: set[Ticket] = set()
        self._closed = self._stopped = False
        self._finished.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def submit(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None] | None,
        failed: Callable[[Exception], None],
    ) -> Ticket:
        """Run ``work`` in a thread, then ``done`` with its value or ``failed`` with its error."""
        ticket = Ticket(done, failed)
        if self._closed:
            # A late event of a window that is closing: there is nobody left to call back.
            ticket.cancel()
            return ticket
        self._open.add(ticket)
        self._executor.submit(self._run, ticket, work)
        return ticket

    @property
    def busy(self) -> bool:
        """True while a task waits, runs, or has not called back yet."""
        return bool(self._open)

    def close(self, *, finish: bool) -> None:
        """End the threads.

        Parameters
        ----------
        finish : do the waiting tasks first (a session's writes) rather than drop them; none
            calls back
        """
        self._closed, self._stopped = True, not finish
        for ticket in self._open:
            if not finish:
                ticket.cancel()
        self._executor.shutdown(wait=True, cancel_futures=not finish)
        self._open.clear()

    def _run(self, ticket: Ticket, work: Callable[[], Any]) -> None:
        value, problem = None, None
        if not ticket.cancelled:
            try:
                with until(lambda: self._stopped):
                    value = work()
            except Exception as error:  # noqa: BLE001 - handed whole to `failed`, never dropped
                problem = error
        self._finished.emit(ticket, value, problem)

    @Slot(object, object, object)
    def _deliver(self, ticket: Ticket, value: Any, problem: Exception | None) -> None:
        self._open.discard(ticket)
        # What ended while the pool was closed is still in Qt's queue.
        if ticket.cancelled or self._closed:
            return
        if problem is not None:
            ticket.failed(problem)
        elif ticket.done is not None:
            ticket.done(value)

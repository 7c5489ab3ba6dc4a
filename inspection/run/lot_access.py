"""Whether a lot can be reached while it is inspected: a share may be away for a while."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from inspection.predictions import FailedPrediction, ImageAnswered, LaneEvent, LaneResult
from inspection.records import Battery, ImageRef, image_name
from inspection.results import AnyImage

UNREACHABLE = frozenset({"image_missing", "image_unreadable"})
"""What an image says whose file is there for another try, perhaps; damage is not among it."""
STACK_UNREAD = "grey_stack_unread"
POLL_SECONDS = 1.0
LOOK_SECONDS = 0.5
"""A share that is away is asked no oftener, however many images fail."""


class LotAccess:
    """What the lanes of a run know of their lot's folder. Shared by their threads.

    Parameters
    ----------
    root : the lot's folder
    wait_seconds : how long the lot is waited for once it is away
    """

    def __init__(self, root: Path, wait_seconds: float) -> None:
        self.root = root
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self._away_since: float | None = None

    def is_away(self) -> bool:
        """Return whether it cannot be read, or is empty as a mount point without its disk is."""
        try:
            with os.scandir(self.root) as entries:
                return next(entries, None) is None
        except OSError:
            return True

    def wait(self, stop: Callable[[], bool], tell: Callable[[bool], None]) -> bool:
        """Return True once the lot is back, False where it was waited for in vain or to be stopped.

        Parameters
        ----------
        stop : asked whether the run was cancelled
        tell : given True when the lot is found to be away, False when it is back; once each,
            however many lanes wait
        """
        with self._lock:
            if self._away_since is None:
                self._away_since = time.monotonic()
                tell(True)
            until = self._away_since + self._wait_seconds
        while self.is_away():
            if stop() or time.monotonic() >= until:
                return False
            time.sleep(min(POLL_SECONDS, max(0.0, until - time.monotonic())))
        with self._lock:
            if self._away_since is not None:
                self._away_since = None
                tell(False)
        return True


class Watch(threading.Event):
    """A cancel that is also set where the lot goes away under the battery in work.

    Parameters
    ----------
    cancel : of the run
    access : of its lot

    Attributes
    ----------
    away : True once the lot was found to be away
    """

    def __init__(self, cancel: threading.Event, access: LotAccess) -> None:
        super().__init__()
        self._cancel = cancel
        self._access = access
        self._looked = 0.0
        self.away = False

    def is_set(self) -> bool:
        """Return True where the lane is to stop at its next image."""
        return self.away or self._cancel.is_set()

    def set(self) -> None:
        """Cancel the run."""
        self._cancel.set()

    def look(self, event: LaneEvent) -> None:
        """Look after the lot where an image could not be reached."""
        error = None
        if isinstance(event, FailedPrediction):
            error = event.error.message
        elif isinstance(event, ImageAnswered):
            error = event.answer.error
        if error is None or error.code not in UNREACHABLE:
            return
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._looked = time.monotonic()
            self.away = self._access.is_away()


def unreached_images(battery: Battery, result: LaneResult, root: Path) -> list[ImageRef]:
    """Return the images that a system says nothing of for want of their files."""
    images: list[AnyImage] = [*result.images]
    for answered in (result.vlm, result.vlg):
        images += answered.images if answered is not None else ()
    failed = {i.image for i in images if i.error is not None and i.error.code in UNREACHABLE}
    refs = (*battery.ct, *battery.rgb)
    problem = result.grey.problem if result.grey is not None else None
    if problem is not None and problem.code == STACK_UNREAD:
        # Looked for ahead, perhaps while the lot was away: the slices may be there again by now.
        failed |= {image_name(ref, root) for ref in battery.ct}
    if not failed and result.message is not None and result.message.code in UNREACHABLE:
        # The reason of the first is all that a system tells that has failed as a whole.
        return list(refs)
    return [ref for ref in refs if image_name(ref, root) in failed]


def can_be_opened(images: Sequence[ImageRef]) -> bool:
    """Return whether any of them can be opened by now."""
    # The planes of a volume are all there once its file, or the folder of its series, is.
    for path in dict.fromkeys(ref.path for ref in images):
        try:
            if path.is_dir():
                os.scandir(path).close()
            else:
                with path.open("rb") as file:
                    file.read(1)
        except OSError:
            continue
        return True
    return False

"""The batteries' files of an open session: written after their line, read against it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from inspection.atomic import make_folder, put_in_place, stage
from inspection.errors import SessionError
from inspection.results import BatteryResult
from inspection.session.files import (
    BATTERIES_NAME,
    disk_error,
    file_names,
    read_battery,
    summarise,
)
from inspection.session.journal import Journal
from inspection.session.story import INSPECTED, SET_ASIDE, SessionStory

SET_ASIDE_NAME = "set_aside"


class BatteryFiles:
    """What is in ``batteries/``.

    Parameters
    ----------
    folder : the session's
    story : what its chain tells
    staged : files that a kill kept from their place, by the file whose place it is
    """

    def __init__(self, folder: Path, story: SessionStory, staged: Mapping[Path, Path]) -> None:
        self._folder = folder / BATTERIES_NAME
        self._story = story
        self._staged = dict(staged)
        self._names = file_names([row.battery_id for row in story.record.batteries])

    def write(self, result: BatteryResult, journal: Journal) -> None:
        """Write a battery's result, its line of the chain first.

        Raises
        ------
        OSError
            If the disk refuses.
        """
        journal.adopt()
        battery_id = result.battery_id
        if battery_id not in self._names:
            self._names = file_names([*self._names, battery_id])
        path = self._path(battery_id)
        data = result.model_dump_json().encode("utf-8")
        digest = hashlib.sha256(data).hexdigest()
        row = summarise(result, self._story.record.language)
        row = row.model_copy(update={"digest": digest})
        content = {
            "file": path.stem,
            "digest": digest,
            "row": row.model_dump(mode="json", exclude={"decision", "earlier"}),
            "images": len(result.images),
        }
        staged = stage(path, data)
        try:
            self._set_aside(battery_id, path, journal)
            journal.write(INSPECTED, content)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise
        # From here on the chain knows the file: opening the session would put it in place.
        try:
            put_in_place(staged, path)
        except OSError:
            self._staged[path] = staged
            raise

    def read(self, battery_id: str) -> BatteryResult | None:
        """Return a battery's result; None where it was not inspected yet.

        Raises
        ------
        SessionError
            If its file cannot be read, or is not the one that was sealed.
        """
        if battery_id not in self._names:
            return None
        path = self._path(battery_id)
        if self._story.began is None:
            return read_battery(path) if path.exists() else None
        sealed = self._story.files.get(battery_id)
        if sealed is None:
            return None
        for place in (path, self._staged.get(path)):
            try:
                data = place.read_bytes() if place else b""
            except FileNotFoundError:
                continue
            except OSError as error:
                raise disk_error("session_read_failed", path, error) from error
            if hashlib.sha256(data).hexdigest() == sealed.digest:
                return BatteryResult.model_validate_json(data)
        raise SessionError("seal_battery_altered", name=path.name, battery=battery_id)

    def _set_aside(self, battery_id: str, path: Path, journal: Journal) -> None:
        """Keep a file that is not as the station wrote it, before another takes its place."""
        if not path.exists():
            return
        sealed = self._story.files.get(battery_id)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if sealed is not None and digest == sealed.digest:
            return
        aside = path.parent / SET_ASIDE_NAME
        make_folder(aside)
        taken = len(list(aside.iterdir()))
        content = {"battery_id": battery_id, "file": path.stem, "digest": digest}
        journal.write(SET_ASIDE, content)
        put_in_place(path, aside / f"{path.stem}.{taken + 1}.json")

    def _path(self, battery_id: str) -> Path:
        sealed = self._story.files.get(battery_id)
        return self._folder / f"{sealed.name if sealed else self._names[battery_id]}.json"

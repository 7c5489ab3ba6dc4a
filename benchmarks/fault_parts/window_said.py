"""What a window that was driven has said, and whether all of it is still so."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from fault_parts.counts import Column
from fault_parts.world import World

MARK = "@"
"""Begins the lines that are meant for the benchmark."""
OPERATOR = "Kim"


def write_settings(world: World, systems: str, **more: str) -> None:
    """Give a window its settings."""
    world.settings.mkdir(parents=True, exist_ok=True)
    known = {"operator": OPERATOR, "language": "en", "systems": systems.split(","), "device": "cpu"}
    path = world.settings / "settings.json"
    path.write_text(json.dumps(known | more), encoding="utf-8")


class WindowSaid:
    """Takes the lines of `window.py`, over all its starts.

    ``verdicts`` are the batteries whose verdict was on the disk, ``decided`` what was decided on
    each, ``asked`` what was ordered by a key and not yet acknowledged.
    """

    def __init__(self) -> None:
        self.verdicts: set[str] = set()
        self.decided: dict[str, dict[str, Any] | None] = {}
        self.told: list[str] = []
        self._asked = False

    def take(self, lines: Iterable[str]) -> None:
        """Take the lines of one start."""
        # A key may have come through to the disk before the kill, or not: either is right.
        self._asked = False
        for line in lines:
            if not line.startswith(MARK):
                continue
            said = json.loads(line.removeprefix(MARK))
            if "verdict" in said:
                self.verdicts.add(said["verdict"])
            elif "asked" in said:
                self._asked = True
            elif "decided" in said:
                self._asked = False
                self.decided[said["decided"]] = said["decision"]
            elif "told" in said:
                self.told.append(said["told"])

    def lost(self, world: World) -> Iterator[tuple[Column, str]]:
        """Say which decisions are not as they were acknowledged."""
        if world.run is None:
            if self.decided:
                yield "lost", "the session with the decisions is gone"
            return
        (found,) = world.shown(world.run)
        others = []
        for name, row in found.get("rows", {}).items():
            if row["decision"] != self.decided.get(name):
                others.append(name)
        # One key at a time: of what was asked last, the answer may not have come.
        allowed = 1 if self._asked else 0
        if len(others) > allowed:
            for name in others:
                now = found["rows"][name]["decision"]
                yield "lost", f"{name}: {self.decided.get(name)} was acknowledged, found {now}"
            return
        for name in others:
            self.decided[name] = found["rows"][name]["decision"]

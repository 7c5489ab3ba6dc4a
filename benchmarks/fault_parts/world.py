"""A station of its own for one fault: its data, its sessions, and the real program on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fault_parts.counts import Column

ROOT = Path(__file__).resolve().parents[2]
PARTS = Path(__file__).resolve().parent
PATIENCE_S = 900
"""No run of the small lot takes so long: what does not come back hangs."""
LOT = ("--batteries", "6", "--slices", "9", "--views", "2", "--canvas", "192", "--defects", "0.5")
LOT_SEED = "3"
"""A lot with normal batteries, each kind of defect, and one for review."""
VOLATILE = ("seconds", "system_seconds", "memory_steps", "modified_ns")
"""What differs between two runs over the same images."""


@dataclass(frozen=True)
class World:
    """A folder that holds everything a station keeps.

    Parameters
    ----------
    folder : of data, sessions and settings
    lot : what is inspected
    systems : which inspect it
    cache : what is kept of computing, shared by all
    """

    folder: Path
    lot: Path
    systems: str
    cache: Path
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def sessions(self) -> Path:
        """Folder of sessions."""
        return self.folder / "sessions"

    @property
    def data(self) -> Path:
        """The station's own data."""
        return self.folder / "data"

    @property
    def settings(self) -> Path:
        """Folder of the window's settings."""
        return self.folder / "settings"

    @property
    def env(self) -> dict[str, str]:
        """The environment of every process of this station."""
        own = {
            "STATION_DATA": str(self.data),
            "STATION_SETTINGS": str(self.settings / "settings.json"),
            "STATION_LANGUAGE": "en",
            "XDG_CACHE_HOME": str(self.cache),
            "QT_QPA_PLATFORM": "offscreen",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(PARTS.parent))),
            # Colours and bars would stand between the lines.
            "TERM": "dumb",
            "COLUMNS": "200",
        }
        homes = {
            f"XDG_{name}_HOME": str(self.folder / name) for name in ("DATA", "CONFIG", "STATE")
        }
        return {**os.environ, **own, **homes, **self.more}

    @property
    def run(self) -> Path | None:
        """The newest session's folder; None before there is one that can be gone on with."""
        folders = sorted(self.sessions.iterdir()) if self.sessions.is_dir() else []
        begun = [folder for folder in folders if (folder / "session.json").exists()]
        return begun[-1] if begun else None

    def start(self, *arguments: str | Path, **how: Any) -> subprocess.Popen[str]:
        """Start ``station``; what it says comes by a pipe."""
        return self.start_python("-m", "app", *arguments, **how)

    def start_python(self, *arguments: str | Path, **how: Any) -> subprocess.Popen[str]:
        """Start another program in this station's environment."""
        how.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env=self.env,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            **how,
        )

    def station(self, *arguments: str | Path, typed: str = "", **how: Any) -> Said:
        """Run ``station`` to its end; what it asks is typed."""
        return ended(self.start(*arguments, stdin=subprocess.PIPE, **how), typed)

    def inspect(self, *more: str | Path, resume: bool = True, **how: Any) -> Said:
        """Inspect the lot, going on with the session that there is."""
        return ended(self.start_inspect(*more, resume=resume, **how))

    def start_inspect(
        self, *more: str | Path, resume: bool = True, **how: Any
    ) -> subprocess.Popen[str]:
        """Start inspecting the lot, going on with the session that there is."""
        asked: list[str | Path] = ["--session-dir", self.sessions, "--systems", self.systems]
        asked += ["--device", "cpu", *more]
        if resume and (run := self.run) is not None:
            asked += ["--resume", run.name]
        return self.start("inspect", self.lot, *asked, **how)

    def shown(self, *folders: Path, **how: Any) -> list[dict[str, Any]]:
        """Return what opening sessions shows, in a process of its own."""
        said = ended(self.start_python(PARTS / "probe.py", *folders, **how))
        if said.code:
            return [{"refused": said.text} for _ in folders]
        found: list[dict[str, Any]] = json.loads(said.out)
        return found

    def verify(self, *asked: str | Path) -> Said:
        """Check sessions' seals."""
        return self.station("audit", "verify", *asked)


@dataclass(frozen=True)
class Said:
    """How a program ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """The end of what it said, for a report."""
        return " / ".join((self.err or self.out).strip().splitlines()[-4:])[-600:]

    @property
    def crashed(self) -> bool:
        """True where a user saw a traceback, or the process died."""
        return has_traceback(self.err + self.out) or self.code < 0


def has_traceback(text: str) -> bool:
    """Return whether a library's words came through to the user."""
    return "Traceback" in text


def ended(process: subprocess.Popen[str], typed: str | None = None) -> Said:
    """Wait for a program's end; one that hangs is ended."""
    try:
        out, err = process.communicate(typed, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        return Said(-9, out or "", f"{err}\nit did not come back")
    return Said(process.returncode, out or "", err or "")


@dataclass(frozen=True)
class Reference:
    """What an undisturbed run over the lot finds: rows and files by battery."""

    rows: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, Any]

    @classmethod
    def of(cls, world: World) -> Reference:
        """Inspect the lot and keep what came of it."""
        said = world.inspect(resume=False)
        if world.run is None or said.code:
            raise RuntimeError(f"the reference run failed: {said.text}")
        return cls(world.shown(world.run)[0]["rows"], battery_files(world.run))

    def differs(self, world: World) -> Iterator[tuple[Column, str]]:
        """Say where a session that is whole again is not as the reference."""
        folder = world.run
        if folder is None:
            yield "lost", "there is no session"
            return
        (found,) = world.shown(folder)
        if "refused" in found:
            yield "lost", f"cannot be opened: {found['refused']}"
            return
        yield from self.wrong_normals(found)
        for name, row in self.rows.items():
            now = found["rows"].get(name)
            if now is None or verdict(now) != verdict(row):
                yield "lost", f"{name} is {now and verdict(now)}, not {verdict(row)}"
        files = battery_files(folder)
        for name, content in self.files.items():
            if files.get(name) != content:
                yield (
                    "lost",
                    f"{name} is not as in the reference: {_where(files.get(name), content)}",
                )
        if found["seal"] != "sealed":
            yield "unnoticed", f"is {found['seal']}: {found['seal_problems']}"
        said = world.verify(folder)
        if said.code:
            yield "unnoticed", f"does not verify: {said.text}"

    def wrong_normals(self, found: Mapping[str, Any]) -> Iterator[tuple[Column, str]]:
        """Name the batteries that a session shows as normal and that are not."""
        for name, row in found.get("rows", {}).items():
            if row["kind"] == "normal" and self.rows[name]["kind"] != "normal":
                yield "wrong normal", f"{name} is shown as normal"


def verdict(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the station says on a battery: its row without what people decided."""
    people = ("decision", "earlier", "final")
    return {name: value for name, value in row.items() if name not in people}


def battery_files(folder: Path) -> dict[str, Any]:
    """Return what a session's battery files hold, without what differs from run to run."""
    return {
        path.name: _lasting(json.loads(path.read_bytes()))
        for path in sorted((folder / "batteries").glob("[!.]*.json"))
    }


def _lasting(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _lasting(part) for name, part in content.items() if name not in VOLATILE}
    return [_lasting(part) for part in content] if isinstance(content, list) else content


def _where(one: Any, other: Any, path: str = "") -> str:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for name in one:
            if one[name] != other[name]:
                return _where(one[name], other[name], f"{path}.{name}")
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            if a != b:
                return _where(a, b, f"{path}[{number}]")
    return f"{path} {str(one)[:80]} / {str(other)[:80]}"

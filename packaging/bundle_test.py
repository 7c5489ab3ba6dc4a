"""Build the executable and run it as a line PC would: elsewhere, read-only, with nothing of Python.

``uv run --group packaging python packaging/bundle_test.py`` (``--no-build`` takes dist/station as
it is). What the frozen program says of a lot is compared with what the sources say of it, for all
three systems; their VLM and VLG are the small ones of the tests.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "dist" / "station"
BATTERIES = 5
NOBODY = 65534
USERS = ("first", "second")
SESSIONS = "sessions"
CACHE = "cache"
TIMES = {"seconds", "system_seconds"}

sys.path[:0] = [str(ROOT), str(ROOT / "tests")]


@dataclass(frozen=True, slots=True)
class Installed:
    """The program where it was copied to.

    Parameters
    ----------
    folder : the program's
    users : folder of the homes of those who use it
    """

    folder: Path
    users: Path

    def home(self, user: str) -> Path:
        """Return the home of a user, new where it was not there."""
        folder = self.users / user
        folder.mkdir(exist_ok=True)
        return folder

    def start(
        self, *arguments: str | Path, user: str = "user", program: str = "station"
    ) -> subprocess.Popen[str]:
        """Start a command as somebody who may write in a home only."""
        home = self.home(user)
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        if root:
            for path in (home, *home.rglob("*")):
                shutil.chown(path, NOBODY, NOBODY)
        return subprocess.Popen(
            [str(self.folder / program), *map(str, arguments)],
            cwd=home,
            env=_bare_environment(home),
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            **({"user": NOBODY, "group": NOBODY, "extra_groups": []} if root else {}),
        )

    def run(self, *arguments: str | Path) -> str:
        """Run a command to its end and return what it printed."""
        return finished(self.start(*arguments))


def _bare_environment(home: Path) -> dict[str, str]:
    """Return an environment in which no program is found, and no display."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP") if name in os.environ}
    return {**kept, **_own_folders(home), "PATH": "", "LANG": "C.UTF-8"}


def _own_folders(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "USERPROFILE": str(home), "XDG_CACHE_HOME": str(home / CACHE)}


def finished(process: subprocess.Popen[str]) -> str:
    """Wait for a command and return what it printed; end this script where it failed."""
    told, _ = process.communicate()
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, process.args))}: exit {process.returncode}\n{told}")
    return told


def say(words: str, since: float) -> None:
    """Print a step that went well."""
    print(f"OK  {words} ({time.monotonic() - since:.1f} s)", flush=True)


def build() -> None:
    """Build dist/station."""
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
    subprocess.run([*command, str(ROOT / "build.spec")], cwd=ROOT, check=True)


def install(work: Path) -> Installed:
    """Copy the program to a folder with Korean and spaces, where nobody may write."""
    folder = work / "검사 프로그램" / "station"
    shutil.copytree(BUILT, folder, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    users = work / "사용자"
    users.mkdir()
    return Installed(folder, users)


def from_source(home: Path, *arguments: str | Path) -> str:
    """Run a command from the sources, with a home of its own, and return what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app", *map(str, arguments)],
        cwd=home,
        env={**os.environ, **_own_folders(home), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    return finished(process)


def make_models(folder: Path) -> Path:
    """Write a small VLM, a small VLG and its text encoder, as their makers publish them."""
    from builders.tiny_vlg import write_bert, write_original
    from builders.tiny_vlm import write_tiny_vlm

    write_tiny_vlm(folder / "vlm")
    write_original(folder / "vlg", write_bert(folder / "bert"))
    for path in folder.rglob("*"):
        # Weights are written for their owner alone.
        path.chmod(path.stat().st_mode | 0o444)
    return folder


def results(home: Path) -> dict[str, object]:
    """Return what the one session in a home says of every battery and image, times left out."""
    files = (home / SESSIONS).glob("*/batteries/*.json")
    return {path.stem: _timeless(json.loads(path.read_text(encoding="utf-8"))) for path in files}


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {name: _timeless(part) for name, part in value.items() if name not in TIMES}
    return [_timeless(part) for part in value] if isinstance(value, list) else value


def contents(folder: Path) -> dict[str, tuple[int, float]]:
    """Return size and time of every file."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path): (path.stat().st_size, path.stat().st_mtime) for path in files}


def compare(installed: Installed, work: Path) -> None:
    """Let two users inspect a lot at once, and hold it against the sources."""
    lot, models, source_home = work / "로트 1", make_models(work / "models"), work / "source"
    source_home.mkdir()
    from_source(source_home, "lot", lot, "--batteries", str(BATTERIES), "--seed", "5")
    from_source(source_home, "models", "import", models)
    inspect = ("inspect", lot, "--session-dir", SESSIONS, "--language", "ko", "--device", "cpu")
    from_source(source_home, *inspect)
    expected = results(source_home)
    started = time.monotonic()
    for user in USERS:
        # What computes fastest is measured on each computer, and may come out either way.
        shutil.copytree(source_home / CACHE, installed.home(user) / CACHE)
        finished(installed.start("models", "import", models, user=user))
    say("models imported from a folder", started)
    started = time.monotonic()
    both = [installed.start(*inspect, user=user) for user in USERS]
    for process, user in zip(both, USERS, strict=True):
        finished(process)
        check_same(results(installed.users / user), expected)
    say(f"{BATTERIES} batteries, two users at once, all results as from the sources", started)


def check_models(installed: Installed, work: Path) -> None:
    """End this script where the program brings other models along than the sources have."""
    home = work / "models of the sources"
    home.mkdir()
    expected = _listed(from_source(home, "models", "list", "--json"))
    found = _listed(installed.run("models", "list", "--json"))
    if found != expected:
        sys.exit(f"other models are bundled: {found}, {expected}")
    installed.run("models", "verify")


def _listed(told: str) -> list[tuple[str, str, str]]:
    return [(row["slot"], row["state"], row["sha256"]) for row in json.loads(told)]


def check_teaching(installed: Installed, lot: Path) -> None:
    """Teach the program on the lot's own good batteries, and inspect with what comes of it."""
    from inspection.lot.scan import scan_lot
    from inspection.modelstore.bundle import load_bundle
    from inspection.modelstore.teaching import REQUEST_NAME, TeachRequest, TeachResult

    folder = installed.home("teacher") / "teaching"
    folder.mkdir()
    request = TeachRequest(
        lot=str(lot),
        slot="rgb_ae",
        batteries=tuple(battery.battery_id for battery in scan_lot(lot).batteries),
        present=str(next(installed.folder.rglob("models/rgb_ae"))),
        epochs=1,
        device="cpu",
    )
    (folder / REQUEST_NAME).write_text(request.model_dump_json(), encoding="utf-8")
    command = ("teach", folder / REQUEST_NAME)
    told = finished(installed.start(*command, user="teacher", program="trainer"))
    if json.loads(told.splitlines()[-1])["stage"] != "done":
        sys.exit(f"the trainer has not taught: {told}")
    result = TeachResult.model_validate_json((folder / "result.json").read_text(encoding="utf-8"))
    if load_bundle(folder / result.model).sha256 != result.sha256 or result.present is None:
        sys.exit(f"the trainer has not judged what it taught: {result}")
    models = installed.home("teacher") / "models"
    export = ("export", folder / result.model, "--out", models)
    finished(installed.start(*export, user="teacher", program="trainer"))
    listed = finished(
        installed.start("models", "list", "--json", "--models", models, user="teacher")
    )
    states = {row["slot"]: (row["state"], row["sha256"]) for row in json.loads(listed)}
    if states["rgb_ae"] != ("installed", result.sha256):
        sys.exit(f"the taught model is not in use: {states}")


def check_same(found: dict[str, object], expected: dict[str, object]) -> None:
    """End this script where the frozen program says anything else than the sources."""
    if len(expected) != BATTERIES or found.keys() != expected.keys():
        sys.exit(f"batteries are missing: {sorted(found)}, {sorted(expected)}")
    for battery, result in expected.items():
        if result["systems"] != dict.fromkeys(("ensemble", "vlm", "vlg"), "done"):
            sys.exit(f"{battery}: not every system has answered: {result['systems']}")
        if found[battery] != result:
            sys.exit(f"{battery}: not as from the sources:\n{found[battery]}\n{result}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Build, copy, run."""
    parser = argparse.ArgumentParser(description="Build the executable and try it out.")
    parser.add_argument("--no-build", action="store_true", help="take dist/station as it is")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    if not options.no_build:
        build()
        say("built", started)
    with tempfile.TemporaryDirectory(prefix="bundle-") as folder:
        work = Path(folder)
        work.chmod(0o755)
        installed = install(work)
        before = contents(installed.folder)
        print(f"    {sum(size for size, _ in before.values()) / 1e9:.2f} GB, {len(before)} files")
        started = time.monotonic()
        print(installed.run("--self-test"))
        say("self-test", started)
        started = time.monotonic()
        check_models(installed, work)
        say("the bundled models are those of the sources", started)
        compare(installed, work)
        started = time.monotonic()
        check_teaching(installed, work / "로트 1")
        say("a model taught on the lot, and installed", started)
        if contents(installed.folder) != before:
            sys.exit("the program has written into its own folder")
        print("OK  nothing was written into the program's folder")


if __name__ == "__main__":
    main()

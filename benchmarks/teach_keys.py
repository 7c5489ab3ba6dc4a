"""Teach a station on its own parts by real keys on a virtual screen, and see what it keeps.

The whole way of somebody with a lot and no labels: open it, teach on all of it, move the threshold
and set it, release the model with a signature, inspect with it, decide its batteries,
teach again on what was confirmed, release that too. The record of releases has to read as it
happened. Ends with 1 where it does not, and with 0 and a sentence where Xvfb or xdotool are
missing::

    python benchmarks/teach_keys.py --pictures FOLDER
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psutil
from fault_parts.screen import Screen, missing, wait_until
from fault_parts.window_said import write_settings
from fault_parts.world import PARTS, World, ended

TITLES = ("Battery inspection station", "배터리 검사대")
LOT = ("--batteries", "8", "--slices", "3", "--views", "4", "--canvas", "192", "--defects", "0")
LOT_SEED = "3"
TEACHING_S = 400.0
ANSWER_S = 120.0
REST_S = 1.5
QUALITY, PIN = "Lee", "268405"
REASON = "seen by eye"
DECIDED = 8
STEPS = 5


class Script:
    """Somebody at the window, and what the station has on its disk after each step."""

    def __init__(self, screen: Screen, world: World, pictures: Path | None, pid: int) -> None:
        self._screen, self._world, self._pictures = screen, world, pictures
        self._window = psutil.Process(pid)

    @property
    def _home(self) -> Path:
        return self._world.folder / "DATA" / "battery-station"

    @property
    def results(self) -> list[Path]:
        """Results of teachings, the oldest first."""
        return sorted((self._home / "teachings").glob("*/result.json"))

    @property
    def releases(self) -> list[str]:
        """SHA-256 of the models that were released."""
        record = self._home / "models" / "releases.jsonl"
        if not record.exists():
            return []
        lines = [json.loads(text) for text in record.read_text(encoding="utf-8").splitlines()]
        return [line["content"]["sha256"] for line in lines if line["event"] == "release"]

    def decisions(self) -> int:
        """Return how many batteries were decided."""
        run = self._world.run
        if run is None:
            return 0
        rows = json.loads((run / "session.json").read_bytes())["batteries"]
        return sum(row["decision"] is not None for row in rows)

    def run(self) -> None:
        """Do everything, in its order."""
        wait_until("the window", self._opened, ANSWER_S)
        time.sleep(2 * REST_S)
        self._dialog("ctrl+t")
        self._screen.press("ctrl+a")
        time.sleep(2 * REST_S)
        self._picture("1-choose")
        self._teach(1)
        before = self._threshold(1)
        self._screen.press(*["Right"] * STEPS)
        self._picture("2-outcome")
        self._screen.press("ctrl+s")
        wait_until("the threshold", lambda: self._threshold(1) > before, ANSWER_S)
        self._child_ended()
        self._release(1, "3-release")

        self._screen.press("F5")
        wait_until("the end of the inspection", self._inspected, TEACHING_S)
        time.sleep(2 * REST_S)
        self._screen.press(*["k"] * 8)
        for number in range(1, DECIDED + 1):
            self._dialog("o")
            self._screen.press("1")
            self._screen.type(REASON)
            self._screen.press("ctrl+Return")
            wait_until(f"decision {number}", lambda n=number: self.decisions() == n, ANSWER_S)
            time.sleep(REST_S)
            self._screen.press("j")
        self._picture("4-decided")

        self._dialog("ctrl+t")
        # Those that were confirmed are ticked by themselves.
        time.sleep(3 * REST_S)
        self._picture("5-confirmed")
        self._teach(2)
        self._picture("6-again")
        self._release(2, "7-released")
        self._screen.press("ctrl+q")

    def _teach(self, number: int) -> None:
        self._screen.press("ctrl+Return")
        wait_until(f"teaching {number}", lambda: len(self.results) == number, TEACHING_S)
        self._child_ended()
        used = json.loads(self.results[-1].read_bytes())["request"]["batteries"]
        if number == 2 and len(used) != DECIDED:
            raise AssertionError(f"taught on {used}, {DECIDED} were confirmed")

    def _child_ended(self) -> None:
        """Wait until no trainer is at work, and the window has shown what it said."""
        wait_until("the end of the trainer", lambda: not self._window.children(), ANSWER_S)
        time.sleep(2 * REST_S)

    def _threshold(self, number: int) -> float:
        folder = self.results[number - 1].parent
        file = folder / "rgb_ae" / "rgb_ae_threshold.json"
        found: float = json.loads(file.read_bytes())["threshold"]
        return found

    def _release(self, number: int, picture: str) -> None:
        self._screen.press("ctrl+Return")
        wait_until("the comparison", lambda: bool(self._window.children()), ANSWER_S)
        self._child_ended()
        self._screen.type(PIN)
        self._picture(picture)
        self._screen.press("Return")
        wait_until(f"release {number}", lambda: len(self.releases) == number, ANSWER_S)
        self._child_ended()
        self._screen.press("Escape")
        time.sleep(REST_S)

    def _dialog(self, *keys: str) -> None:
        before = len(self._screen.windows)
        self._screen.press(*keys)
        wait_until(f"a dialog after {keys}", lambda: len(self._screen.windows) > before, ANSWER_S)
        time.sleep(REST_S)

    def _opened(self) -> bool:
        title = self._screen.title()
        return any(name in title for name in TITLES)

    def _inspected(self) -> bool:
        run = self._world.run
        if run is None:
            return False
        status: str = json.loads((run / "session.json").read_bytes())["status"]
        return status == "completed"

    def _picture(self, name: str) -> None:
        if self._pictures is not None:
            self._pictures.mkdir(parents=True, exist_ok=True)
            self._screen.picture(self._pictures / f"{name}.png")


def play(folder: Path, pictures: Path | None, language: str) -> list[str]:
    """Go the whole way; return what was wrong."""
    lot = folder / "lot"
    world = World(folder, lot, "ensemble", folder / "cache")
    made = world.station("lot", lot, *LOT, "--seed", LOT_SEED)
    people = ("Ahn:administrator:402817", f"{QUALITY}:quality:{PIN}")
    added = ended(world.start_python(PARTS / "add_people.py", *people))
    if made.code or added.code:
        return [made.text, added.text]
    write_settings(world, "ensemble", language=language)
    with Screen() as screen:
        shown = replace(world, more=screen.env)
        window = shown.start("gui", lot, "--session-dir", world.sessions)
        script = Script(screen, world, pictures, window.pid)
        try:
            script.run()
            said = ended(window)
        except (AssertionError, TimeoutError) as error:
            if pictures is not None:
                screen.picture(pictures / "wrong.png")
            window.kill()
            return [str(error), ended(window).text]
    if said.code or said.crashed:
        return [f"the window ended with {said.code}: {said.text}"]
    verified = world.station("models", "verify")
    return [verified.text] if verified.code else []


def main() -> int:
    """Press, look, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the screen")
    parser.add_argument("--language", choices=("en", "ko"), default="en")
    arguments = parser.parse_args()
    if absent := missing():
        print(f"No real keys were pressed: {', '.join(absent)} is not installed.")
        return 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        wrong = play(Path(folder), arguments.pictures, arguments.language)
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        print(f"Taught, released and taught again ({time.monotonic() - started:.0f} s).")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

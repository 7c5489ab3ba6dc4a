"""Inspect one lot headless and behind the window, and see that the same files come out.

The lot has twelve batteries, with a corrupt image in one, no views in another, and some on which
the systems contradict each other or the ensemble wants a review. Each run is cancelled after a few
batteries and resumed. What was measured, not judged, is left out of the comparison: times, and
the names that are made of them::

    python benchmarks/both_runs.py make LOT
    python benchmarks/both_runs.py run LOT headless
    python benchmarks/both_runs.py run LOT windowed --window
    python benchmarks/both_runs.py compare headless windowed
    python benchmarks/both_runs.py run LOT older --half first
    python benchmarks/both_runs.py run LOT older --half second

``run`` works with an older checkout as well: start this file with that one's Python, in its folder.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# The checkout that it is started in, not the one that this file lies in.
sys.path[0] = str(Path.cwd())

BATTERIES = 12
CANCELLED_AFTER = 3
LEFT_OUT = ("seconds", "_at", "time", "timestamp", "run_id", "job_id", "version", "versions")
"""Ends of keys that hold a time, a name made of one, or the program's version."""
PLACES = ("inspector_from", "station")


def make(lot: Path) -> None:
    """Write the lot."""
    from inspection.synthetic import SyntheticLot, write_lot

    spec = SyntheticLot(batteries=BATTERIES, slices=9, views=4, canvas=256, seed=25, defects=0.5)
    write_lot(lot, spec)
    truth = sorted(json.loads((lot / "truth.json").read_text(encoding="utf-8")))
    corrupt = min(lot.rglob(f"CT_*_{truth[2]}_*.jpg"))
    corrupt.write_bytes(corrupt.read_bytes()[: corrupt.stat().st_size // 2])
    for view in lot.rglob(f"RGB_*_{int(truth[5]):04d}_*.png"):
        view.unlink()


def finished(sessions: Path) -> int:
    """Return how many batteries of the one session are done."""
    files = sessions.glob("*/batteries/*.json")
    return sum(json.loads(path.read_bytes())["state"] == "done" for path in files)


def headless(lot: Path, sessions: Path, half: str) -> None:
    """Inspect with the command, stop it with Ctrl-C, and go on."""
    command = [sys.executable, "-m", "app", "inspect", str(lot), "--session-dir", str(sessions)]
    command += ["--language", "en"]
    if half != "second":
        process = subprocess.Popen(command)
        while finished(sessions) < CANCELLED_AFTER and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        print("stopped with", process.wait(), "after", finished(sessions), "batteries", flush=True)
    if half != "first":
        (session,) = sessions.iterdir()
        code = subprocess.run([*command, "--resume", session.name], check=False).returncode
        print("resumed with", code, "then", finished(sessions), "batteries", flush=True)


def windowed(lot: Path, sessions: Path, half: str) -> None:
    """Inspect behind the window, cancel, and go on."""
    from PySide6.QtCore import QEventLoop

    from app.application import Station, make_application
    from app.folders import model_folders
    from app.settings import Settings, SettingsFile

    make_application()
    file = SettingsFile(sessions.parent / "settings.json")
    file.save(Settings(operator="", language="en"))
    station = Station(model_folders(None), sessions, file)
    station.window.show()
    controller, loop = station.controller, QEventLoop()
    done: set[str] = set()

    def follow(result: Any) -> None:
        if result.state == "done" and result.battery_id not in done:
            done.add(result.battery_id)
            if len(done) == CANCELLED_AFTER and half != "second":
                controller.runner.cancel()

    def go_on(cancelled: bool) -> None:
        print("cancelled" if cancelled else "ended", "after", len(done), "batteries", flush=True)
        if cancelled and half == "both":
            controller.start()
        else:
            loop.quit()

    controller.runner.battery_changed.connect(follow)
    controller.runner.ended.connect(go_on)
    # Goes on with the lot's unfinished session where there is one.
    controller.open_lot(lot.resolve(), autostart=True)
    loop.exec()
    station.window.close()
    station.discard_window()


def run(lot: Path, out: Path, half: str, *, window: bool) -> None:
    """Inspect, and write the report of it."""
    sessions = out / "sessions"
    sessions.mkdir(parents=True, exist_ok=True)
    (windowed if window else headless)(lot, sessions, half)
    if half != "first":
        report(out)


def report(out: Path) -> None:
    """Write the report of the one session."""
    (session,) = (out / "sessions").iterdir()
    command = [sys.executable, "-m", "app", "report", str(session), "--out", str(out / "report")]
    subprocess.run([*command, "--formats", "csv,json", "--language", "en"], check=True)


def content(out: Path) -> dict[str, Any]:
    """Return what is compared of a run, by file."""
    found = {
        f"batteries/{path.name}": timeless(json.loads(path.read_bytes()))
        for path in sorted(out.glob("sessions/*/batteries/*.json"))
    }
    (session,) = out.glob("sessions/*/session.json")
    found["session.json"] = timeless(json.loads(session.read_bytes()))
    found["result.json"] = timeless(json.loads((out / "report" / "result.json").read_bytes()))
    text = (out / "report" / "summary.csv").read_text(encoding="utf-8-sig")
    found["summary.csv"] = [timeless(row) for row in csv.DictReader(text.splitlines())]
    return found


def timeless(value: Any) -> Any:
    """Return JSON without its times."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if not k.endswith(LEFT_OUT) and k not in PLACES}
        if "slot" in str(kept.get("models")):
            # In the order in which they were loaded, which is nobody's.
            kept["models"] = sorted(kept["models"], key=lambda model: model["slot"])
        return {k: timeless(v) for k, v in kept.items()}
    return [timeless(each) for each in value] if isinstance(value, list) else value


def compare(first: Path, second: Path) -> int:
    """Print what differs; return 1 where anything does."""
    sides = content(first), content(second)
    files = sorted(set(sides[0]) | set(sides[1]))
    differing = [name for name in files if sides[0].get(name) != sides[1].get(name)]
    for name in differing:
        differences(name, sides[0].get(name), sides[1].get(name))
    kinds = Counter(row["kind"] for row in sides[0]["session.json"]["batteries"])
    conflicts = sum(row["conflict"] for row in sides[0]["session.json"]["batteries"])
    print(f"{len(files) - len(differing)} of {len(files)} files equal; {dict(kinds)}, ", end="")
    print(f"{conflicts} with a conflict, status {sides[0]['session.json']['status']}")
    return 1 if differing else 0


def differences(where: str, first: Any, second: Any) -> None:
    """Print the places at which two values differ."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted({*first, *second}):
            differences(f"{where} {key}", first.get(key), second.get(key))
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for number, (one, other) in enumerate(zip(first, second, strict=True)):
            differences(f"{where}[{number}]", one, other)
    elif first != second:
        print(f"{where}: {str(first)[:200]} | {str(second)[:200]}")


def main() -> int:
    """Make, run or compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("make").add_argument("lot", type=Path)
    one = steps.add_parser("run")
    one.add_argument("lot", type=Path)
    one.add_argument("out", type=Path)
    one.add_argument("--window", action="store_true")
    one.add_argument("--half", choices=("first", "second", "both"), default="both")
    steps.add_parser("report").add_argument("out", type=Path)
    two = steps.add_parser("compare")
    two.add_argument("first", type=Path)
    two.add_argument("second", type=Path)
    arguments = parser.parse_args()
    if arguments.step == "make":
        make(arguments.lot)
    elif arguments.step == "run":
        run(arguments.lot, arguments.out, arguments.half, window=arguments.window)
    elif arguments.step == "report":
        report(arguments.out)
    else:
        return compare(arguments.first, arguments.second)
    return 0


if __name__ == "__main__":
    sys.exit(main())

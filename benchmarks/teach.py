"""How long a teaching takes, as the window starts it: 20 good batteries of 6 views by default.

    python benchmarks/teach.py [--batteries 20] [--detectors features]

Prints the seconds by stage, with the load of the computer before, which has to be quiet for a
figure that means anything.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from inspection.lot.scan import scan_lot
from inspection.modelstore.teaching import REQUEST_NAME, TeachEvent, TeachRequest
from inspection.paths import resource_path
from inspection.synthetic import SyntheticLot, write_lot


def teach(folder: Path, given: argparse.Namespace) -> int:
    """Teach once, and print the seconds of each stage."""
    lot, batteries, views = folder / "lot", given.batteries, given.views
    write_lot(lot, SyntheticLot(batteries=batteries, slices=3, views=views, seed=7, defects=0.0))
    request = TeachRequest.model_validate(
        {
            "lot": str(lot),
            "slot": "rgb_ae",
            "batteries": [battery.battery_id for battery in scan_lot(lot).batteries],
            "detectors": given.detectors,
            "present": str(resource_path("models", "rgb_ae")),
            "epochs": given.epochs,
        }
    )
    (folder / REQUEST_NAME).write_text(request.model_dump_json(), encoding="utf-8")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{batteries} batteries of {views} views, {os.cpu_count()} cores, load before {load:.1f}")
    started = before = time.monotonic()
    stage = "start"
    child = subprocess.Popen(
        [sys.executable, "-m", "training", "teach", str(folder / REQUEST_NAME)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        # What is decoded once is not to be there already.
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
    )
    assert child.stdout is not None
    for line in child.stdout:
        event = TeachEvent.model_validate_json(line)
        if event.stage != stage:
            now = time.monotonic()
            print(f"  {stage:10s} {now - before:6.1f} s")
            stage, before = event.stage, now
    code = child.wait()
    used = os.times()
    print(f"  processor  {used.children_user + used.children_system:6.1f} s")
    print(f"  in all     {time.monotonic() - started:6.1f} s, exit {code}")
    if code == 0:
        result = json.loads((folder / "result.json").read_bytes())
        for trial in result["trials"]:
            print(f"  {trial['detector']}: painted defects {trial['painted_auroc']:.3f}")
    return code


def main() -> int:
    """Teach in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batteries", type=int, default=20)
    parser.add_argument("--views", type=int, default=6)
    parser.add_argument("--detectors", nargs="+", default=["features"])
    parser.add_argument("--epochs", type=int)
    with tempfile.TemporaryDirectory() as folder:
        return teach(Path(folder), parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())

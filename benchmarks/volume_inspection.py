"""What inspecting a volume takes that is larger than memory: the command, watched from outside.

``station inspect LOT --systems ensemble`` runs on a lot of one battery whose CT is a volume of
2,000 voxels a side in 16 bits (16 GB), planes across all axes. Five times a second its memory and
that of its children is read. Told are, as the largest at any time,

- ``private``: what no file stands behind and the system cannot take back: anonymous and shared
  memory. Volumes are read, never mapped, so that all of a volume that a process holds is in it;
- ``proportional``: that and the pages of mapped files, which are libraries, those that two
  processes share counted once.

The page cache is in neither: the system takes it back when memory is short. To be sure, ``--limit``
refuses the command more than so many GiB of memory of its own (Linux, ``RLIMIT_DATA``)::

    python benchmarks/volume_inspection.py --folder /var/tmp/volumes --limit 3
    python benchmarks/volume_inspection.py --folder /var/tmp/volumes --kind tiff-deflate --depth 500
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from cube import SPARE, processor, write_cube

from inspection.site import SITE_NAME, SITE_VARIABLE
from inspection.volumes.scratch import GIB

LOOK_SECONDS = 0.2
KINDS_OF_MEMORY = {"Pss": "proportional", "Pss_Anon": "private", "Pss_Shmem": "private"}


def memory_of(process: int) -> Counter[str]:
    """Return KiB of a process and its children; nothing of one that has ended."""
    used: Counter[str] = Counter()
    folder = Path("/proc") / str(process)
    try:
        for line in (folder / "smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]:
            name, _, rest = line.partition(":")
            if name in KINDS_OF_MEMORY:
                used[KINDS_OF_MEMORY[name]] += int(rest.split()[0])
        for task in (folder / "task").iterdir():
            for child in (task / "children").read_text(encoding="utf-8").split():
                used += memory_of(int(child))
    except OSError:
        return used
    return used


def inspect(lot: Path, work: Path, step: int, scratch_gb: float, limit: float) -> dict[str, Any]:
    """Inspect a lot by the command, and return what it said and took."""
    site = work / "site"
    site.mkdir()
    recipe = {"step": step, "scratch_gb": scratch_gb, "scratch_folder": str(work)}
    # JSON is YAML, too.
    (site / SITE_NAME).write_text(json.dumps({"volumes": recipe}), encoding="utf-8")
    command = [sys.executable, "-m", "app", "inspect", str(lot), "--systems", "ensemble", "--json"]
    command += ["--session-dir", str(work / "sessions")]
    bound = round(limit * GIB) if limit else resource.RLIM_INFINITY
    begun = time.perf_counter()
    running = subprocess.Popen(
        command,
        env={**os.environ, SITE_VARIABLE: str(site)},
        stdout=subprocess.PIPE,
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_DATA, (bound, bound)),
    )
    most: Counter[str] = Counter()
    largest_room = 0
    said: list[bytes] = []
    reading = threading.Thread(target=lambda: said.append(running.communicate()[0]))
    reading.start()
    while reading.is_alive():
        most |= memory_of(running.pid)
        files = [path.stat() for path in work.rglob("*.columns")]
        largest_room = max(largest_room, sum(512 * stat.st_blocks for stat in files))
        reading.join(LOOK_SECONDS)
    batteries = json.loads(said[0])["batteries"] if said[0] else []
    return {
        "exit": running.returncode,
        "verdicts": [row["kind"] for row in batteries],
        "seconds": round(time.perf_counter() - begun),
        **{f"{name}_mib": kib >> 10 for name, kib in most.items()},
        "scratch_gib": round(largest_room / GIB, 1),
        "scratch_left": len(list(work.rglob("*.columns"))),
    }


def main() -> None:
    """Write a volume, inspect it, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kind", choices=SPARE, default="hollow-raw")
    parser.add_argument("--side", type=int, default=2000)
    parser.add_argument("--depth", type=int, help="planes across z; by default as many as a side")
    parser.add_argument("--step", type=int, default=20, help="inspect every so many planes")
    parser.add_argument("--scratch-gb", type=float, default=40, help="0: planes by passes alone")
    parser.add_argument("--limit", type=float, default=0, help="GiB of memory that it may have")
    parser.add_argument("--folder", type=Path, help="where volumes are kept for another time")
    arguments = parser.parse_args()
    # Not where temporary files may lie in memory.
    if arguments.folder:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        root = arguments.folder or Path(name)
        lot = root / f"{arguments.kind}-{arguments.side}"
        write_cube(arguments.kind, lot / "001" / "ct", arguments.side, arguments.depth)
        work = Path(name) / "work"
        work.mkdir()
        row = inspect(lot, work, arguments.step, arguments.scratch_gb, arguments.limit)
    row = {"kind": arguments.kind, "side": arguments.side, "depth": arguments.depth, **row}
    print(f"{processor()}, {os.cpu_count()} cores")
    print(json.dumps(row))


if __name__ == "__main__":
    main()

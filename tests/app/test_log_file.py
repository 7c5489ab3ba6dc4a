"""A log that finds no room on the disk is told once, and nobody's work ends with it."""

from __future__ import annotations

import sys
from pathlib import Path

from builders.small_disk import on_small_disk

LOGS = """
import logging, sys
from pathlib import Path
from app.log_file import LogFile

told = []
log = LogFile(Path(sys.argv[1]) / "logs")
log.refused.connect(told.append)
for number in range(2000):
    logging.getLogger("app").warning("a line that takes room %d", number)
log.close()
print(log.problem, len(told))
"""


def run(tmp_path: Path, prepare: str):
    return on_small_disk(tmp_path, "24k", f"{prepare} \"{sys.executable}\" -c '{LOGS}' {tmp_path}")


def test_a_log_that_fills_the_disk_is_told_once_and_without_a_traceback(tmp_path):
    done = run(tmp_path, "")
    assert done.stdout == "No space left on device 1\n"
    assert done.stderr == ""


def test_a_disk_that_is_full_from_the_start_is_told_as_well(tmp_path):
    done = run(tmp_path, f"head -c 20480 /dev/zero > {tmp_path}/x; touch {tmp_path}/logs;")
    assert done.stdout.startswith(("File exists", "Not a directory"))
    assert done.stderr == ""

"""What the benchmark of kills tells of a program that failed."""

from __future__ import annotations

import subprocess
import sys

from fault_parts.kills import Watched

FAILS = """
import os, sys
print("b1 normal", flush=True)
for number in range(40):
    print("warning", number, file=sys.stderr)
sys.stderr.write("Fatal Python error: Aborted")
sys.stderr.flush()
os._exit(3)
"""


def test_a_program_that_failed_is_told_with_its_exit_code_and_its_last_words():
    process = subprocess.Popen(
        [sys.executable, "-c", FAILS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    run = Watched(process)
    assert run.failed
    assert "exit code 3" in run.end
    assert "warning 39" in run.end
    # Also what was cut off: it is the last that it could say.
    assert "Fatal Python error" in run.end
    assert "b1 normal" not in run.end

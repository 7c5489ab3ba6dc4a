"""A disk of a few kilobytes, which is really full: a file system of its own, in memory."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOUNT = 'mount -t tmpfs -o size={size} tmpfs "{disk}" && cd "{root}" && '


def on_small_disk(disk: Path, size: str, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script that sees ``disk`` as a disk of ``size``, and nobody else does.

    The test is skipped where the system lets nobody make one.
    """
    unshare = ["unshare", "--map-root-user", "--mount", "bash", "-c"]
    allowed = shutil.which("unshare") and sys.platform == "linux"
    if (
        not allowed
        or subprocess.run([*unshare, "mount -t tmpfs tmpfs /mnt"], check=False).returncode
    ):
        pytest.skip("this system lets nobody make a file system of their own")
    return subprocess.run(
        [*unshare, MOUNT.format(size=size, disk=disk, root=ROOT) + script],
        capture_output=True,
        text=True,
        check=False,
    )

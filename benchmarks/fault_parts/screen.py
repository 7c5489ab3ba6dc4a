"""A virtual screen with one program on it, and the keys that are pressed there."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

NEEDED = ("Xvfb", "xdotool")
SIZE = "1600x960x24"
PAUSE_S = 0.3
POLL_S = 0.1


def missing() -> list[str]:
    """Return the programs that a screen needs and that are not installed."""
    return [name for name in NEEDED if shutil.which(name) is None]


class Screen:
    """A screen from entering to leaving; ``env`` names it to a program."""

    def __enter__(self) -> Self:
        read, write = os.pipe()
        order = ["Xvfb", "-displayfd", str(write), "-screen", "0", SIZE, "-nolisten", "tcp"]
        self._server = subprocess.Popen(
            order, pass_fds=(write,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(write)
        with os.fdopen(read, encoding="ascii") as pipe:
            self.env = {"DISPLAY": f":{pipe.readline().strip()}", "QT_QPA_PLATFORM": "xcb"}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.terminate()
        self._server.wait()

    @property
    def windows(self) -> list[str]:
        """The windows that can be seen, the one that was opened last at the end."""
        said = self._ask("search", "--onlyvisible", "--name", ".")
        return sorted(said.split(), key=int)

    def title(self) -> str:
        """Return the title of the window that was opened last."""
        windows = self.windows
        return self._ask("getwindowname", windows[-1]).strip() if windows else ""

    def press(self, *keys: str) -> None:
        """Press keys, one after another, in the window that was opened last."""
        for key in keys:
            # There is no window manager that would give a new dialog the keyboard.
            self._ask("windowfocus", "--sync", self.windows[-1])
            self._ask("key", key)
            time.sleep(PAUSE_S)

    def type(self, text: str) -> None:
        """Type words where the keyboard is."""
        self._ask("type", "--delay", "30", text)
        time.sleep(PAUSE_S)

    def picture(self, path: Path) -> None:
        """Keep a picture of the screen, where there is a program that takes one."""
        if shutil.which("import"):
            order = ["import", "-window", "root", str(path)]
            subprocess.run(order, env={**os.environ, **self.env}, check=False)

    def _ask(self, *arguments: str) -> str:
        done = subprocess.run(
            ["xdotool", *arguments],
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout


def wait_until(what: str, done: Callable[[], bool], seconds: float) -> None:
    """Wait for something.

    Raises
    ------
    TimeoutError
        If it does not come.
    """
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise TimeoutError(f"this did not come: {what}")
        time.sleep(POLL_S)

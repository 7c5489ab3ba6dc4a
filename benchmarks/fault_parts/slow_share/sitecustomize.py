"""Makes every opening of a file in a folder slow: a share at the end of a bad line."""

import os
import sys
import time

SLOW = os.environ["FAULTS_SLOW"]
SECONDS = 0.08


def _wait(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("open", "os.scandir", "os.listdir") and str(arguments[0]).startswith(SLOW):
        time.sleep(SECONDS)


sys.addaudithook(_wait)

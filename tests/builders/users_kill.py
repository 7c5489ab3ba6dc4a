"""A program that is killed while it saves the users."""

from __future__ import annotations

import subprocess
import sys

KILLED = """
import os, sys
from inspection.people.person import Person
from inspection.people.roles import load_people
from inspection.people.users import UserStore
from inspection.seals.log import StationLog

moment, name = sys.argv[1:]


class Dying(StationLog):
    def append(self, *told, **details):
        if moment == "staged":
            os._exit(9)
        super().append(*told, **details)
        os._exit(9)


UserStore(load_people(), Dying()).add(name, "operator", "771001", Person(name="Seo Yun"))
"""


def change_and_die(moment: str, name: str) -> int:
    """Add a user in a process that ends without a word; return its exit code.

    Parameters
    ----------
    moment : "staged" for before the log's line, "logged" for right after it
    """
    return subprocess.run([sys.executable, "-c", KILLED, moment, name], check=False).returncode

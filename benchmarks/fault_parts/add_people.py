"""Give a station three people with PINs of their own: ``add_people.py NAME:ROLE:PIN ...``.

The first one is the administrator.
"""

from __future__ import annotations

import sys

from inspection.people.roles import load_people
from inspection.people.users import UserStore
from inspection.seals.log import StationLog

TEMPORARY = "739182"


def main() -> None:
    """Add them, and choose their PINs for them."""
    users = UserStore(load_people(), StationLog())
    (first, _, pin), *others = [person.split(":") for person in sys.argv[1:]]
    administrator = users.add_first(first, pin)
    for name, role, own in others:
        users.add(name, role, TEMPORARY, administrator)
        users.sign_in(name, TEMPORARY, own)


if __name__ == "__main__":
    main()

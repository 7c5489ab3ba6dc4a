"""Decide in a finished session, as two people do: ``decide.py SESSION EARLIER``.

Says as JSON which batteries are what the edits need; ``EARLIER`` is a copy of the session from
before the last decision.
"""

from __future__ import annotations

import json
import shutil
import sys
from datetime import datetime
from pathlib import Path

from inspection.people.person import Person
from inspection.results import DEFECT_KINDS, Kind
from inspection.session.record import Action, Decision
from inspection.session.store import SessionStore

KIM, LEE = Person(name="Kim", role="operator"), Person(name="Lee", role="quality")


def main() -> None:
    """Decide, copy, change."""
    folder, earlier = map(Path, sys.argv[1:])
    with SessionStore.open(folder) as store:
        kinds = {row.battery_id: row.kind for row in store.record.batteries}
        normal, *_ = [name for name, kind in kinds.items() if kind == "normal"]
        defect, *more = [name for name, kind in kinds.items() if kind in DEFECT_KINDS]
        review = next((name for name, kind in kinds.items() if kind == "review"), None)
        decided = review or more[0]
        store.decide(normal, decision("accept", "normal", KIM))
        first: Action = "decide" if review else "override"
        store.decide(decided, decision(first, "normal", KIM))
        shutil.copytree(folder, earlier, ignore=shutil.ignore_patterns(".lock", ".holder.json"))
        store.change(decided, decision(first, "internal_defect", LEE))
    print(json.dumps({"defect": defect, "normal": normal, "decided": decided}))


def decision(action: Action, kind: Kind, person: Person) -> Decision:
    """Return a decision of now."""
    return Decision(
        action=action,
        kind=kind,
        reason="" if action == "accept" else "seen by eye",
        operator=person.name,
        role=person.role,
        decided_at=datetime.now().astimezone(),
    )


if __name__ == "__main__":
    main()

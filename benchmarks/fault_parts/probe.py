"""Open sessions to read, as a program of its own, and say as JSON what is shown of each."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from inspection.errors import InspectionError
from inspection.session.record import final_kind
from inspection.session.store import SessionStore


def shown(folder: Path) -> dict[str, Any]:
    """Return what a session's opening shows, or the sentence that refuses it."""
    try:
        with SessionStore.open(folder, read_only=True) as store:
            rows = {}
            for row in store.record.batteries:
                told = row.model_dump(mode="json", exclude={"battery_id", "seconds", "digest"})
                rows[row.battery_id] = told | {"final": final_kind(row.kind, row.decision)}
            return {
                "status": store.record.status,
                "rows": rows,
                "count": len(store.record.batteries),
                "problems": [problem.text("en") for problem in store.problems],
                "seal": store.seal.state,
                "seal_problems": [problem.text("en") for problem in store.seal.problems],
            }
    except InspectionError as error:
        return {"refused": error.text("en")}


if __name__ == "__main__":
    print(json.dumps([shown(Path(name)) for name in sys.argv[1:]]))

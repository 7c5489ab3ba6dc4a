"""The published schema of ``session.json``: ``python -m inspection.session.schema`` writes it."""

from __future__ import annotations

import json

from inspection.atomic import write_atomic
from inspection.paths import program_root
from inspection.session.record import SessionRecord

SCHEMA_PATH = program_root() / "docs" / "session.schema.json"


def session_schema() -> str:
    """Return the JSON schema of a session as this program writes it."""
    schema = SessionRecord.model_json_schema(mode="serialization")
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(dialect | schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    write_atomic(SCHEMA_PATH, session_schema())

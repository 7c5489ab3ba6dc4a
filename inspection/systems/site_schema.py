"""Everything a site may set, checked at once and published: ``docs/site.schema.json``.

``python -m inspection.systems.site_schema`` writes the schema.
"""

from __future__ import annotations

import json
from typing import Any

from inspection.atomic import write_atomic
from inspection.classes import DefectClass, class_table
from inspection.config import (
    Config,
    GateConfig,
    InspectorConfig,
    KeepingConfig,
    load_gate,
    load_inspector,
    load_keeping,
)
from inspection.lot.config import LotConfig, load_lot_config
from inspection.modelstore.release_records import ReleaseConfig, load_release
from inspection.paths import program_root
from inspection.people.roles import PeopleConfig, load_people
from inspection.reasons import Reason, reasons
from inspection.site import RECIPE_KEY, current_site
from inspection.systems.vlg.config import VlgConfig, load_vlg_config
from inspection.systems.vlm.config import VlmConfig, load_vlm_config
from inspection.volumes.config import VolumesConfig, load_volumes

SCHEMA_PATH = program_root() / "docs" / "site.schema.json"
# Items of lists: a list is replaced as a whole, so what is in it has to be complete.
_COMPLETE = frozenset({"SitePattern", "Query"})


class _SiteFile(Config):
    """``site.yaml`` and ``recipes/NAME.yaml``."""

    inspector: InspectorConfig
    gate: GateConfig
    classes: dict[str, DefectClass]
    reasons: dict[str, Reason]
    lot: LotConfig
    vlm: VlmConfig
    vlg: VlgConfig
    people: PeopleConfig
    keeping: KeepingConfig
    volumes: VolumesConfig
    release: ReleaseConfig


def check_site() -> None:
    """Read everything that the site sets, so that a mistake is told before anything is inspected.

    Raises
    ------
    ConfigError
        For the first mistake; it names the file, the key, and what is wrong.
    """
    if current_site() is None:
        return
    class_table()
    reasons()
    load_inspector()
    load_gate()
    load_keeping()
    load_lot_config()
    load_vlm_config()
    load_vlg_config()
    load_people()
    load_volumes()
    load_release()


def site_schema() -> str:
    """Return the JSON schema of what a site's files may hold; any key may be left out."""
    schema = _SiteFile.model_json_schema()
    definitions: dict[str, dict[str, Any]] = schema["$defs"]
    for part in [schema, *(d for name, d in definitions.items() if name not in _COMPLETE)]:
        _loosen(part)
    recipe = {"description": "Its file lies over this one; in site.yaml only.", "type": "string"}
    schema["properties"][RECIPE_KEY] = recipe
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(dialect | schema, indent=2, ensure_ascii=False) + "\n"


def _loosen(schema: dict[str, Any]) -> None:
    """Let any key be left out: it then has the program's value, not the default of a model."""
    for key in ("required", "default", "minProperties"):
        schema.pop(key, None)
    children = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    for child in (*children, schema.get("additionalProperties")):
        if isinstance(child, dict):
            _loosen(child)


if __name__ == "__main__":
    write_atomic(SCHEMA_PATH, site_schema())

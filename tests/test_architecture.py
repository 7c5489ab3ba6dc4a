"""The drawing in ``docs/architecture.md`` is the code's own: an arrow too many or too few fails."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import inspection

ROOT = Path(inspection.__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
ARROWS = re.compile(r"^\s+(?P<importer>\w+) --> (?P<imported>\w+(?: & \w+)*)$", re.MULTILINE)
# Errors, words, paths, records, results and the like: everybody imports them.
GROUND = {path.stem for path in (ROOT / "inspection").glob("*.py")}


def drawn() -> set[tuple[str, str]]:
    return {
        (arrow["importer"], imported)
        for arrow in ARROWS.finditer(PAGE.read_text(encoding="utf-8"))
        for imported in arrow["imported"].split(" & ")
    }


def imported_by(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def in_the_code() -> set[tuple[str, str]]:
    """Return who imports whom: the engine's folders by name, the other packages whole."""
    arrows = set()
    for package in ("app", "inspection", "training"):
        for path in (ROOT / package).rglob("*.py"):
            inner = path.relative_to(ROOT).parts
            importer = inner[1] if package == "inspection" and len(inner) > 2 else package
            for module in imported_by(path):
                parts = module.split(".")
                if parts[0] == "inspection" and len(parts) > 1 and parts[1] not in GROUND:
                    arrows.add((importer, parts[1]))
    return {
        (importer, imported)
        for importer, imported in arrows
        if imported != importer != "inspection"
    }


def test_the_drawing_shows_who_imports_whom():
    assert drawn() == in_the_code()


def test_every_file_that_the_page_names_is_there():
    named = re.findall(
        r"`((?:app|configs|docs|inspection|tests|training)/[\w./]+)`", PAGE.read_text("utf-8")
    )
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []

"""Every sentence an operator can meet exists, in both languages, with the same placeholders."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

import inspection
from inspection import errors
from inspection.classes import class_table
from inspection.messages import Message, wordings

ROOT = Path(inspection.__file__).parent.parent
PACKAGES = ("app", "inspection", "training")
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
RAISERS = {n for n, c in vars(errors).items() if isinstance(c, type)} | {"DisplayError"}


def codes_in(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in RAISERS and node.args and isinstance(node.args[0], ast.Constant):
            found.add(node.args[0].value)
        if name == "Message":
            found |= {
                k.value.value
                for k in node.keywords
                if k.arg == "code" and isinstance(k.value, ast.Constant)
            }
    return found


def placeholders(sentence: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(sentence) if field}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_code_that_is_used_has_a_wording(path):
    assert codes_in(path) <= set(wordings())


@pytest.mark.parametrize("code", sorted(wordings()))
def test_both_languages_say_the_same(code):
    wording = wordings()[code]
    assert placeholders(wording["en"]) == placeholders(wording["ko"])
    words = re.sub(r"\{.*?\}", "", wording["en"])
    # A term such as VLM or SHA-256 is the same in both languages; a sentence never is.
    is_term = wording["en"] == wording["ko"] and " " not in words.strip()
    assert re.search("[가-힣]", wording["ko"]) or is_term or not re.search("[A-Za-z]{3}", words)
    assert ("hint_en" in wording) == ("hint_ko" in wording)


def test_an_error_reads_in_either_language_with_its_hint():
    error = errors.ConfigError("config_missing", name="inspector.yaml")
    assert str(error) == "The configuration file inspector.yaml is missing."
    assert error.text("ko").startswith("설정 파일 inspector.yaml")
    assert error.text("en").endswith("Restore it from the installation.")


def test_a_stored_message_survives_the_disk():
    message = Message(code="config_missing", params={"name": "a.yaml"})
    assert Message.model_validate_json(message.model_dump_json()) == message


def test_the_class_table_covers_every_class_in_both_languages():
    classes = class_table().rows
    assert set(classes) == {*class_table().ct, *class_table().rgb_defects}
    for row in classes.values():
        for words in (row.name, row.cause, row.action):
            assert set(words) == {"en", "ko"}
            assert all(words.values())

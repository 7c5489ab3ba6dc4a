from __future__ import annotations

import re
import subprocess
import sysconfig
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PySide6.QtCore import QTranslator

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "app").rglob("*.py"))
KOREAN = ROOT / "resources" / "translations" / "station_ko.ts"
PLACEHOLDER = re.compile(r"\{(\w*)\}")


def sentences(path: Path) -> dict[tuple[str, str], tuple[str, str | None]]:
    """Return the translation and its state by context and source."""
    found = {}
    for context in ET.parse(path).getroot().iter("context"):
        for message in context.iter("message"):
            translation = message.find("translation")
            key = (context.findtext("name"), message.findtext("source"))
            found[key] = (translation.text or "", translation.get("type"))
    return found


@pytest.fixture(scope="module")
def in_the_code(tmp_path_factory) -> set[tuple[str, str]]:
    target = tmp_path_factory.mktemp("ts") / "found.ts"
    lupdate = Path(sysconfig.get_path("scripts")) / "pyside6-lupdate"
    subprocess.run([lupdate, *SOURCES, "-ts", target], check=True, capture_output=True)
    return set(sentences(target))


def test_every_word_of_the_window_has_a_finished_korean_translation(in_the_code):
    korean = sentences(KOREAN)
    assert in_the_code
    assert not in_the_code - set(korean)
    unfinished = [key for key in in_the_code if korean[key][1] is not None or not korean[key][0]]
    assert not unfinished


def test_no_translation_is_left_of_words_that_are_gone(in_the_code):
    assert not set(sentences(KOREAN)) - in_the_code


def test_translations_keep_the_placeholders():
    for (context, source), (translation, _) in sentences(KOREAN).items():
        assert sorted(PLACEHOLDER.findall(source)) == sorted(PLACEHOLDER.findall(translation)), (
            context,
            source,
        )


def test_the_compiled_file_says_the_same_as_the_source():
    translator = QTranslator()
    assert translator.load(str(KOREAN.with_suffix(".qm")))
    for (context, source), (translation, _) in sentences(KOREAN).items():
        assert translator.translate(context, source) == translation

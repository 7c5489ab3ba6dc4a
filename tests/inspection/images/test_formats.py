"""The table of what is read is what the page says, and what the reader does."""

from pathlib import Path

from inspection.images.formats import ASPECTS, formats_as_markdown
from inspection.messages import wordings

PAGE = Path(__file__).parents[3] / "docs" / "formats.md"


def test_the_page_is_the_table():
    assert formats_as_markdown() in PAGE.read_text(encoding="utf-8")


def test_every_field_has_a_sentence_that_names_the_value():
    for aspect in ASPECTS:
        sentence = wordings()[aspect.code]
        assert "{value}" in sentence["en"], aspect.code
        assert "{value}" in sentence["ko"], aspect.code

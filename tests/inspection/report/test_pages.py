"""Every block on the page and on paper, whatever is written in it."""

from __future__ import annotations

import io
import re
from html import unescape

import numpy as np
import pytest
from pypdf import PdfReader

from inspection.report import blocks
from inspection.report.html import html_file
from inspection.report.pdf import pdf_file
from inspection.report.pictures import jpeg_of


def document(*content: blocks.Block) -> blocks.ReportPage:
    return blocks.ReportPage("ko", "보고서", "로트", "20260304_050607", content, "끝")


def pages_of(*content: blocks.Block) -> list[str]:
    reader = PdfReader(io.BytesIO(pdf_file(document(*content))))
    return [page.extract_text() for page in reader.pages]


def every_block() -> list[blocks.Block]:
    picture = jpeg_of(np.full((60, 80, 3), 120, np.uint8))
    label = blocks.Label("label-1", "critical")
    columns = [blocks.TableColumn("head-1", 0.4), blocks.TableColumn("head-2", right=True)]
    cells = ("cell-1", (blocks.Link("link-1", "there"), blocks.Soft("soft-1"), label))
    pictures = [
        blocks.CaptionedPicture("caption-1", [picture, picture]),
        blocks.CaptionedPicture("caption-2", [], "missing-1"),
    ]
    inner = [blocks.Heading("heading-4", 4, [label]), blocks.Text("text-1", labels=[label])]
    return [
        blocks.Tiles([blocks.Tile("tile-1", "value-1", "success")]),
        blocks.Text("text-2", "warning"),
        blocks.Heading("heading-2", new_page=True),
        blocks.Card(
            [
                blocks.Heading("heading-3", 3, [label], "below-1", "there"),
                blocks.Text("text-3", "note"),
                blocks.SideBySide([inner, [blocks.Bullets(["bullet-1"])]], (0.4, 0.6)),
                blocks.Fields([("name-1", "value-2")]),
                blocks.Fields([("name-2", "value-3")], in_line=True),
                blocks.Table(columns, [cells], "title-1", "note-1"),
                blocks.Pictures(pictures, "title-2"),
            ]
        ),
        blocks.Cards([blocks.Card([blocks.Text("text-4", "soft")])]),
        blocks.Signatures(["signer-1", "signer-2"]),
    ]


def test_both_formats_have_every_word_of_every_block():
    content = every_block()
    html = unescape(html_file(document(*content)).decode("utf-8"))
    words = set(re.findall(r"\b[a-z]+-\d\b", repr(content)))
    assert len(words) == 29
    printed = "\n".join(pages_of(*content))
    for word in words | {"보고서", "로트", "끝"}:
        assert re.search(rf">[^<]*{word}", html), word
        assert word in printed, word
    assert 'href="#there"' in html
    assert 'id="there"' in html


def test_a_cell_longer_than_a_page_goes_on_over_the_next_ones():
    columns = [blocks.TableColumn("왼쪽", 0.3), blocks.TableColumn("오른쪽")]
    long = blocks.Table(columns, [("짧음", "낱말 " * 4000), ("목록", blocks.Soft("번호, " * 4000))])
    text = "".join(pages_of(blocks.Card([long])))
    assert (text.count("낱말"), text.count("번호")) == (4000, 4000)


def test_a_row_that_fits_on_a_page_is_not_torn():
    lines = tuple(f"row-{line}" for line in range(6))
    rows = [tuple(f"{number}-{line}" for line in lines) for number in range(40)]
    table = blocks.Table([blocks.TableColumn("")], [(row,) for row in rows])
    pages = pages_of(table)
    assert len(pages) > 1
    for row in rows:
        assert sum(any(line in page.split() for line in row) for page in pages) == 1


@pytest.mark.parametrize("hostile", ["<b>x</b>", "</p><script>1</script>", "{{ 7 * 7 }}", "&amp;"])
def test_what_people_write_is_text_in_every_block(hostile):
    content = [
        blocks.Heading(hostile, 3, [blocks.Label(hostile, "neutral")], hostile),
        blocks.Text(hostile),
        blocks.Bullets([hostile]),
        blocks.Fields([(hostile, hostile)]),
        blocks.Table([blocks.TableColumn(hostile)], [(hostile,), (blocks.Soft(hostile),)]),
    ]
    html = html_file(document(*content)).decode("utf-8")
    assert "<script" not in html
    assert unescape(re.sub(r"<[^>]*>", "", html[html.index("<main>") :])).count(hostile) == 10
    printed = re.sub(r"\s", "", "".join(pages_of(*content)))
    assert printed.count(re.sub(r"\s", "", hostile)) == 10

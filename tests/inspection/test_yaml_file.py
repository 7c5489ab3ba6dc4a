"""Whatever a YAML file holds, it is read or refused in one sentence, and soon."""

import os
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.__main__ import app
from inspection.console import run
from inspection.errors import ConfigError
from inspection.lot.config import SitePattern
from inspection.site import SITE_VARIABLE
from inspection.yaml_file import parse_yaml, read_yaml


@pytest.fixture(autouse=True)
def _no_site(monkeypatch):
    # Restored after the test, whatever the command sets.
    monkeypatch.setenv(SITE_VARIABLE, "")
    monkeypatch.delenv(SITE_VARIABLE)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
MERGED = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (BOMB, "config_beyond"),
        (MERGED, "config_beyond"),
        ("a: &a [*a]", "config_beyond"),
        ("[" * 100_000, "config_beyond"),
        ("{a: " * 100_000, "config_beyond"),
        ("- " * 50_000, "config_beyond"),
        ("? " * 50_000, "config_beyond"),
        ("- x\n" * 150_000, "config_beyond"),
        ("# " + "x" * (1 << 20), "config_too_large"),
        ("a: " + "9" * 5000, "config_value_wrong"),
        ("a: 2026-99-99", "config_value_wrong"),
        ("a: 2026-02-29 25:61:61", "config_value_wrong"),
        ("a: !!bool perhaps", "config_value_wrong"),
        ("a: !!int ''", "config_value_wrong"),
        ("a: !!float x", "config_value_wrong"),
        ("a: !!timestamp x", "config_value_wrong"),
        ("a: !!python/object/apply:os.system [ls]", "config_unreadable"),
        ("? [a]\n: b", "config_unreadable"),
        ("? {a: b}\n: b", "config_unreadable"),
        ("a: [", "config_unreadable"),
        ("a: *b", "config_unreadable"),
        ("a: 1\n---\na: 2", "config_unreadable"),
        ("a: \x00", "config_unreadable"),
    ],
)
def test_what_is_no_configuration_is_refused_by_its_file(tmp_path, text, code):
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"site\.yaml") as caught:
        read_yaml(path)
    assert caught.value.message.code == code


@pytest.mark.parametrize("encoding", ["cp949", "utf-16", "utf-16-le"])
def test_other_encodings_are_refused(tmp_path, encoding):
    path = tmp_path / "site.yaml"
    path.write_bytes("a: 1\nb: 배터리\n".encode(encoding))
    with pytest.raises(ConfigError, match="not valid YAML"):
        read_yaml(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_never_opened(tmp_path, kind):
    path = tmp_path / "site.yaml"
    make = {"pipe": os.mkfifo, "device": lambda p: p.symlink_to("/dev/zero"), "folder": os.mkdir}
    make[kind](path)
    with pytest.raises(ConfigError):
        read_yaml(path)


def test_what_a_configuration_may_hold_is_read(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text("base: &b {x: 1}\nmore: {<<: *b, y: [*b, *b]}\n", encoding="utf-8-sig")
    assert read_yaml(path)["more"] == {"x": 1, "y": [{"x": 1}, {"x": 1}]}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text("[]{}:,&*!?|>-'\"#%@`~ab01<.\n\t é", max_size=60))
def test_any_text_is_read_or_refused(text):
    with suppress(ConfigError):
        parse_yaml(text, "any.yaml")


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "lot: " + "[" * 9000,
        "lot: {patterns: 2026-99-99}",
        "lot: {patterns: " + "9" * 6000 + "}",
        "vlm: !!binary aGFsbG8=",
        "vlg: {limits: {box_threshold: .nan}}",
        "vlg: {limits: {max_boxes: 1e400}}",
        "classes: {x: 2026-01-01}",
        "inspector: {method: !!set {a, b}}",
        "1: 2",
        "lot: {1: 2}",
        "recipe: [a]",
        "recipe: ../../x",
    ],
)
def test_a_site_that_cannot_be_read_is_one_line_and_exit_2(tmp_path, capsys, text):
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "lot").mkdir()
    command = ["inspect", str(tmp_path / "lot"), "--site", str(tmp_path)]
    assert run(app, "station", command) == 2
    told = capsys.readouterr().err.strip()
    assert "Traceback" not in told
    assert len(told.splitlines()) == 1
    assert "site.yaml" in told or "recipe" in told


@pytest.mark.parametrize("regex", ["(" * 900 + "(?P<battery>x)" + ")" * 900, "(?P<battery>x{9"])
def test_a_pattern_that_cannot_be_compiled_names_its_key(regex):
    with pytest.raises(ValueError, match="regex"):
        SitePattern(name="a", regex=regex, modality="ct")

"""A wrong configuration is refused with the file and the key, never taken half."""

from __future__ import annotations

import os

import pytest

from inspection.classes import load_classes
from inspection.config import (
    InspectorConfig,
    Policy,
    Sampling,
    load_inspector,
    policy_of,
)
from inspection.errors import ConfigError


def test_the_installed_policy_is_valid():
    assert load_inspector().aggregation.min_run == 3


@pytest.mark.parametrize("value", ["0", "1", "-0.1", "1.5", ".nan"])
def test_a_slice_threshold_that_tells_nothing_apart_is_refused(tmp_path, value):
    path = tmp_path / "inspector.yaml"
    path.write_text(f"inspector: {{aggregation: {{slice_threshold: {value}}}}}", encoding="utf-8")
    with pytest.raises(ConfigError, match="slice_threshold"):
        load_inspector(path)


def test_a_folder_in_the_place_of_a_file_is_one_sentence(tmp_path):
    folder = tmp_path / "inspector.yaml"
    folder.mkdir()
    with pytest.raises(ConfigError) as caught:
        load_inspector(folder)
    assert "inspector.yaml" in caught.value.text("ko")
    assert "열 수 없습니다" in caught.value.text("ko")


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind this user"
)
def test_a_file_that_may_not_be_read_is_one_sentence(tmp_path):
    path = tmp_path / "inspector.yaml"
    path.write_text("inspector: {}", encoding="utf-8")
    path.chmod(0)
    with pytest.raises(ConfigError, match=r"inspector\.yaml cannot be opened"):
        load_inspector(path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "classes"),
        ("[a, b]", "classes"),
        ("cell_normal: good", "cell_normal"),
        ("cell_normal: {severity: FINE}", "severity"),
        (
            "a: {severity: WARNING, name: {en: a}, cause: {en: a, ko: a}, action: {en: a, ko: a}}",
            "name",
        ),
    ],
)
def test_a_malformed_class_table_names_what_is_wrong(tmp_path, text, named):
    path = tmp_path / "classes.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_classes(path)
    assert named in caught.value.message.params["field"]


def test_a_session_goes_on_with_the_policy_it_was_begun_with(tmp_path):
    begun = Policy(
        InspectorConfig(method="voting", sampling=Sampling(images_per_battery=9)),
        tmp_path / "begun.yaml",
    )
    now = Policy(InspectorConfig(method="rule_based"), tmp_path / "inspector.yaml")
    assert policy_of(begun.snapshot(), now) == begun
    assert policy_of({}, now) == now
    with pytest.raises(ConfigError, match=r"session\.json.*method"):
        policy_of({"inspector": {"method": "dice"}}, now)

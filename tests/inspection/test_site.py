"""A site's own settings: they go before the program's, and a mistake is told in one sentence."""

import json

import pytest
import yaml

from app.__main__ import app
from inspection.classes import class_table
from inspection.config import find_policy
from inspection.console import run
from inspection.errors import ConfigError
from inspection.lot.config import load_lot_config
from inspection.paths import resource_path
from inspection.site import SITE_VARIABLE, current_site, use_site
from inspection.systems import site_schema
from inspection.systems.vlg.config import load_vlg_config
from inspection.systems.vlm.config import Prompts, load_vlm_config

MODELS = resource_path("models")


@pytest.fixture(autouse=True)
def _no_site(monkeypatch):
    # Set first, so that it is taken back at the end whatever the test does to it.
    monkeypatch.setenv(SITE_VARIABLE, "")
    monkeypatch.delenv(SITE_VARIABLE)


def write_site(folder, content, **recipes):
    folder.mkdir(exist_ok=True)
    (folder / "site.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    for name, recipe in recipes.items():
        (folder / "recipes").mkdir(exist_ok=True)
        (folder / "recipes" / f"{name}.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return folder


def read_site(folder):
    use_site(folder)
    site_schema.check_site()


def test_without_a_site_a_session_records_what_it_always_did():
    assert current_site() is None
    assert set(find_policy(MODELS).snapshot()) == {"inspector", "inspector_from", "gate"}


def test_a_key_that_is_set_counts_and_the_others_stay(tmp_path):
    before = find_policy(MODELS).inspector
    pattern = {"name": "line 3", "regex": r"(?P<battery>B\d+)/.*", "modality": "ct"}
    content = {
        "inspector": {"aggregation": {"min_run": 7}, "sampling": {"images_per_battery": 9}},
        "classes": {"damaged": {"name": {"ko": "외관 손상"}}},
        "lot": {"patterns": [pattern]},
        "vlm": {"limits": {"max_new_tokens": 99}},
        "vlg": {"limits": {"max_boxes": 3}},
    }
    read_site(write_site(tmp_path / "site", content))

    policy = find_policy(MODELS)
    aggregation = before.aggregation.model_copy(update={"min_run": 7})
    sampling = before.sampling.model_copy(update={"images_per_battery": 9})
    assert policy.inspector == before.model_copy(
        update={"aggregation": aggregation, "sampling": sampling}
    )
    assert class_table().rows["damaged"].name == {"en": "Damaged", "ko": "외관 손상"}
    assert [found.name for found in load_lot_config().patterns] == ["line 3"]
    assert load_vlm_config().limits.max_new_tokens == 99
    assert load_vlg_config().limits.max_boxes == 3
    assert "외관 손상" in Prompts(load_vlm_config(), "input_pixels").of("rgb", "ko")
    kept = json.loads(json.dumps(policy.snapshot()))
    assert kept["inspector_from"] == str(tmp_path / "site" / "site.yaml")
    assert kept["site"] == {"folder": str(tmp_path / "site"), "recipe": None, "settings": content}


def test_a_recipe_lies_over_the_site(tmp_path):
    content = {"recipe": "pouch", "inspector": {"aggregation": {"min_run": 7, "top_k_views": 2}}}
    recipe = {"inspector": {"aggregation": {"min_run": 4}}}
    use_site(write_site(tmp_path / "site", content, pouch=recipe, other={}))
    policy = find_policy(MODELS)
    assert policy.inspector.aggregation.min_run == 4
    assert policy.inspector.aggregation.top_k_views == 2
    assert policy.path.name == "pouch.yaml"
    assert policy.snapshot()["site"]["recipe"] == "pouch"


CLASS = {
    "modality": "ct",
    "battery_type": "cell",
    "kind": "wrinkle",
    "severity": "CRITICAL",
    "name": {"en": "Cell, wrinkle", "ko": "셀 주름"},
    "cause": {"en": "c", "ko": "c"},
    "action": {"en": "a", "ko": "a"},
    "phrases": ["inner wrinkle"],
}


def test_a_class_that_the_site_adds_is_asked_for_and_read(tmp_path):
    from inspection.lot.labels import class_of, read_label
    from inspection.systems.vlm.words import type_of

    use_site(write_site(tmp_path / "site", {"classes": {"cell_wrinkle": CLASS}}))
    assert class_table().ct_defects[-1] == "cell_wrinkle"
    assert load_vlg_config().defect_types("ct", "cell")["inner wrinkle"] == "cell_wrinkle"
    assert "cell_wrinkle: 셀 주름" in Prompts(load_vlm_config(), "input_pixels").of("ct", "ko")
    assert type_of("cell_wrinkle", None) == "cell_wrinkle"
    label = tmp_path / "label.json"
    label.write_text(
        json.dumps(
            {
                "data_info": {"data_type": "ct", "type": "cell"},
                "defects": [{"name": "Wrinkle", "points": [0, 0, 9, 0, 9, 9]}],
                "image_info": {"is_normal": False},
            }
        ),
        encoding="utf-8",
    )
    assert class_of(read_label(label)) == "cell_wrinkle"


def test_words_of_a_class_that_never_end_on_an_answer_are_told(tmp_path):
    from inspection.systems.vlm.words import kind_of

    words = {"en": "(a|aa)+b", "ko": "주름"}
    use_site(
        write_site(tmp_path / "site", {"classes": {"cell_wrinkle": {**CLASS, "words": words}}})
    )
    with pytest.raises(ConfigError, match="too long on an answer"):
        kind_of("a" * 60)


@pytest.mark.parametrize(
    ("content", "recipe", "words"),
    [
        ({"inspectors": {}}, None, ["site.yaml", "inspectors", "not a key"]),
        ({"inspector": 3}, None, ["site.yaml", "inspector"]),
        (
            {"inspector": {"aggregation": {"min_rum": 3}}},
            None,
            [
                "site.yaml",
                "inspector.aggregation.min_rum",
                "not a key",
                "inspector.aggregation.min_run",
            ],
        ),
        ({"classes": {"damaged": {"severity": "FINE"}}}, None, ["site.yaml", "damaged.severity"]),
        ({"classes": {"crack": {"modality": "ct"}}}, None, ["site.yaml", "crack.severity"]),
        ({"lot": {"patterns": [{"name": "a"}]}}, None, ["site.yaml", "lot.patterns.0.regex"]),
        ({"vlg": {"queries": {"ct": []}}}, None, ["site.yaml", "vlg.queries"]),
        ({"recipe": "../x"}, None, ["site.yaml", "recipe"]),
        ({"recipe": "b"}, {}, ["site.yaml", "b.yaml"]),
        ({"recipe": "b" * 300}, {}, ["site.yaml", "recipe"]),
        ({"recipe": "a"}, {"vlm": {"version": 0}}, ["a.yaml", "vlm.version"]),
        ({"recipe": "a"}, {"recipe": "b"}, ["a.yaml", "recipe", "not a key"]),
    ],
)
def test_a_mistake_names_file_and_key(tmp_path, content, recipe, words):
    folder = write_site(tmp_path / "site", content, **({} if recipe is None else {"a": recipe}))
    with pytest.raises(ConfigError) as caught:
        read_site(folder)
    for language in ("en", "ko"):
        text = caught.value.text(language)
        assert all(word in text for word in words if language == "en" or word != "not a key")
        assert "\n" not in text


def test_a_section_that_was_meant_is_named(tmp_path):
    with pytest.raises(ConfigError, match="the nearest is inspector"):
        read_site(write_site(tmp_path / "site", {"inspektor": {}}))


def test_a_file_that_is_no_yaml_is_told_with_its_line(tmp_path):
    folder = write_site(tmp_path / "site", {})
    (folder / "site.yaml").write_text("lot:\n  patterns: [\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        use_site(folder)
    assert f"{folder / 'site.yaml'} is not valid YAML (line 3)" in caught.value.text()


@pytest.mark.parametrize("command", ["inspect", "gui"])
def test_the_command_refuses_a_folder_that_is_no_site(tmp_path, capsys, command):
    assert run(app, "station", [command, str(tmp_path), "--site", str(tmp_path / "none")]) == 2
    assert "has no site.yaml" in capsys.readouterr().err


def test_the_published_schema_is_that_of_the_program():
    assert site_schema.SCHEMA_PATH.read_text(encoding="utf-8") == site_schema.site_schema()


def test_the_schema_knows_every_key():
    from inspection.site import RECIPE_KEY, SECTIONS

    assert set(json.loads(site_schema.site_schema())["properties"]) == {RECIPE_KEY, *SECTIONS}

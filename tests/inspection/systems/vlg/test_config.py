"""The VLG's queries and limits: complete, unambiguous, and told apart by their hash."""

import pytest
import yaml

from inspection.classes import class_table
from inspection.errors import ConfigError
from inspection.systems.vlg.config import VlgConfig, load_vlg_config


def content() -> dict:
    return {"vlg": load_vlg_config().model_dump(mode="json")}


def load(tmp_path, changed: dict) -> VlgConfig:
    path = tmp_path / "vlg.yaml"
    path.write_text(yaml.safe_dump(changed), encoding="utf-8")
    return load_vlg_config(path)


def test_every_defect_class_is_looked_for_and_has_a_name():
    config = load_vlg_config()
    found = {
        name
        for modality in ("ct", "rgb")
        for battery_type in ("cell", "module", None)
        for name in config.defect_types(modality, battery_type).values()
    }
    assert found == {*class_table().ct_defects, *class_table().rgb_defects}
    assert found <= set(class_table().rows)


def test_the_defect_type_of_a_phrase_depends_on_the_battery():
    config = load_vlg_config()
    assert config.defect_types("ct", "cell")["porosity"] == "cell_porosity"
    assert config.defect_types("ct", "module")["void"] == "module_porosity"
    assert config.defect_types("ct", "module")["resin overflow"] == "module_resin_overflow"
    assert "resin overflow" not in config.defect_types("ct", "cell")
    assert set(config.defect_types("ct", None)) == set(config.phrases("ct"))
    assert config.defect_types("rgb", "cell")["scratch"] == "damaged"


def test_the_identity_follows_the_queries_and_nothing_else(tmp_path):
    first = load_vlg_config().identity()
    changed = content()
    changed["vlg"]["limits"]["box_threshold"] = 0.9
    assert load(tmp_path, changed).identity() == first
    changed["vlg"]["queries"]["rgb"][0]["phrases"].append("grease")
    assert load(tmp_path, changed).identity() != first


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda v: v["queries"]["ct"][0]["phrases"].append("resin overflow"), "two defects"),
        (lambda v: v["queries"]["ct"][0]["defect_type"].update(cell="damaged"), "no defect type"),
        (lambda v: v["queries"]["ct"][0]["phrases"].append("a. b"), "phrases"),
        (lambda v: v["queries"]["ct"][0]["phrases"].append("x" * 61), "phrases"),
        (lambda v: v["queries"].pop("rgb"), "queries"),
        (lambda v: v["limits"].update(box_threshold=1.2), "box_threshold"),
        (lambda v: v["limits"].update(floor_short_side=900), "must not decrease"),
        (lambda v: v.update(colour="red"), "colour"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path, change, word):
    changed = content()
    change(changed["vlg"])
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, changed)
    assert word in caught.value.text()


def test_pixels_are_halved_down_to_the_floor():
    limits = load_vlg_config().limits
    steps = [limits.max_pixels]
    fewer = limits.fewer_pixels()
    while fewer is not None:
        assert fewer.short_side >= limits.floor_short_side
        steps.append(fewer.max_pixels)
        fewer = fewer.fewer_pixels()
    assert len(steps) == 3
    assert steps[1] / steps[0] == pytest.approx(0.5, abs=0.01)

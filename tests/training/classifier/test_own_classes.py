"""Classes that a site adds: older weights are taken over, and crops beside a defect are normal."""

from __future__ import annotations

import pytest
import torch
from builders.small_models import write_small_models

from inspection.classes import class_table
from inspection.errors import ConfigError
from inspection.modelstore.bundle import load_bundle
from inspection.modelstore.bundle_writing import rewrite_bundle
from inspection.systems.ensemble.backbones import build_classifier
from training.classifier.classifier import load_start
from training.classifier.dataset import normal_beside

SITE = """
classes:
  foil_crease:
    modality: ct
    kind: crease
    severity: WARNING
    name: {en: "Foil crease", ko: "포일 주름"}
    cause: {en: "Pressed while it was wound.", ko: "권취 중 눌림."}
    action: {en: "Rework.", ko: "재작업합니다."}
"""


@pytest.fixture
def older(tmp_path):
    """Return a bundle of the program's own classes, made before the site had one more."""
    return load_bundle(write_small_models(tmp_path / "models") / "ct_cnn")


@pytest.fixture
def table(older, tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "site.yaml").write_text(SITE, "utf-8")
    monkeypatch.setenv("STATION_SITE", str(tmp_path / "site"))
    return class_table()


def test_a_model_without_the_new_class_is_gone_on_from(older, table):
    model = build_classifier(older.manifest.architecture)
    before = model.fc.weight.detach().clone()
    load_start(model, older)
    weights, known = older.load_tensors(), older.manifest.labels
    for place, name in enumerate(known):
        torch.testing.assert_close(
            model.fc.weight[table.ct.index(name)], weights["fc.weight"][place]
        )
    added = table.ct.index("foil_crease")
    torch.testing.assert_close(model.fc.weight[added], before[added])
    torch.testing.assert_close(model.stem[0].weight, weights["stem.0.weight"])


def test_a_model_of_other_classes_alone_is_one_sentence(older, table):
    strange = rewrite_bundle(older, {}, labels=["a", "b", "c", "d", "e"])
    with pytest.raises(ConfigError) as caught:
        load_start(build_classifier(older.manifest.architecture), strange)
    assert caught.value.message.code == "init_labels"


def test_a_crop_beside_a_defect_of_any_battery_is_normal_for_its_battery(table):
    crease = table.ct.index("foil_crease")
    assert table.ct[normal_beside(crease, "module")] == "module_normal"
    assert table.ct[normal_beside(crease, "cell")] == "cell_normal"
    assert table.rows[table.ct[normal_beside(crease, None)]].kind is None
    assert table.ct[normal_beside(table.ct.index("cell_porosity"), None)] == "cell_normal"

"""``trainer gate``: a model's gate from the lots that it was trained on and others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from inspection.errors import ConfigError
from inspection.modelstore.bundle import WEIGHTS_NAME, load_bundle
from inspection.synthetic import SyntheticLot, write_lot
from tests.builders.small_models import write_small_models
from training.cli.gate import gate


@pytest.fixture(scope="module")
def lots(tmp_path_factory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("lots")
    spec = SyntheticLot(batteries=6, slices=6, views=6, canvas=128, seed=5, defects=0.0)
    return (
        write_lot(root / "seen", spec),
        write_lot(root / "held", spec.model_copy(update={"seed": 6})),
    )


@pytest.mark.parametrize("slot", ["ct_cnn", "rgb_ae"])
def test_a_gate_is_fitted_beside_the_weights_and_says_what_it_catches(slot, lots, tmp_path, capsys):
    folder = write_small_models(tmp_path) / slot
    (folder / "model_card.md").write_text("card", encoding="utf-8")
    weights = hashlib.sha256((folder / WEIGHTS_NAME).read_bytes()).hexdigest()
    assert gate(folder, [lots[0]], [lots[1]], device="cpu", language="en") == 0
    found = load_bundle(folder).gate
    assert found is not None
    assert (found.fitted_on, found.checked_on) == ("seen", "held")
    assert hashlib.sha256((folder / WEIGHTS_NAME).read_bytes()).hexdigest() == weights
    assert (folder / "model_card.md").read_text(encoding="utf-8") == "card"
    said = capsys.readouterr().out
    assert "of 36" in said
    assert "False alarms, batteries: " in said

    # A second time in place of the first.
    assert gate(folder, [lots[1]], [lots[0]], device="cpu", language="ko") == 0
    again = load_bundle(folder).gate
    assert again is not None
    assert again.fitted_on == "held"
    assert "오경보" in capsys.readouterr().out


def test_both_kinds_of_lots_are_needed(lots, tmp_path):
    folder = write_small_models(tmp_path) / "ct_cnn"
    for given in ((None, [lots[1]]), ([lots[0]], None)):
        with pytest.raises(ConfigError) as refused:
            gate(folder, *given, device="cpu", language="en")
        assert refused.value.message.code == "gate_needs_lots"
    assert load_bundle(folder).gate is None

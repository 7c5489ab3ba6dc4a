"""Which model may take the place of the one in use, on what neither has seen."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders.small_models import write_small_models

from inspection.modelstore.bundle import Bundle, load_bundle
from inspection.modelstore.bundle_writing import rewrite_bundle
from inspection.modelstore.folders import ModelFolders
from inspection.modelstore.release_records import Comparison, ReleaseConfig
from inspection.modelstore.seen import SEEN_FILE, SeenImages, fingerprint
from inspection.records import source_path
from inspection.synthetic import SyntheticLot, write_lot
from training.autoencoder.calibrate import choose_threshold
from training.evaluation.evaluate import Data
from training.release.compare import compare, find_challenger
from training.release.units import HeldOutUnits, read_plain_units, read_units

STRICT = ReleaseConfig(margin=0.05, confidence=0.95)
WIDE = ReleaseConfig(margin=1.0, confidence=0.95)
NOTHING_PASSES, EVERYTHING_PASSES = 1e-9, 0.999999


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = SyntheticLot(batteries=6, slices=4, views=1, canvas=128, seed=77, defects=0.9)
    return write_lot(tmp_path_factory.mktemp("lots") / "lot", spec, workers=1)


@pytest.fixture(scope="module")
def held_out(lot: Path) -> HeldOutUnits:
    return read_units(Data((lot,)), "rgb")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ModelFolders:
    """Return models that call every view defective."""
    folder = write_small_models(tmp_path_factory.mktemp("models") / "models")
    choose_threshold(folder / "rgb_ae", NOTHING_PASSES)
    return ModelFolders((folder,))


def challenger(
    folder: Path,
    slot: str = "rgb_ae",
    threshold: float = NOTHING_PASSES,
    seen: frozenset[str] = frozenset(),
) -> Bundle:
    """Return a run's model that tells what it has seen."""
    write_small_models(folder)
    other = "ct_cnn" if slot == "rgb_ae" else "rgb_ae"
    shutil.rmtree(folder / other)
    content = {SEEN_FILE: SeenImages(seen).to_bytes()}
    rewrite_bundle(load_bundle(folder / slot), content, name="new")
    if slot == "rgb_ae":
        choose_threshold(folder / slot, threshold)
    return find_challenger(folder)


def codes(comparison: Comparison) -> list[str]:
    return [message.code for message in comparison.reservations]


def test_a_model_that_misses_more_is_not_released(
    tmp_path: Path, models: ModelFolders, held_out: HeldOutUnits
) -> None:
    blind = challenger(tmp_path, threshold=EVERYTHING_PASSES)
    found = compare(tmp_path, blind, models, held_out, None, STRICT)
    measured = found.measured
    assert (measured.unit, measured.defective + measured.normal) == ("battery", 6)
    assert measured.challenger.escapes == measured.defective == len(measured.missed)
    assert measured.present is not None
    assert measured.escape is not None
    assert measured.escape.worse == measured.defective > measured.present.escapes == 0
    assert (measured.challenger.overkills, measured.present.overkills) == (0, measured.normal)
    assert codes(found) == ["release_escapes_may_rise"]
    assert not found.may_be_released
    assert "release_present_unknown" in [message.code for message in found.notes]


def test_few_batteries_without_a_difference_do_not_reach_a_strict_margin(
    tmp_path: Path, models: ModelFolders, held_out: HeldOutUnits
) -> None:
    alike = challenger(tmp_path)
    found = compare(tmp_path, alike, models, held_out, held_out, STRICT)
    assert found.measured.escape is not None
    assert (found.measured.escape.worse, found.measured.escape.better) == (0, 0)
    assert found.measured.escape.high > 0.3
    assert codes(found) == ["release_escapes_may_rise"]
    assert found.golden is not None
    assert found.golden.challenger.escapes == 0
    # A site that allows as much gets it.
    found = compare(tmp_path, alike, models, held_out, None, WIDE)
    assert found.may_be_released
    assert found.golden is None


def test_a_model_that_lets_nothing_pass_is_not_released(
    tmp_path: Path, held_out: HeldOutUnits
) -> None:
    lets = write_small_models(tmp_path / "models")
    choose_threshold(lets / "rgb_ae", EVERYTHING_PASSES)
    normal = [unit for unit in held_out.units if not unit.defective]
    many = tuple(replace(unit, key=f"{unit.key}-{n}") for n in range(5) for unit in normal)
    units = HeldOutUnits(
        "battery", held_out.data, (*many, *(u for u in held_out.units if u.defective))
    )
    found = compare(
        tmp_path / "run", challenger(tmp_path / "run"), ModelFolders((lets,)), units, None, WIDE
    )
    assert found.measured.challenger.escapes == 0
    assert codes(found) == ["release_overkill_rises"]


def test_what_either_model_has_seen_is_left_out(
    tmp_path: Path, models: ModelFolders, held_out: HeldOutUnits
) -> None:
    first, second = held_out.units[:2]
    some = challenger(tmp_path / "some", seen=first.prints)
    own = Path(shutil.copytree(models.install, tmp_path / "models"))
    rewrite_bundle(
        load_bundle(own / "rgb_ae"),
        {SEEN_FILE: SeenImages(frozenset([*second.prints][:1])).to_bytes()},
    )
    folders = ModelFolders((own,))
    found = compare(tmp_path / "some", some, folders, held_out, None, WIDE).measured
    assert (found.known_to_challenger, found.known_to_present) == (1, 1)
    assert found.defective + found.normal == len(held_out.units) - 2
    assert found.held_out != held_out.digest
    everything = frozenset().union(*(unit.prints for unit in held_out.units))
    known = challenger(tmp_path / "all", seen=everything)
    nothing = compare(tmp_path / "all", known, folders, held_out, None, WIDE)
    assert (nothing.measured.defective, nothing.measured.normal) == (0, 0)
    assert codes(nothing) == ["release_escapes_unmeasured"]
    assert "release_left_out" in [message.code for message in nothing.notes]


def test_a_model_that_does_not_tell_its_training_needs_a_signature(
    tmp_path: Path, models: ModelFolders, held_out: HeldOutUnits
) -> None:
    write_small_models(tmp_path)
    shutil.rmtree(tmp_path / "ct_cnn")
    found = compare(tmp_path, find_challenger(tmp_path), models, held_out, None, WIDE)
    assert codes(found) == ["release_challenger_unknown"]


def test_without_defects_escapes_are_unmeasured(
    tmp_path: Path, models: ModelFolders, held_out: HeldOutUnits
) -> None:
    normal = HeldOutUnits(
        "battery", held_out.data, tuple(u for u in held_out.units if not u.defective)
    )
    found = compare(tmp_path, challenger(tmp_path), models, normal, None, WIDE)
    assert codes(found) == ["release_escapes_unmeasured"]
    assert found.measured.escape is None
    assert found.measured.challenger.f1 is None


def test_the_first_model_of_a_slot_has_nothing_beside_it(
    tmp_path: Path, held_out: HeldOutUnits
) -> None:
    first = challenger(tmp_path / "run")
    found = compare(
        tmp_path / "run", first, ModelFolders((tmp_path / "none",)), held_out, held_out, WIDE
    )
    assert found.present is None
    assert "release_nothing_beside" in codes(found)
    assert ("release_golden_missed" in codes(found)) == bool(found.measured.challenger.escapes)


def test_slices_count_by_runs_as_the_station_judges_them(
    tmp_path: Path, lot: Path, models: ModelFolders
) -> None:
    units = read_units(Data((lot,)), "ct")
    run = challenger(tmp_path, slot="ct_cnn")
    outcomes = {}
    for name, threshold, least in (("deaf", 0.999, 1), ("long", 0.001, 99), ("sharp", 0.001, 1)):
        policy = f"inspector: {{aggregation: {{slice_threshold: {threshold}, min_run: {least}}}}}"
        (tmp_path / "inspector.yaml").write_text(policy, encoding="utf-8")
        found = compare(tmp_path, run, models, units, None, STRICT)
        assert found.present is not None
        assert found.challenger.policy != found.present.policy
        assert found.measured.defective == sum(unit.defective for unit in units.units) > 0
        outcomes[name] = found.measured.challenger
    defective = sum(unit.defective for unit in units.units)
    # Under the first policy no slice counts, under the last each; a run of 99 there is none.
    assert outcomes["deaf"].escapes == defective
    assert outcomes["sharp"].escapes == 0
    assert outcomes["sharp"].f1 == pytest.approx(2 * defective / (len(units.units) + defective))
    assert (outcomes["long"].escapes, outcomes["long"].f1) == (0, 0.0)
    assert outcomes["long"].stopped == len(units.units)


def test_a_plain_folder_counts_by_groups_of_images(tmp_path: Path, models: ModelFolders) -> None:
    rng = np.random.default_rng(4)
    for name in ("좋음", "scratch"):
        for part in range(4):
            grain = cv2.resize(rng.random((12, 16)).astype(np.float32), (320, 180))
            for shot, light in enumerate((0.8, 1.2)):
                path = tmp_path / "data" / name / f"{part}_{shot}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                image = np.clip(light * (70 + 60 * grain), 0, 255).astype(np.uint8)
                path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    units = read_plain_units(tmp_path / "data", "좋음")
    assert [unit.defective for unit in units.units].count(True) == 4
    assert all(len(unit.refs) == 2 for unit in units.units)
    run = challenger(tmp_path / "run", threshold=EVERYTHING_PASSES)
    found = compare(tmp_path / "run", run, models, units, None, STRICT)
    assert (found.measured.unit, found.measured.normal) == ("image_group", 4)
    assert found.measured.challenger.escapes == 4


def test_a_file_is_known_by_its_content(tmp_path: Path, held_out: HeldOutUnits) -> None:
    path = source_path(held_out.units[0].refs[0].source)
    moved = Path(shutil.copyfile(path, tmp_path / "another name.png"))
    assert fingerprint(moved) == fingerprint(path) in held_out.units[0].prints
    moved.write_bytes(moved.read_bytes() + b"\0")
    assert fingerprint(moved) != fingerprint(path)
    large = tmp_path / "large"
    large.write_bytes(bytes(6 << 20))
    before = fingerprint(large)
    with large.open("rb+") as stream:
        stream.seek(-1, 2)
        stream.write(b"x")
    assert fingerprint(large) != before

"""Operators' decisions become a labelled lot that the trainer reads."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from builders.before_seals import make_unsealed
from builders.decided_lots import NOW, images_of, judged_lot, region, word

from inspection.console import run
from inspection.lot.labels import class_of, read_label
from inspection.lot.scan import scan_lot
from inspection.modelstore.bundle import load_bundle
from inspection.people.person import Person
from inspection.records import image_name
from inspection.synthetic import SyntheticLot, write_lot
from training.__main__ import app

KIM = Person(name="Kim")


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    spec = SyntheticLot(batteries=4, slices=6, views=2, canvas=160, seed=5, defects=0.5)
    root = write_lot(tmp_path_factory.mktemp("lots") / "lot", spec, workers=1)
    # A line has no labels.
    for label in root.rglob("*.json"):
        label.unlink()
    return root


@pytest.fixture
def lot(clean, tmp_path):
    return Path(shutil.copytree(clean, tmp_path / "로트"))


@pytest.fixture
def batteries(lot):
    return scan_lot(lot).batteries


def collect(capsys, *arguments):
    capsys.readouterr()
    code = run(app, "trainer", ["collect", *map(str, arguments), "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out) if code == 0 else said.err


def names(battery, lot, modality):
    refs = [ref for ref in images_of(battery) if ref.modality == modality]
    return [image_name(ref, lot) for ref in refs]


def labels_in(folder):
    """Return the class of each labelled image, by its path in the lot."""
    found = {}
    for battery in scan_lot(folder).batteries:
        for ref in images_of(battery):
            if ref.label_path is not None:
                name = image_name(ref, folder)
                found[name] = class_of(read_label(ref.label_path), ref.modality)
    return found


def porosity(battery):
    return f"{battery.battery_type}_porosity"


def test_only_regions_and_confirmed_images_are_labelled(capsys, lot, batteries, tmp_path):
    first, second, third = batteries[:3]
    drawn, plain = names(first, lot, "ct")[0], names(first, lot, "ct")[1]
    view = names(second, lot, "rgb")[0]
    with judged_lot(lot, tmp_path / "sessions") as store:
        marked = word("internal_defect", defect_type=porosity(first), region=region(drawn))
        store.decide(first.battery_id, marked)
        store.decide(second.battery_id, word("normal"))
        store.confirm_image(first.battery_id, plain, KIM)
        store.confirm_image(second.battery_id, view, KIM)
        store.confirm_image(third.battery_id, names(third, lot, "ct")[2], KIM)
    out = tmp_path / "dataset"
    code, document = collect(capsys, store.folder, "--out", out)
    assert code == 0
    assert labels_in(out) == {
        drawn: porosity(first),
        plain: f"{first.battery_type}_normal",
        view: "normal",
        names(third, lot, "ct")[2]: f"{third.battery_type}_normal",
    }
    assert document["labelled"][porosity(first)] == 1
    undecided = {one["battery"] for one in document["left_out"]}
    assert undecided == {battery.battery_id for battery in batteries[2:]}
    # All images of the three batteries, as they are: no second copy on the same disk.
    copied = [ref for battery in scan_lot(out).batteries for ref in images_of(battery)]
    assert len(copied) == sum(len(images_of(battery)) for battery in batteries[:3])
    assert all((lot / image_name(ref, out)).samefile(ref.path) for ref in copied)
    label = read_label(next(out.rglob(f"{Path(drawn).stem}.json")))
    assert label.defects[0].points == ((10, 12), (30, 12), (30, 32), (10, 32))
    assert not label.problems
    told = json.loads((out / "collected.json").read_text("utf-8"))
    assert told["lots"][0]["sessions"] == [{"run_id": store.folder.name, "seal": "sealed"}]
    assert {one["image"]: one["by"] for one in told["lots"][0]["images"]}[drawn] == "Kim"


def test_nothing_is_overwritten_and_nothing_half_done_is_left(capsys, lot, batteries, tmp_path):
    with judged_lot(lot, tmp_path / "sessions") as store:
        store.decide(batteries[0].battery_id, word("normal"))
    out = tmp_path / "dataset"
    code, error = collect(capsys, store.folder, "--out", out)
    assert code == 2
    assert len(error.splitlines()) == 1
    assert "labels none of its images" in error
    assert not out.exists()
    out.mkdir()
    (out / "mine.txt").write_text("kept", "utf-8")
    code, error = collect(capsys, store.folder, "--out", out)
    assert code == 2
    assert "overwritten" in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "sessions", "로트"]
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_of_several_sessions_the_later_word_counts_and_is_told(capsys, lot, batteries, tmp_path):
    first, second, third = batteries[:3]
    slices = names(first, lot, "ct")
    with judged_lot(lot, tmp_path / "sessions") as one:
        marked = word("internal_defect", defect_type=porosity(first), region=region(slices[0]))
        one.decide(first.battery_id, marked)
        second_slice = names(second, lot, "ct")[0]
        kept = word("internal_defect", defect_type=porosity(second), region=region(second_slice))
        one.decide(second.battery_id, kept)
        one.decide(third.battery_id, word("normal"))
    with judged_lot(lot, tmp_path / "sessions", NOW + timedelta(hours=1)) as other:
        other.decide(first.battery_id, word("normal", minute=60))
        other.confirm_image(second.battery_id, names(second, lot, "ct")[1], KIM)
    code, document = collect(capsys, one.folder, other.folder, "--out", tmp_path / "dataset")
    assert code == 0
    assert set(labels_in(tmp_path / "dataset")) == set(names(second, lot, "ct")[:2])
    told = {(entry["battery"], entry["code"]) for entry in document["left_out"]}
    assert told == {
        (first.battery_id, "collect_word_overruled"),
        (first.battery_id, "collect_region_overruled"),
        (batteries[3].battery_id, "confirmed_undecided"),
    }


def test_an_image_that_changed_or_went_is_left_out(capsys, lot, batteries, tmp_path):
    first = batteries[0]
    slices = names(first, lot, "ct")
    with judged_lot(lot, tmp_path / "sessions") as store:
        for name in slices[:3]:
            store.confirm_image(first.battery_id, name, KIM)
    (lot / slices[0]).unlink()
    (lot / slices[1]).write_bytes((lot / slices[3]).read_bytes())
    code, document = collect(capsys, store.folder, "--out", tmp_path / "dataset")
    assert code == 0
    assert list(labels_in(tmp_path / "dataset")) == [slices[2]]
    told = {entry["image"]: entry["code"] for entry in document["left_out"] if entry["image"]}
    assert told == {slices[0]: "collect_image_gone", slices[1]: "collect_image_changed"}


def test_a_lot_that_was_copied_is_collected_from_where_it_is(capsys, lot, batteries, tmp_path):
    first = batteries[0]
    slices = names(first, lot, "ct")
    with judged_lot(lot, tmp_path / "sessions") as store:
        for name in slices[:2]:
            store.confirm_image(first.battery_id, name, KIM)
    there = tmp_path / "there"
    shutil.copytree(lot, there, copy_function=shutil.copyfile)
    shutil.rmtree(lot)
    (there / slices[1]).write_bytes(b"another")
    code, error = collect(capsys, store.folder, "--out", tmp_path / "dataset")
    assert (code, len(error.splitlines())) == (2, 1)
    code, document = collect(capsys, store.folder, "--out", tmp_path / "dataset", "--lot", there)
    assert code == 0
    assert list(labels_in(tmp_path / "dataset")) == [slices[0]]
    told = {entry["image"]: entry["code"] for entry in document["left_out"] if entry["image"]}
    assert told == {slices[1]: "collect_image_changed"}


@pytest.mark.parametrize("form", ["tiff-stack", "dicom"])
def test_planes_of_a_volume_are_labelled_beside_it(capsys, tmp_path, form):
    lot = tmp_path / "lot"
    spec = SyntheticLot(batteries=1, views=1, canvas=128, seed=5, defects=0.0, form=form)
    write_lot(lot, spec, workers=1)
    for label in lot.rglob("*.json"):
        label.unlink()
    battery = scan_lot(lot).batteries[0]
    slices = names(battery, lot, "ct")
    plain, drawn = slices[len(slices) // 2], slices[len(slices) // 2 + 1]
    with judged_lot(lot, tmp_path / "sessions") as store:
        store.confirm_image(battery.battery_id, plain, KIM)
        # No name tells the type of this battery: what was decided on it does.
        where = region(drawn, 4, 5, 8)
        marked = word("internal_defect", defect_type="cell_porosity", region=where)
        store.decide(battery.battery_id, marked)
    code, _ = collect(capsys, store.folder, "--out", tmp_path / "dataset")
    assert code == 0
    found = labels_in(tmp_path / "dataset")
    assert found == {plain: "cell_normal", drawn: "cell_porosity"}


def test_an_unsealed_session_is_one_line_unless_told(capsys, lot, batteries, tmp_path):
    with judged_lot(lot, tmp_path / "sessions") as store:
        marked = word(
            "internal_defect",
            defect_type=porosity(batteries[0]),
            region=region(names(batteries[0], lot, "ct")[0]),
        )
        store.decide(batteries[0].battery_id, marked)
        store.confirm_image(batteries[0].battery_id, names(batteries[0], lot, "ct")[1], KIM)
    altered = store.folder / "session.json"
    altered.write_text(altered.read_text("utf-8").replace('"normal"', '"review"'), "utf-8")
    code, error = collect(capsys, store.folder, "--out", tmp_path / "dataset")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "--accept-unsealed" in error
    code, document = collect(
        capsys, store.folder, "--out", tmp_path / "dataset", "--accept-unsealed"
    )
    assert code == 0
    assert sum(document["labelled"].values()) == 2
    make_unsealed(store.folder)
    code, error = collect(capsys, store.folder, "--out", tmp_path / "other")
    assert (code, len(error.splitlines())) == (2, 1)


def test_names_that_tell_no_type_need_to_be_told(capsys, clean, tmp_path):
    lot = tmp_path / "plain"
    for battery in scan_lot(clean).batteries[:2]:
        for modality in ("ct", "rgb"):
            folder = lot / battery.battery_id / modality
            folder.mkdir(parents=True)
            refs = [ref for ref in images_of(battery) if ref.modality == modality]
            for place, ref in enumerate(refs):
                shutil.copy(ref.path, folder / f"image_{place:03}{ref.path.suffix}")
    battery = scan_lot(lot).batteries[0]
    with judged_lot(lot, tmp_path / "sessions") as store:
        store.confirm_image(battery.battery_id, names(battery, lot, "ct")[0], KIM)
        store.confirm_image(battery.battery_id, names(battery, lot, "rgb")[0], KIM)
    code, document = collect(capsys, store.folder, "--out", tmp_path / "one")
    assert code == 0
    assert document["labelled"] == {"normal": 1}
    assert "collect_type_unknown" in {entry["code"] for entry in document["left_out"]}
    arguments = (store.folder, "--out", tmp_path / "two", "--type", "module")
    code, document = collect(capsys, *arguments)
    assert document["labelled"] == {"normal": 1, "module_normal": 1}


def test_a_collected_lot_passes_check_and_trains(capsys, lot, batteries, tmp_path):
    with judged_lot(lot, tmp_path / "sessions") as store:
        for battery in batteries:
            slices = names(battery, lot, "ct")
            marked = word(
                "internal_defect", defect_type=porosity(battery), region=region(slices[0])
            )
            store.decide(battery.battery_id, marked)
            for name in (*slices[1:4], names(battery, lot, "rgb")[0]):
                store.confirm_image(battery.battery_id, name, KIM)
    out = tmp_path / "dataset"
    assert collect(capsys, store.folder, "--out", out)[0] == 0
    assert run(app, "trainer", ["check", str(out), "--json"]) == 0
    findings = {row["kind"] for row in json.loads(capsys.readouterr().out)["findings"]}
    assert not {kind for kind in findings if kind.startswith("label_")}
    settings = {
        "training.epochs": 1,
        "warmup.epochs": 0,
        "training.batch_size": 2,
        "training.workers": 1,
        "preprocess.width": 64,
        "preprocess.height": 128,
        "split": "{train: 0.5, val: 0.5, test: 0}",
        "cache.folder": tmp_path / "cache",
    }
    command = ["train", "configs/demo_cnn.yaml", "--data", str(out), "--out", str(tmp_path / "run")]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    assert run(app, "trainer", command) == 0
    assert load_bundle(tmp_path / "run" / "ct_cnn", "ct_cnn").manifest.labels

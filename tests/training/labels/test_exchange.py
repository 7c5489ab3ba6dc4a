"""Labels to labelling tools and back: no class, outline or box is lost; odd files are one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from inspection.console import run
from inspection.lot.labels import class_of, read_label
from inspection.lot.scan import scan_lot
from inspection.records import image_name
from inspection.synthetic import SyntheticLot, write_lot
from training.__main__ import app


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("STATION_LANGUAGE", "en")


@pytest.fixture(scope="module")
def lot(tmp_path_factory):
    spec = SyntheticLot(batteries=5, slices=9, views=2, canvas=192, seed=11, defects=0.8)
    return write_lot(tmp_path_factory.mktemp("lots") / "로트", spec, workers=1)


def labels(capsys, *arguments):
    """Run a command and return its exit code, its document, or its error."""
    capsys.readouterr()
    code = run(app, "trainer", ["labels", *map(str, arguments), "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out) if code == 0 else said.err


def one_line(code, error):
    assert code == 2
    assert len(error.strip().splitlines()) == 1, error
    return error


def labelled(root):
    """Return class and outlines of each labelled image by its name."""
    found = {}
    for battery in scan_lot(root).batteries:
        for ref in (*battery.ct, *battery.rgb):
            if ref.label_path is not None:
                label = read_label(ref.label_path)
                assert not label.problems
                shapes = [(d.name, np.array(d.points)) for d in label.defects]
                found[image_name(ref, root)] = (class_of(label, ref.modality), shapes)
    return found


def same(one, other, *, boxes=False):
    assert one.keys() == other.keys()
    for name, (class_name, shapes) in one.items():
        assert other[name][0] == class_name
        assert len(other[name][1]) == len(shapes)
        for (kind, points), (other_kind, others) in zip(shapes, other[name][1], strict=True):
            assert kind == other_kind
            if boxes:
                low, high = points.min(axis=0), points.max(axis=0)
                np.testing.assert_allclose(others.min(axis=0), low, atol=0.01)
                np.testing.assert_allclose(others.max(axis=0), high, atol=0.01)
            else:
                np.testing.assert_allclose(others, points, atol=0.01)


@pytest.mark.parametrize("form", ["coco", "yolo", "yolo --boxes"])
def test_out_and_back_loses_no_class_and_no_shape(capsys, lot, tmp_path, form):
    name, *more = form.split()
    out = tmp_path / ("labels.json" if name == "coco" else "labels")
    code, told = labels(capsys, "export", lot, "--form", name, "--out", out, *more)
    assert code == 0
    before = labelled(lot)
    assert sum(told["labelled"].values()) == len(before)
    # What was labelled elsewhere is brought to images that have no labels of their own.
    bare = Path(shutil.copytree(lot, tmp_path / "bare"))
    for path in bare.rglob("*.json"):
        path.unlink()
    back = tmp_path / "back"
    code, again = labels(capsys, "import", out, "--form", name, "--images", bare, "--out", back)
    assert code == 0
    assert again["labelled"] == told["labelled"]
    assert not again["left_out"]
    same(before, labelled(back), boxes=bool(more))
    assert run(app, "trainer", ["check", str(back), "--no-pixels"]) == 0


@pytest.mark.parametrize("form", ["coco", "yolo"])
def test_planes_of_volumes_whose_labels_alone_tell_the_type_come_back(capsys, tmp_path, form):
    spec = SyntheticLot(batteries=2, views=1, canvas=128, seed=9, defects=1.0, form="tiff-stack")
    volumes = write_lot(tmp_path / "volumes", spec, workers=1)
    code, told = labels(capsys, "export", volumes, "--form", form, "--out", tmp_path / "out")
    assert code == 0
    assert {"cell_normal", "module_normal", "cell_porosity"} <= set(told["labelled"])
    back = bring(capsys, tmp_path / "out", volumes, tmp_path / "back", form=form)
    assert back[1]["labelled"] == told["labelled"]
    # Planes that show air are no slices, whatever their label.
    before, after = labelled(volumes), labelled(tmp_path / "back")
    same({name: before[name] for name in after}, after)


def test_a_tool_s_own_class_of_an_image_does_not_make_it_normal(capsys, lot, coco, tmp_path):
    images = json.loads(coco().read_text("utf-8"))["images"]
    told = bring(capsys, coco(images=[i | {"class": "train"} for i in images]), lot, tmp_path / "a")
    assert told[1]["unmarked"] == 1
    images[1]["class"] = "module_normal"
    told = bring(capsys, coco(images=images), lot, tmp_path / "b")
    assert [entry["code"] for entry in told[1]["left_out"]] == ["labels_class_elsewhere"]


def test_a_folder_for_yolo_has_the_images_beside_the_labels(capsys, lot, tmp_path):
    assert labels(capsys, "export", lot, "--form", "yolo", "--out", tmp_path / "y")[0] == 0
    texts = {
        path.relative_to(tmp_path / "y" / "labels").with_suffix("")
        for path in (tmp_path / "y" / "labels").rglob("*.txt")
    }
    images = {
        path.relative_to(tmp_path / "y" / "images").with_suffix("")
        for path in (tmp_path / "y" / "images").rglob("*.*")
        if path.is_file()
    }
    assert texts == images
    assert len(texts) == len(labelled(lot))


@pytest.fixture
def coco(capsys, lot, tmp_path):
    """Return what a tool may have written of two slices, as a function of its changes."""
    ct = [ref for battery in scan_lot(lot).batteries for ref in battery.ct]
    cell = next(ref for ref in ct if ref.battery_type == "cell")
    other = next(ref for ref in ct if ref.battery_type == "cell" and ref != cell)

    def write(**changes):
        content = {
            "images": [
                {"id": 7, "file_name": cell.path.name, "width": 192, "height": 192, "license": 1},
                {"id": 8, "file_name": other.path.name, "width": 192, "height": 192},
            ],
            "categories": [{"id": 3, "name": "porosity", "supercategory": ""}],
            "annotations": [
                {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 6, 40], "area": 240}
            ],
        }
        path = tmp_path / "tool.json"
        path.write_text(json.dumps(content | changes), "utf-8")
        return path

    write.cell, write.other = image_name(cell, lot), image_name(other, lot)
    return write


def bring(capsys, source, lot, out, *more, form="coco"):
    return labels(capsys, "import", source, "--form", form, "--images", lot, "--out", out, *more)


def test_a_tool_s_bare_names_boxes_and_kinds_are_understood(capsys, lot, coco, tmp_path):
    code, told = bring(capsys, coco(), lot, tmp_path / "out")
    assert code == 0
    found = labelled(tmp_path / "out")
    # Nothing was said of the other: to be unmarked is not to be normal.
    assert told["unmarked"] == 1
    assert list(found) == [coco.cell]
    assert found[coco.cell][0] == "cell_porosity"
    np.testing.assert_allclose(found[coco.cell][1][0][1], [[10, 20], [16, 20], [16, 60], [10, 60]])
    code, told = bring(capsys, coco(), lot, tmp_path / "normal", "--unmarked", "normal")
    assert told["labelled"] == {"cell_porosity": 1, "cell_normal": 1}


# One column of 30 pixels, column by column: a pore is a sliver.
RUNS = [50 * 192 + 40, 30, 192 * 192 - 50 * 192 - 70]


@pytest.mark.parametrize("counts", [RUNS, "X]9n0jaj0"])
def test_masks_of_runs_become_outlines(capsys, lot, coco, tmp_path, counts):
    mask = {
        "image_id": 7,
        "category_id": 3,
        "iscrowd": 1,
        "segmentation": {"size": [192, 192], "counts": counts},
    }
    code, _ = bring(capsys, coco(annotations=[mask]), lot, tmp_path / "out")
    assert code == 0
    points = labelled(tmp_path / "out")[coco.cell][1][0][1]
    np.testing.assert_allclose(points.min(axis=0), [50, 40], atol=0.5)
    np.testing.assert_allclose(points.max(axis=0), [51, 70], atol=0.5)


def test_odd_coco_files_are_one_line_and_leave_nothing(capsys, lot, coco, tmp_path):
    changes = {
        "No class is called dent": {"categories": [{"id": 3, "name": "dent"}]},
        "annotations[0]": {"annotations": [{"image_id": 99, "category_id": 3}]},
        "images.0.width": {"images": [{"id": 1, "file_name": "a.png", "width": 0, "height": 1}]},
        "Nothing is labelled": {"annotations": []},
        "labels twice": {
            "images": [
                {"id": n, "file_name": coco.cell, "width": 192, "height": 192} for n in (7, 8)
            ]
        },
    }
    for said, change in changes.items():
        assert said in one_line(*bring(capsys, coco(**change), lot, tmp_path / "out"))
    broken = tmp_path / "broken.json"
    broken.write_text('{"images": [', "utf-8")
    for source in (broken, tmp_path / "missing.json", tmp_path):
        assert "cannot be read" in one_line(*bring(capsys, source, lot, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_an_image_whose_label_is_odd_is_left_out_whole(capsys, lot, coco, tmp_path):
    annotations = [
        {"image_id": 7, "category_id": 3, "bbox": [10, 20, 6, 40]},
        {"image_id": 7, "category_id": 3, "bbox": [10, 20, 0, 40]},
        {"image_id": 8, "category_id": 3, "bbox": [10, 20, 900, 40]},
    ]
    images = json.loads(coco().read_text("utf-8"))["images"]
    large = [image | {"width": 10**9, "height": 10**9} for image in images]
    mask = {"size": [10**9, 10**9], "counts": [10**18]}
    huge = [{"image_id": 7, "category_id": 3, "segmentation": mask}]
    error = one_line(*bring(capsys, coco(images=large, annotations=huge), lot, tmp_path / "out"))
    assert "2 left out" in error
    extra = [{"id": 9, "file_name": "elsewhere.png", "width": 9, "height": 9}]
    images += extra
    third = {"image_id": 8, "category_id": 3, "bbox": [1, 2, 3, 4]}
    source = coco(annotations=annotations, images=images)
    error = one_line(*bring(capsys, source, lot, tmp_path / "out"))
    assert "3 left out" in error
    code, told = bring(
        capsys, coco(annotations=[annotations[1], third], images=images), lot, tmp_path / "out"
    )
    assert code == 0
    assert told["labelled"] == {"cell_porosity": 1}
    assert {entry["image"]: entry["code"] for entry in told["left_out"]} == {
        "elsewhere.png": "labels_image_unknown",
        coco.cell: "labels_shape_empty",
    }


@pytest.mark.parametrize("form", ["coco", "yolo"])
def test_a_damaged_image_is_left_out_and_the_others_come(capsys, lot, tmp_path, form):
    assert labels(capsys, "export", lot, "--form", form, "--out", tmp_path / "labels")[0] == 0
    damaged = Path(shutil.copytree(lot, tmp_path / "damaged"))
    name = next(iter(labelled(lot)))
    (damaged / name).write_bytes(b"\xff\xd8 no more")
    code, told = bring(capsys, tmp_path / "labels", damaged, tmp_path / "out", form=form)
    assert code == 0
    assert [entry["image"] for entry in told["left_out"]] == [name]
    assert len(labelled(tmp_path / "out")) == len(labelled(lot)) - 1


def test_yolo_of_a_tool_without_normal_list_and_odd_lines(capsys, lot, coco, tmp_path):
    folder = tmp_path / "tool"
    folder.mkdir()
    stem, other = (Path(name).stem for name in (coco.cell, coco.other))
    (folder / f"{stem}.txt").write_text("0 0.5 0.5 0.25 0.5 0.93\n", "utf-8")
    (folder / f"{other}.txt").write_text("", "utf-8")
    error = one_line(*bring(capsys, folder, lot, tmp_path / "out", form="yolo"))
    assert "what the classes are called" in error
    (folder / "classes.txt").write_text("cell_porosity\nmodule_porosity\n", "utf-8")
    code, told = bring(capsys, folder, lot, tmp_path / "out", form="yolo")
    assert code == 0
    assert (told["labelled"], told["unmarked"]) == ({"cell_porosity": 1}, 1)
    for place, line in enumerate(
        ("0 0.5 0.5 0.25", "7 0.5 0.5 0.1 0.1", "0 50 50 10 10", "x y", "0 nan 0 1 1")
    ):
        (folder / f"{other}.txt").write_text(f"{line}\n", "utf-8")
        code, told = bring(capsys, folder, lot, tmp_path / f"out{place}", form="yolo")
        assert [entry["code"] for entry in told["left_out"]] == ["labels_line_odd"]
    # A class that such a battery cannot have.
    (folder / f"{other}.txt").write_text("1 0.5 0.5 0.25 0.5\n", "utf-8")
    code, told = bring(capsys, folder, lot, tmp_path / "last", form="yolo")
    assert [entry["code"] for entry in told["left_out"]] == ["labels_class_elsewhere"]

"""Synthetic lots: the same seed gives the same files, labels tell the truth, nothing leaks."""

from __future__ import annotations

import json
import multiprocessing
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from inspection.errors import LotError
from inspection.synthetic import SyntheticLot, write_lot
from inspection.synthetic.ct import Defect, build_structure, render_slice
from inspection.synthetic.rgb import build_exterior, render_view
from inspection.synthetic.spec import plan_lot


def contents(lot: Path) -> dict[str, bytes]:
    return {p.relative_to(lot).as_posix(): p.read_bytes() for p in lot.rglob("*") if p.is_file()}


def labels(lot: Path, modality: str) -> list[dict]:
    return [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(lot.rglob(f"{modality}_*.json"))
    ]


@pytest.fixture(scope="module")
def lot(tmp_path_factory):
    spec = SyntheticLot(batteries=8, slices=12, views=4, canvas=192, seed=3, defects=0.75)
    return write_lot(tmp_path_factory.mktemp("lots") / "lot", spec, workers=1)


def test_the_same_seed_gives_the_same_files_however_many_workers(tmp_path):
    spec = SyntheticLot(batteries=3, slices=6, views=2, canvas=128, seed=11)
    alone = write_lot(tmp_path / "alone", spec, workers=1)
    together = write_lot(tmp_path / "together", spec, workers=2)
    other = write_lot(tmp_path / "other", spec.model_copy(update={"seed": 12}), workers=1)
    assert contents(alone) == contents(together)
    assert contents(alone) != contents(other)


def test_every_image_has_its_label_and_every_label_its_image(lot):
    names = [Path(name) for name in contents(lot)]
    pictures = sorted(name.stem for name in names if name.suffix in (".jpg", ".png"))
    assert len(pictures) == 8 * (12 + 4)
    assert pictures == sorted(n.stem for n in names if n.suffix == ".json" and n.stem != "truth")


def test_no_two_images_of_a_lot_share_an_image_id(lot):
    ids = [label["image_info"]["id"] for name in ("CT", "RGB") for label in labels(lot, name)]
    assert len(set(ids)) == len(ids) == 8 * (12 + 4)


@pytest.mark.parametrize("views", [1, 2])
def test_even_a_few_views_show_every_external_defect(tmp_path, views):
    spec = SyntheticLot(batteries=24, slices=3, views=views, canvas=128, seed=4, defects=1.0)
    lot = write_lot(tmp_path / "lot", spec, workers=1)
    defective = {f"{plan.number:03d}" for plan in plan_lot(spec) if plan.external}
    shown = {
        f"{label['data_info']['battery_ids']:03d}"
        for label in labels(lot, "RGB")
        if label["defects"]
    }
    truth = json.loads((lot / "truth.json").read_text(encoding="utf-8"))
    assert shown == defective == {name for name, battery in truth.items() if battery["external"]}


@pytest.mark.parametrize("modality", ["CT", "RGB"])
def test_polygons_lie_in_the_frame_and_agree_with_is_normal(lot, modality):
    found = 0
    for label in labels(lot, modality):
        info = label["image_info"]
        assert info["is_normal"] == (label["defects"] is None)
        for defect in label["defects"] or []:
            points = np.array(defect["points"]).reshape(-1, 2)
            assert (points >= 0).all()
            assert (points < [info["width"], info["height"]]).all()
            found += 1
    assert found > 0


def test_slices_are_black_outside_their_roi_and_not_inside(lot):
    for label in labels(lot, "CT")[::7]:
        (path,) = lot.rglob(label["image_info"]["file_name"])
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
        width, height = label["data_info"]["roi"]
        assert picture[:height, :width].mean() > 30
        assert picture[height + 8 :].max(initial=0) <= 4
        assert picture[:, width + 8 :].max(initial=0) <= 4


@pytest.mark.parametrize("name", ["porosity", "resin_overflow"])
def test_an_internal_defect_changes_the_picture_inside_its_polygon_only(name):
    rng = np.random.default_rng(5)
    structure = build_structure("module", "y", 512, rng)
    defect = Defect(name=name, axis="y", first=10, last=18, visibility="clear", seed=9)
    with_it, outlines = render_slice(structure, 12, [defect], np.random.default_rng(1), 512)
    without, none = render_slice(structure, 12, [], np.random.default_rng(1), 512)
    assert none == []
    mask = np.zeros((512, 512), np.uint8)
    cv2.fillPoly(mask, [np.round(o).astype(np.int32) for _, o in outlines], 1)
    near = cv2.dilate(mask, np.ones((7, 7), np.uint8)) > 0
    change = np.abs(with_it.astype(int) - without.astype(int))
    assert change[~near].max() <= 2
    assert change[mask > 0].mean() > 15


def test_a_full_size_pore_is_a_sliver_in_a_narrow_roi():
    structure = build_structure("cell", "z", 4000, np.random.default_rng(5))
    height, width = structure.image.shape
    assert 0.25 < width / height < 0.32
    defect = Defect(name="porosity", axis="z", first=10, last=18, visibility="clear", seed=9)
    pictures = [
        render_slice(structure, 12, defects, np.random.default_rng(1), 4000)
        for defects in ([defect], [])
    ]
    ((_, outline),) = pictures[0][1]
    change = pictures[1][0].astype(int) - pictures[0][0]
    rows = change[round(outline[:, 1].min()) + 40 : round(outline[:, 1].max()) - 40]
    assert rows.max(axis=1).min() > 30
    # Half of the contrast is left over a few pixels only.
    assert 2 <= np.median((rows > rows.max(axis=1, keepdims=True) / 2).sum(axis=1)) <= 9


@pytest.mark.parametrize("name", ["pollution", "damaged"])
def test_an_external_defect_shows_in_some_views_and_there_only(name):
    clean = build_exterior(512, None, "clear", np.random.default_rng(8))
    marked = build_exterior(512, name, "clear", np.random.default_rng(8))
    shown = []
    for number in range(6):
        angle = 2 * np.pi * number / 6
        with_it, outlines = render_view(marked, angle, np.random.default_rng(number))
        without, _ = render_view(clean, angle, np.random.default_rng(number))
        shown.append(bool(outlines))
        assert (np.abs(with_it.astype(int) - without).max() > 12) == bool(outlines)
    assert 2 <= sum(shown) <= 4


def test_shares_are_exact_and_the_number_tells_nothing():
    plans = plan_lot(SyntheticLot(batteries=200, defects=0.4, seed=6))
    places = Counter((bool(p.internal), bool(p.external)) for p in plans)
    assert places == {(False, False): 120, (True, False): 32, (False, True): 28, (True, True): 20}
    defective = [p.number for p in plans if p.internal or p.external]
    assert abs(np.mean(defective) - 100.5) < 20
    assert {p.internal for p in plans if p.battery_type == "cell"} == {None, "porosity"}


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1.0, 5)])
def test_no_defects_and_only_defects_can_be_asked_for(share, expected):
    plans = plan_lot(SyntheticLot(batteries=5, defects=share))
    assert sum(bool(p.internal or p.external) for p in plans) == expected


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(LotError, match="not an empty folder"):
        write_lot(tmp_path, SyntheticLot(batteries=1))
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_killed_worker_is_an_error_that_leaves_nothing_behind(tmp_path):
    def kill(done: int, total: int) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    spec = SyntheticLot(batteries=40, slices=6, views=1, canvas=192)
    with pytest.raises(LotError, match="was ended"):
        write_lot(tmp_path / "lot", spec, workers=2, progress=kill)
    assert list(tmp_path.iterdir()) == []


def grey_statistics(lot: Path) -> tuple[np.ndarray, list[str]]:
    rows, classes = [], []
    for label in labels(lot, "CT"):
        (path,) = (lot / "Training/01.원천데이터").rglob(label["image_info"]["file_name"])
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
        width, height = label["data_info"]["roi"]
        roi = picture[:height, :width].astype(float)
        histogram = np.histogram(roi, 16, (0, 256))[0] / roi.size
        rows.append([roi.mean(), roi.std(), roi.min(), roi.max(), *histogram])
        defects = label["defects"]
        name = defects[0]["name"].replace(" ", "_") if defects else "normal"
        classes.append(f"{label['data_info']['type']}_{name}")
    return np.array(rows), classes


def test_grey_statistics_alone_do_not_give_the_class_away(tmp_path):
    """Brightness, contrast and histogram of one lot must not classify another."""
    lots = [
        write_lot(
            tmp_path / str(seed),
            SyntheticLot(batteries=60, slices=9, views=0, canvas=256, seed=seed, defects=0.6),
        )
        for seed in (1, 2)
    ]
    (x, y), (x_test, y_test) = (grey_statistics(lot) for lot in lots)
    model = make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=5000, class_weight="balanced")
    )
    assert len(set(y_test)) == 5
    assert f1_score(y_test, model.fit(x, y).predict(x_test), average="macro") < 0.5


def test_another_style_shows_the_same_defects_on_batteries_that_look_otherwise(tmp_path):
    spec = SyntheticLot(batteries=3, slices=6, views=2, canvas=128, seed=11, defects=1.0)
    lots = [
        write_lot(tmp_path / str(style), spec.model_copy(update={"style": style}), workers=1)
        for style in (None, 1, 2)
    ]
    truths = [json.loads((lot / "truth.json").read_text(encoding="utf-8")) for lot in lots]
    kinds = [
        {name: [d["name"] for d in (*row["internal"], *row["external"])] for name, row in t.items()}
        for t in truths
    ]
    assert kinds[0] == kinds[1] == kinds[2]
    views = [sorted(lot.rglob("RGB_*_000.png"))[0] for lot in lots]
    plain, first, second = (cv2.imread(str(view)).reshape(-1, 3).mean(axis=0) for view in views)
    assert min(np.abs(plain - first).max(), np.abs(first - second).max()) > 10

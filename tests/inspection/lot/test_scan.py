"""Lots of every layout become the right batteries, and every odd file a finding."""

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.errors import ConfigError, LotError
from inspection.lot import findings
from inspection.lot.config import LotConfig, SitePattern, load_lot_config
from inspection.lot.filenames import axis_in, battery_id_of, natural_key, parse_stem
from inspection.lot.scan import scan_lot
from inspection.messages import wordings

IMAGES = "Training/01.원천데이터"
LABELS = "Training/02.라벨링데이터"


@pytest.fixture
def root(tmp_path):
    return tmp_path / "배터리 로트 1"


@pytest.fixture
def put(root):
    """Write files below the lot; the content is never looked at."""

    def put(*paths, content=b"x"):
        for path in paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)

    return put


def ct(number, *, kind="module", axis="z", at=1, folder=f"{IMAGES}/TS_CT_Datasets_images_1"):
    return f"{folder}/CT_{kind}_pouch_{number:03d}_{axis}_{at:03d}.jpg"


def rgb(number, at=1, folder=f"{IMAGES}/TS_Exterior_Img_Datasets_images_1"):
    return f"{folder}/RGB_cell_cylindrical_{number:04d}_{at:03d}.png"


def label_of(image):
    kind = "CT" if "CT_Datasets" in image else "Exterior_Img"
    stem = image.rpartition("/")[2].rpartition(".")[0]
    part = image.partition("/")[0]
    return f"{part}/02.라벨링데이터/TL_{kind}_Datasets_label/{stem}.json"


def found(lot):
    return sorted(finding.reason.code for finding in lot.findings)


def warned(battery):
    return [message.code for message in battery.warnings]


def names(refs):
    return [ref.path.name for ref in refs]


def test_published_layout_pairs_by_number(root, put):
    images = [ct(44, at=i) for i in (1, 2, 10)] + [rgb(44, i) for i in (1, 2)]
    put(*images, *map(label_of, images))
    lot = scan_lot(root)
    (battery,) = lot.pairs
    assert (battery.battery_id, battery.ct_id, battery.rgb_id) == (
        "044",
        "CT_module_pouch_044",
        "RGB_cell_cylindrical_0044",
    )
    assert battery.battery_type == "module"
    assert [(ref.axis, ref.number) for ref in battery.ct] == [("z", 1), ("z", 2), ("z", 10)]
    assert [(ref.axis, ref.number) for ref in battery.rgb] == [(None, 1), (None, 2)]
    assert all(ref.label_path.stem == ref.path.stem for ref in battery.ct + battery.rgb)
    assert all(ref.path.is_file() for ref in battery.ct + battery.rgb)
    assert lot.findings == ()


def test_pair_of_different_forms_carries_a_warning(root, put):
    put(ct(44), rgb(44))
    (battery,) = scan_lot(root).batteries
    assert warned(battery) == ["pair_pouch_cylindrical"]
    assert "파우치" in battery.warnings[0].text("ko")


@pytest.mark.parametrize(
    "folder", ["Training/01. 원천데이터/TS_CT", "a/b/c", "CT", "1.Training/원천데이터/ct", "."]
)
def test_published_names_count_in_any_folder(root, put, folder):
    put(*(ct(n, folder=folder) for n in (1, 2, 3)))
    assert [b.battery_id for b in scan_lot(root).batteries] == ["001", "002", "003"]


def test_same_battery_in_training_and_validation_is_one(root, put):
    put(ct(7, at=1), ct(7, at=2, folder="Validation/01.원천데이터/VS_CT_Datasets_images"), rgb(7))
    (battery,) = scan_lot(root).batteries
    assert [ref.number for ref in battery.ct] == [1, 2]


def test_label_of_the_other_part_does_not_count(root, put):
    image = ct(7)
    put(image, ct(8), label_of(ct(8)))
    put(f"Validation/02.라벨링데이터/VL_CT/{label_of(image).rpartition('/')[2]}")
    lot = scan_lot(root)
    assert lot.batteries[0].ct[0].label_path is None
    assert found(lot).count("lot_label_without_image") == 1
    assert found(lot).count("lot_image_unlabelled") == 1


def test_lot_without_labels_is_not_reproached(root, put):
    put(ct(1), rgb(1))
    assert scan_lot(root).findings == ()


def test_many_unlabelled_images_are_one_finding(root, put):
    put(rgb(1), label_of(rgb(1)), *(ct(1, at=i) for i in range(50)))
    (finding,) = scan_lot(root).findings
    assert finding.reason.code == "lot_image_unlabelled_many"
    assert finding.reason.params["count"] == 50
    assert finding.battery_id == "001"


def test_unpaired_batteries_stay_behind_the_pairs(root, put):
    put(ct(1), ct(2), rgb(2), rgb(3))
    lot = scan_lot(root)
    assert [b.battery_id for b in lot.batteries] == ["002", "001", "003"]
    assert warned(lot.batteries[1]) == ["battery_without_rgb"]
    assert warned(lot.batteries[2]) == ["battery_without_ct"]
    assert (lot.batteries[1].rgb_id, lot.batteries[2].ct_id) == (None, None)
    assert found(lot) == ["battery_without_ct", "battery_without_rgb"]


def test_cell_and_module_of_one_number_are_not_guessed(root, put):
    put(ct(44, kind="cell"), ct(44, kind="module"), rgb(44))
    lot = scan_lot(root)
    assert [b.battery_id for b in lot.batteries] == ["044-cell", "044-module", "044-rgb"]
    assert lot.pairs == ()
    assert all("lot_number_ambiguous" in warned(battery) for battery in lot.batteries)


def test_numbers_over_three_digits_keep_theirs(root, put):
    put(
        "CT_cell_pouch_1234_x_1.jpg", "RGB_cell_cylindrical_1234_1.png", "CT_cell_pouch_234_x_1.jpg"
    )
    assert [b.battery_id for b in scan_lot(root).batteries] == ["1234", "234"]


def test_duplicate_slices_are_listed_and_counted_once(root, put):
    put(ct(1, at=5), ct(1, at=5, folder=f"{IMAGES}/TS_CT_Datasets_images_2"))
    lot = scan_lot(root)
    assert len(lot.batteries[0].ct) == 1
    (finding,) = (f for f in lot.findings if f.reason.code == "lot_image_duplicate")
    assert finding.path.parent.name == "TS_CT_Datasets_images_2"
    assert "TS_CT_Datasets_images_1" in finding.reason.text()


def test_plain_layout_sorts_naturally(root, put):
    put(*(f"B 가/rgb/view{i}.png" for i in (10, 9, 1)), "B 가/ct/x_2.tif", "B 가/ct/x_1.tif")
    (battery,) = scan_lot(root).batteries
    assert battery.battery_id == "B 가"
    assert battery.paired
    assert names(battery.rgb) == ["view1.png", "view9.png", "view10.png"]
    assert [(ref.axis, ref.number) for ref in battery.ct] == [("x", 1), ("x", 2)]


def test_plain_slices_without_an_axis_are_z(root, put):
    put("7/ct/first.bmp", "7/ct/second.bmp", "7/ct/y/0004.png")
    (battery,) = scan_lot(root).batteries
    assert [(r.axis, r.number, r.path.name) for r in battery.ct] == [
        ("y", 4, "0004.png"),
        ("z", 1, "first.bmp"),
        ("z", 2, "second.bmp"),
    ]


def test_plain_layout_with_published_names_of_different_numbers(root, put):
    put("B01/ct/CT_cell_pouch_101_x_006.jpg", "B01/rgb/RGB_cell_cylindrical_0044_001.png")
    (battery,) = scan_lot(root).batteries
    assert (battery.battery_id, battery.paired, battery.battery_type) == ("B01", True, "cell")
    assert warned(battery) == ["pair_pouch_cylindrical"]


def test_plain_labels_lie_beside_their_images(root, put):
    label = {"data_info": {"form": "pouch"}, "image_info": {"is_normal": True}}
    for battery in ("A", "B"):
        put(f"{battery}/ct/001.png", f"{battery}/rgb/001.png")
        put(f"{battery}/ct/001.json", content=json.dumps(label).encode())
        label = {"data_info": {"form": "cylindrical"}}
        put(f"{battery}/rgb/001.json", content=json.dumps(label).encode())
    lot = scan_lot(root)
    for battery in lot.batteries:
        for ref in battery.ct + battery.rgb:
            assert ref.label_path == ref.path.with_suffix(".json")
    # Without a form in the names the first labels tell it.
    assert warned(lot.batteries[0]) == ["pair_pouch_cylindrical"]
    assert warned(lot.batteries[1]) == []


def test_same_folder_name_on_two_lines_is_two_batteries(root, put):
    put("line1/B01/ct/1.png", "line2/B01/ct/1.png", "line2/b02/rgb/1.png")
    ids = [b.battery_id for b in scan_lot(root).batteries]
    assert ids == ["b02", "line1_B01", "line2_B01"]


def test_single_battery_folder_is_a_lot(root, put):
    put("044/ct/a.png", "044/rgb/b.png")
    (battery,) = scan_lot(root / "044").batteries
    assert (battery.battery_id, battery.paired) == ("044", True)


def test_site_pattern(root, put):
    pattern = SitePattern(
        name="line 3",
        regex=r"[^/]+/(?P<battery>B?[0-9]+)/(?P<modality>xray|photo)_((?P<axis>[xyz])_)?(?P<number>\d+)\.\w+",
        modality_names={"xray": "ct", "photo": "rgb"},
    )
    put("2025-11/17/XRAY_z_0031.tif", "2025-11/017/photo_1.png", "2025-11/18/readme.png")
    lot = scan_lot(root, LotConfig(patterns=(pattern,)))
    (battery,) = lot.batteries
    assert (battery.battery_id, battery.ct_id, battery.rgb_id) == ("017", "17", "017")
    assert (battery.ct[0].axis, battery.ct[0].number) == ("z", 31)
    assert found(lot) == ["lot_name_unknown"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("lot: {patterns: [{name: a, regex: '('}]}", "regex"),
        ("lot: {patterns: [{name: a, regex: '(?P<modality>ct)'}]}", "battery"),
        ("lot: {patterns: [{name: a, regex: '(?P<battery>.)'}]}", "modality"),
        ("lot: {patterns: [{name: a, regex: '(?P<battery>.)(?P<slice>.)'}]}", "slice"),
        ("lot: {pattern: []}", "pattern"),
    ],
)
def test_wrong_pattern_names_its_key(tmp_path, text, named):
    path = tmp_path / "lot.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=named):
        load_lot_config(path)


def test_installed_configuration_is_valid():
    assert load_lot_config().patterns == ()


def test_strange_files_are_listed_and_system_files_are_not(root, put):
    put(ct(1), "Thumbs.db", ".DS_Store", "~tmp.png", "__MACOSX/x.png", ".git/y.png", "truth.json")
    put("notes.txt", "photo of the line.png", ct(1, at=2), "empty/CT_cell_pouch_009_x_001.jpg")
    put(ct(1, at=3), content=b"")
    lot = scan_lot(root)
    by_code = {
        finding.reason.code: finding.path.name
        for finding in lot.findings
        if finding.reason.code != "battery_without_rgb"
    }
    assert by_code == {
        "lot_file_type_unknown": "notes.txt",
        "lot_name_unknown": "photo of the line.png",
        "lot_file_empty": "CT_module_pouch_001_z_003.jpg",
    }
    # The empty file stays in its battery, so that the verdict cannot overlook it.
    assert [ref.number for ref in lot.batteries[0].ct] == [1, 2, 3]


def test_every_finding_reads_in_both_languages(root, put):
    put(ct(1), ct(2, kind="cell"), ct(2), label_of(ct(3)), "a.txt", "b.png")
    put(*(f"docs/{i}.txt" for i in range(30)), *(f"other/{i}.json" for i in range(30)))
    for finding in scan_lot(root).findings:
        for language in ("en", "ko"):
            sentence = finding.reason.text(language)
            assert sentence != finding.reason.code
            assert "{" not in sentence


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([], "lot_empty"),
        (["a/.DS_Store"], "lot_empty"),
        (["a/notes.txt"], "lot_no_images"),
        (["a/1.png"], "lot_no_known_names"),
    ],
)
def test_folder_that_is_no_lot(root, put, files, code):
    root.mkdir()
    put(*files)
    with pytest.raises(LotError) as caught:
        scan_lot(root)
    assert caught.value.message.code == code


def test_missing_folder_and_file_are_no_lots(root, tmp_path):
    with pytest.raises(LotError, match="does not exist"):
        scan_lot(root)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LotError, match="is a file"):
        scan_lot(tmp_path / "file")


def test_link_to_a_parent_does_not_loop(root, put):
    put(ct(1))
    (root / "Training" / "again").symlink_to(root, target_is_directory=True)
    lot = scan_lot(root)
    assert len(lot.batteries[0].ct) == 1
    assert found(lot) == ["battery_without_rgb"]


def lost(lot):
    return {b.battery_id: sorted(m.code for m in b.lost) for b in lot.batteries if b.lost}


class TestLeftOut:
    """What the intake leaves out of a battery is known to the battery."""

    @pytest.fixture
    def plain(self, put):
        for battery in ("044", "045"):
            put(*(f"{battery}/ct/{n}.jpg" for n in range(4)), f"{battery}/rgb/1.png")
        return put

    def test_a_whole_lot_has_lost_nothing(self, root, plain):
        plain("044/ct/Thumbs.db", "044/ct/.DS_Store", "044/ct/1.json", "truth.json", "notes.txt")
        plain("pairs.csv", content=b"battery_id,ct_id,rgb_id\n044,044,044\n045,045,045\n")
        lot = scan_lot(root)
        assert len(lot.pairs) == 2
        assert lost(lot) == {}

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("044/ct/5.dcm", "lot_file_type_unknown"),
            ("044/ct/z/6.raw", "volume_raw_alone"),
            ("044/RGB/7.heic", "lot_file_type_unknown"),
        ],
    )
    def test_an_unknown_file_type_among_its_images(self, root, plain, name, code):
        plain(name)
        assert lost(scan_lot(root)) == {"044": [code]}

    def test_a_folder_that_cannot_be_read(self, root, plain, monkeypatch):
        plain("044/ct/z/9.jpg")
        shut, scandir = str(root / "044" / "ct" / "z"), os.scandir

        def refuse(path):
            if str(path) == shut:
                raise PermissionError(13, "Permission denied", shut)
            return scandir(path)

        # Permissions do not bind every user that runs the tests.
        monkeypatch.setattr(os, "scandir", refuse)
        lot = scan_lot(root)
        assert lost(lot) == {"044": ["battery_folder_unreadable"]}
        (message,) = next(b for b in lot.batteries if b.lost).lost
        assert "Permission denied" in message.text("ko")

    def test_an_odd_name_beside_published_ones(self, root, put):
        for n in (44, 45):
            put(*(ct(n, at=i, folder=f"{n}/ct") for i in range(4)), rgb(n, folder=f"{n}/rgb"))
        put("44/ct/slice four.jpg")
        lot = scan_lot(root)
        assert lost(lot) == {"044": ["battery_image_left_out"]}

    def test_in_a_shared_folder_the_name_tells_whose_it_is(self, root, put):
        put(ct(44), ct(45), rgb(44), rgb(45))
        put(ct(44, at=2).replace(".jpg", " old.jpg"), ct(45, at=2).replace(".jpg", ".dcm"))
        put(f"{IMAGES}/TS_CT_Datasets_images_1/whose is it.jpg")
        assert lost(scan_lot(root)) == {
            "044": ["battery_image_left_out"],
            "045": ["lot_file_type_unknown"],
        }

    def test_a_duplicate_counts_only_where_it_differs(self, root, put):
        again = f"{IMAGES}/TS_CT_Datasets_images_2"
        put(ct(44), ct(45), ct(44, folder=again))
        put(ct(45, folder=again), content=b"another picture")
        lot = scan_lot(root)
        assert lost(lot) == {"045": ["lot_image_differs"]}
        assert found(lot).count("lot_image_duplicate") == 1

    def test_many_are_counted(self, root, plain):
        plain(*(f"044/ct/{n}.dcm" for n in range(30)))
        (message,) = scan_lot(root).batteries[0].lost
        assert message.params["count"] == 30


class TestPairTable:
    def test_pairs_as_the_table_says(self, root, put):
        put(ct(1), ct(2), rgb(1), rgb(2))
        rows = ["battery_id,ct_id,rgb_id", "A,CT_module_pouch_001,2"]
        rows += ["B,002,RGB_cell_cylindrical_0001"]
        put("pairs.csv", content="\r\n".join(rows).encode("utf-8-sig"))
        lot = scan_lot(root)
        assert [(b.battery_id, b.ct_id, b.rgb_id) for b in lot.batteries] == [
            ("A", "CT_module_pouch_001", "RGB_cell_cylindrical_0002"),
            ("B", "CT_module_pouch_002", "RGB_cell_cylindrical_0001"),
        ]
        assert lot.findings == ()

    def test_wrong_rows_are_named_and_nothing_is_lost(self, root, put):
        put(*(ct(n) for n in (1, 2, 3)), *(rgb(n) for n in (1, 2)))
        rows = ["battery_id,ct_id,rgb_id", "A,1,1", "A,2,2", "C,1,2", "D,3,99", ",1,1", "E,,"]
        put("pairs.csv", content="\n".join(rows).encode())
        lot = scan_lot(root)
        assert [(b.battery_id, b.paired) for b in lot.batteries] == [
            ("A", True),
            ("C", False),
            ("CT_module_pouch_002", False),
            ("D", False),
        ]
        assert sum(len(b.ct) for b in lot.batteries) == 3
        assert sum(len(b.rgb) for b in lot.batteries) == 2
        codes = found(lot)
        assert codes.count("pairs_duplicate") == 2
        assert codes.count("pairs_unknown_id") == 1
        assert codes.count("pairs_row_incomplete") == 2
        assert codes.count("pairs_not_listed") == 1

    def test_table_resolves_an_ambiguous_number(self, root, put, tmp_path):
        put(ct(44, kind="cell"), ct(44, kind="module"), rgb(44))
        table = tmp_path / "쌍.csv"
        table.write_text("battery_id;ct_id;rgb_id\n044;CT_module_pouch_044;44\n", "utf-8")
        lot = scan_lot(root, pairs=table)
        assert [b.battery_id for b in lot.pairs] == ["044"]
        assert lot.pairs[0].battery_type == "module"

    def test_table_without_its_columns_is_a_finding(self, root, put):
        put(ct(1), rgb(1))
        put("pairs.csv", content="배터리,ct_id\n1,1\n".encode("cp949"))
        lot = scan_lot(root)
        assert [b.battery_id for b in lot.pairs] == ["001"]
        assert "rgb_id" in lot.findings[0].reason.text()

    def test_named_table_has_to_exist(self, root, put, tmp_path):
        put(ct(1))
        with pytest.raises(LotError, match=r"no\.csv"):
            scan_lot(root, pairs=tmp_path / "no.csv")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.sampled_from(["CT", "RGB", "ct", "Rgb"]),
    st.sampled_from(["cell", "module"]),
    st.sampled_from(["pouch", "cylindrical"]),
    st.integers(0, 99_999),
    st.integers(1, 6),
    st.sampled_from(["x", "y", "z", None]),
    st.integers(0, 99_999),
)
def test_published_names_are_understood(modality, kind, form, battery, width, axis, number):
    middle = f"_{axis}" if axis else ""
    parts = parse_stem(f"{modality}_{kind}_{form}_{battery:0{width}d}{middle}_{number:03d}")
    assert parts is not None
    said = parts.source
    assert (said.modality, said.battery_type, said.form) == (modality.lower(), kind, form)
    assert (said.battery_number, parts.axis, parts.number) == (battery, axis, number)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=30))
def test_any_text_is_a_name_of_some_sort(text):
    parse_stem(text)
    axis_in(text)
    natural_key(text)
    battery_id = battery_id_of(text)
    assert battery_id
    assert battery_id_of(battery_id) == battery_id
    assert not set(battery_id) & set('<>:"/\\|?*')
    assert battery_id not in {".", ".."}


@pytest.mark.parametrize(
    ("stem", "axis"),
    [("x_001", "x"), ("slice-Y-12", "y"), ("z012", "z"), ("max_01", None), ("x_y_1", None)],
)
def test_axis_of_a_free_name(stem, axis):
    assert axis_in(stem) == axis


def test_every_finding_about_files_has_both_wordings():
    package = Path(findings.__file__).parent
    sources = "\n".join(path.read_text(encoding="utf-8") for path in package.glob("*.py"))
    bundled = set(re.findall(r'add_file\(\s*"(\w+)"', sources))
    noted = set(re.findall(r'\.note\(\s*"(\w+)"', sources))
    assert len(bundled) >= 7
    assert len(noted) >= 12
    assert bundled | {f"{code}_many" for code in bundled} | noted <= wordings().keys()

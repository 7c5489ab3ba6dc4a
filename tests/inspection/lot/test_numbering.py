"""A slice has the number that its name says; a copy is the slice that it is a copy of."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.lot.config import LotConfig, SitePattern
from inspection.lot.numbering import numbers_in, without_copy_mark, without_copy_marks
from inspection.lot.scan import scan_lot


@pytest.fixture
def scanned(tmp_path):
    """Scan a lot of one battery from the names of its slices, with one view beside them."""

    def scan(*names, folder="B1/ct", content=lambda name: b"same", config=None):
        views = [] if folder.endswith("rgb") else ["B1/rgb/v1.jpg"]
        for path in (*views, *(f"{folder}/{name}" for name in names)):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content(path.rpartition("/")[2]))
        lot = scan_lot(tmp_path, config)
        (battery,) = lot.batteries
        codes = sorted(f.reason.code for f in lot.findings if "without" not in f.reason.code)
        return battery, codes

    return scan


def numbers(refs):
    return [(ref.number, ref.path.name) for ref in refs]


STACK = [f"s_{n:03}.jpg" for n in (1, 2, 3, 20, 21)]


@pytest.mark.parametrize(
    "copy",
    [
        "s_003 - Copy.jpg", "s_003 - Copy (2).jpg", "s_003 - 복사본.jpg", "s_003 - 복사본 (3).jpg",
        "s_003 복사본.jpg", "s_003 copy.jpg", "s_003 copy 2.jpg", "s_003 (copy).jpg",
        "s_003 (another copy).jpg", "s_003 (3rd copy).jpg", "s_003 (2).jpg", "s_003(1).jpg",
        "Copy of s_003.jpg", "s_003 - Copy - Copy.jpg", "s_003_copy.jpg", "s_003의 사본.jpg",
        unicodedata.normalize("NFD", "s_003 - 복사본 (2).jpg"), "S_003.JPG", "s_3.jpg",
    ],
)  # fmt: skip
def test_a_copy_is_one_slice_and_hides_no_gap(scanned, copy):
    battery, codes = scanned(*STACK, copy)
    assert [ref.number for ref in battery.ct] == [1, 2, 3, 20, 21]
    assert codes == ["lot_image_duplicate"]
    assert battery.lost == ()


def test_the_name_without_a_mark_stands_and_the_finding_names_both(scanned, tmp_path):
    battery, _ = scanned("s_003 - Copy.jpg", *STACK)
    assert (3, "s_003.jpg") in numbers(battery.ct)
    (finding,) = scan_lot(tmp_path).findings
    assert "s_003 - Copy.jpg" in finding.reason.text()
    assert "ct/s_003.jpg" in finding.reason.text()


def test_of_two_pictures_with_one_number_one_stands_and_the_battery_knows(scanned):
    battery, codes = scanned(*STACK, "s_003 - Copy.jpg", content=lambda name: name.encode())
    assert [ref.number for ref in battery.ct] == [1, 2, 3, 20, 21]
    assert codes == ["lot_image_differs"]
    assert [message.code for message in battery.lost] == ["lot_image_differs"]


def test_files_of_one_size_are_no_copies_if_their_bytes_differ(scanned):
    battery, codes = scanned("s_1.bmp", "S_1.bmp", "s_2.bmp", content=lambda name: name.encode())
    assert codes == ["lot_image_differs"]
    assert battery.lost


def test_two_series_in_one_folder_are_not_joined_to_one(scanned):
    names = [f"{part}_{n}.jpg" for part in ("left", "right") for n in (1, 2, 3)]
    battery, codes = scanned(*names, content=lambda name: name.encode())
    assert numbers(battery.ct) == [(n, f"left_{n}.jpg") for n in (1, 2, 3)]
    assert codes == ["lot_image_differs"] * 3
    assert battery.lost


class TestFormats:
    def test_one_slice_in_three_formats_is_one_slice(self, scanned):
        names = [f"s_{n:03}.jpg" for n in range(1, 8)]
        battery, codes = scanned(*names, "s_004.png", "s_004.tif", content=str.encode)
        assert [ref.number for ref in battery.ct] == [1, 2, 3, 4, 5, 6, 7]
        assert codes == ["lot_image_format", "lot_image_format"]
        assert battery.lost == ()

    def test_the_stack_is_judged_in_one_format(self, scanned):
        names = [f"s_{n}.jpg" for n in range(1, 8)]
        battery, _ = scanned(*names, "s_4.tif")
        assert {ref.path.suffix for ref in battery.ct} == {".jpg"}

    def test_of_two_whole_stacks_the_one_without_loss(self, scanned):
        names = [f"s_{n}.{end}" for n in (1, 2, 3) for end in ("jpeg", "TIF", "bmp")]
        battery, codes = scanned(*names, content=str.encode)
        assert {ref.path.suffix for ref in battery.ct} == {".TIF"}
        assert len(codes) == 6

    def test_views_too(self, scanned):
        battery, codes = scanned(
            "front.png", "front.jpg", "back.png", "back - Copy.png", folder="B1/rgb"
        )
        assert numbers(battery.rgb) == [(1, "back.png"), (2, "front.png")]
        assert codes == ["lot_image_duplicate", "lot_image_format"]


def test_numbered_views_have_no_copies(scanned):
    names = ["v1.png", "v2.png", "v2 - Copy.png", "v2 (2).png", "v2.jpg", "v10.png"]
    battery, codes = scanned(*names, folder="B1/rgb")
    assert numbers(battery.rgb) == [(1, "v1.png"), (2, "v2.png"), (10, "v10.png")]
    assert codes == ["lot_image_duplicate", "lot_image_duplicate", "lot_image_format"]


def test_views_of_two_cameras_are_all_seen(scanned):
    names = ["top_1.png", "top_2.png", "side_1.png", "side_2.png", "label.png"]
    battery, codes = scanned(*names, folder="B1/rgb", content=str.encode)
    assert [ref.number for ref in battery.rgb] == [1, 2, 3, 4, 5]
    assert codes == []


def test_a_number_in_brackets_may_be_the_slices_own(scanned):
    battery, codes = scanned("cell12.jpg", *(f"slice ({n}).jpg" for n in (1, 2, 9, 10)))
    assert [ref.number for ref in battery.ct] == [1, 2, 9, 10, 12]
    assert codes == []


def test_the_first_of_a_series_has_no_brackets(scanned):
    battery, codes = scanned("slice.jpg", *(f"slice ({n}).jpg" for n in (2, 3, 4)))
    assert numbers(battery.ct)[0] == (1, "slice.jpg")
    assert [ref.number for ref in battery.ct] == [1, 2, 3, 4]
    assert codes == []


def test_a_slice_without_a_number_among_numbered_ones_has_no_place(scanned):
    battery, codes = scanned(*STACK, "overview.jpg")
    assert [ref.number for ref in battery.ct] == [1, 2, 3, 20, 21]
    assert codes == ["lot_number_missing"]
    assert [message.code for message in battery.lost] == ["lot_number_missing"]


def test_slices_without_numbers_are_counted(scanned):
    battery, codes = scanned("bottom.png", "middle.png", "top.png")
    assert [ref.number for ref in battery.ct] == [1, 2, 3]
    assert codes == []


def test_copies_of_published_names_are_their_slices(tmp_path):
    names = [f"CT_cell_pouch_101_z_{n:03}" for n in (1, 2, 3)]
    for name in (*names, f"{names[1]} - Copy", f"{names[2]} (1)"):
        (tmp_path / f"{name}.jpg").write_bytes(b"same")
    lot = scan_lot(tmp_path)
    (battery,) = lot.batteries
    assert numbers(battery.ct) == [(n, f"{name}.jpg") for n, name in enumerate(names, 1)]
    assert battery.lost == ()
    codes = [finding.reason.code for finding in lot.findings]
    assert codes.count("lot_image_duplicate") == 2


def test_copies_of_names_that_a_site_pattern_knows_are_their_slices(scanned):
    pattern = SitePattern(
        name="line 3", regex=r"(?P<battery>B\d)/(?P<modality>ct|rgb)/\D+(?P<number>\d+)\.jpg"
    )
    config = LotConfig(patterns=(pattern,))
    battery, codes = scanned("s1.jpg", "s2.jpg", "s2 - 복사본.jpg", "s9.jpg", config=config)
    assert [ref.number for ref in battery.ct] == [1, 2, 9]
    assert codes == ["lot_image_duplicate"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["a_003_16bit", "a_004_16bit"], [3, 4]),
        (["10x_1", "10x_2", "overview"], [1, 2, None]),
        (["20261127120001003_1", "20261127120001004_2"], [1, 2]),
        (["20261127120001003", "20261127120001004"], [None, None]),
        (["007"], [7]),
        ([], []),
    ],
)
def test_the_number_is_what_tells_names_apart(names, found):
    assert numbers_in(names) == found


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.text(" ()-_0123copy복사본", min_size=1, max_size=12), unique=True, max_size=8))
def test_any_names_have_numbers_or_none(stems):
    assert len(numbers_in(without_copy_marks(stems))) == len(stems)
    assert all(without_copy_mark(stem) for stem in stems)


class TestFoldersOfOneNumber:
    @pytest.fixture
    def lot(self, tmp_path):
        def lot(*folders, config=None):
            for folder in folders:
                for image in (f"{folder}/ct/s_1.jpg", f"{folder}/rgb/v_1.jpg"):
                    (tmp_path / image).parent.mkdir(parents=True, exist_ok=True)
                    (tmp_path / image).write_bytes(b"x")
            return scan_lot(tmp_path, config)

        return lot

    @pytest.mark.parametrize("folders", [("1", "01", "001"), ("B7", "B07"), ("b7", "B7")])
    def test_stay_apart_and_are_told(self, lot, folders):
        found = lot(*folders)
        assert len(found.pairs) == len(folders)
        assert len({battery.battery_id.casefold() for battery in found.batteries}) == len(folders)
        warned = [[m.code for m in b.warnings] for b in found.batteries]
        assert warned == [["lot_folders_alike"]] * len(folders)
        assert [f.reason.code for f in found.findings] == ["lot_folders_alike"] * len(folders)

    def test_other_numbers_are_not_told(self, lot):
        assert lot("1", "10", "100", "2").findings == ()

    def test_a_site_pattern_does_not_join_them(self, lot):
        regex = r"(?P<battery>\d+)/(?P<modality>ct|rgb)/\D+(?P<number>\d+)\.jpg"
        pattern = SitePattern(name="numbers", regex=regex)
        found = lot("7", "07", config=LotConfig(patterns=(pattern,)))
        assert sum(len(battery.ct) for battery in found.batteries) == 2
        assert len({battery.battery_id for battery in found.batteries}) == 4
        assert all(b.warnings[0].code == "lot_number_ambiguous" for b in found.batteries)

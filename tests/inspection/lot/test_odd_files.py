"""What lies in a lot and is no ordinary file: one finding each, and the rest is inspected."""

import json
import os
import socket
from pathlib import Path

import pytest

from inspection.errors import ConfigError, LotError
from inspection.lot.config import LotConfig, SitePattern
from inspection.lot.scan import scan_lot
from inspection.records import image_name

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")


@pytest.fixture
def root(tmp_path):
    for battery in ("044", "045"):
        for name in ("ct/s_1.jpg", "ct/s_2.jpg", "ct/s_3.jpg", "rgb/v_1.png"):
            path = tmp_path / battery / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
    return tmp_path


def codes(lot):
    return [finding.reason.code for finding in lot.findings]


def lost(lot):
    return {b.battery_id: [m.code for m in b.lost] for b in lot.batteries if b.lost}


class TestSpecialFiles:
    @pytest.fixture(params=["pipe", "socket", "link to a pipe", "link to a device"])
    def special(self, request, tmp_path_factory):
        """Make a special file."""

        def make(path: Path) -> None:
            if request.param == "pipe":
                os.mkfifo(path)
            elif request.param == "socket":
                with socket.socket(socket.AF_UNIX) as server:
                    # The path of a socket may not be long.
                    server.bind(os.path.relpath(path))
            elif request.param == "link to a device":
                path.symlink_to("/dev/zero")
            else:
                pipe = tmp_path_factory.mktemp("pipes") / "pipe"
                os.mkfifo(pipe)
                path.symlink_to(pipe)

        return make

    def test_as_an_image_costs_one_image(self, root, special, monkeypatch):
        monkeypatch.chdir(root)
        special(root / "044/ct/s_4.jpg")
        lot = scan_lot(root)
        assert codes(lot) == ["lot_file_special"]
        assert lost(lot) == {"044": ["lot_file_special"]}
        assert [len(battery.ct) for battery in lot.batteries] == [3, 3]

    def test_as_a_label_is_never_opened(self, root, special, monkeypatch):
        monkeypatch.chdir(root)
        special(root / "044/ct/s_1.json")
        special(root / "scanner.json")
        assert codes(scan_lot(root)) == ["lot_file_special"] * 2

    def test_as_a_table_of_pairs_is_never_opened(self, root, special, monkeypatch, tmp_path):
        monkeypatch.chdir(root)
        special(root / "pairs.csv")
        assert codes(scan_lot(root)) == ["lot_file_special"]
        with pytest.raises(LotError):
            scan_lot(root, pairs=root / "pairs.csv")


def test_links_that_lead_to_themselves_cost_themselves(root):
    (root / "044/ct/s_4.jpg").symlink_to(root / "044/ct/s_4.jpg")
    (root / "044/again").symlink_to(root / "044/again")
    (root / "045/ct/z").symlink_to(root / "045", target_is_directory=True)
    lot = scan_lot(root)
    # It stays in its battery, where opening it gives the reason.
    assert [len(battery.ct) for battery in lot.batteries] == [4, 3]
    assert codes(lot) == ["lot_file_type_unknown"]


@pytest.fixture
def deep(root, monkeypatch):
    """Folders in folders, taken away again: not every tool that cleans up can."""
    monkeypatch.chdir(root)
    for _ in range(1000):
        Path("d").mkdir()
        os.chdir("d")
    yield root
    for _ in range(1000):
        os.chdir("..")
        Path("d").rmdir()


def test_folders_a_thousand_deep(deep):
    assert len(scan_lot(deep).pairs) == 2


class TestNamesThatAreNotUtf8:
    @pytest.fixture
    def korean(self, root):
        folder = os.fsencode(root) + "/배터리 7".encode("cp949")
        for name in ("ct/슬라이스_1.jpg", "ct/슬라이스_2.jpg", "ct/슬라이스_9.jpg", "rgb/앞면.png"):
            path = folder + b"/" + name.encode("cp949")
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
            Path(os.fsdecode(path)).write_bytes(b"x")
        return root

    def test_are_told_and_their_files_still_open(self, korean):
        lot = scan_lot(korean)
        battery = next(b for b in lot.batteries if "배터리 7" in b.battery_id)
        assert battery.battery_id == "(cp949) 배터리 7"
        assert battery.paired
        assert [ref.number for ref in battery.ct] == [1, 2, 9]
        names = [image_name(ref, korean) for ref in (*battery.ct, *battery.rgb)]
        assert names[0] == "(cp949) 배터리 7/ct/(cp949) 슬라이스_1.jpg"
        assert len({*names}) == 4
        assert all(ref.path.read_bytes() == b"x" for ref in (*battery.ct, *battery.rgb))
        assert lost(lot) == {}

    def test_are_findings_that_can_be_written(self, korean):
        found = scan_lot(korean).findings
        assert {finding.reason.code for finding in found} == {"lot_name_not_utf8"}
        assert "(cp949) 앞면.png" in " ".join(finding.reason.text("ko") for finding in found)

    def test_are_other_batteries_than_their_twins_in_utf8(self, korean):
        for name in ("ct/s_1.jpg", "rgb/v_1.png"):
            path = korean / "배터리 7" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"y")
        lot = scan_lot(korean)
        assert len({battery.battery_id for battery in lot.pairs}) == len(lot.pairs) == 4
        names = [image_name(ref, korean) for b in lot.batteries for ref in (*b.ct, *b.rgb)]
        assert len({*names}) == len(names)


class TestForeignJson:
    @pytest.mark.parametrize(
        "content",
        [
            b'{"kV":160,"uA":200}',
            b"[]",
            b"{",
            b"",
            b"\xff\xfe{}",
            b"[" * 9999,
            b'{"a":' + b"9" * 9999,
        ],
    )
    def test_does_not_make_a_lot_labelled(self, root, content):
        (root / "scanner.json").write_bytes(content)
        (finding,) = scan_lot(root).findings
        assert finding.path.name == "scanner.json"

    def test_settings_in_every_folder_are_one_finding_each(self, root):
        for battery in ("044", "045"):
            (root / battery / "ct" / "settings.json").write_bytes(b'{"kV": 160}')
        assert codes(scan_lot(root)) == ["lot_json_foreign"] * 2

    @pytest.mark.parametrize("key", ["data_info", "image_info", "defects", "swelling"])
    def test_a_label_without_its_image_is_a_label(self, root, key):
        (root / "044/ct/gone.json").write_text(json.dumps({key: None}), encoding="utf-8")
        assert "lot_label_without_image" in codes(scan_lot(root))
        assert any(code.startswith("lot_image_unlabelled") for code in codes(scan_lot(root)))


class TestPairTables:
    TABLE = "battery_id,ct_id,rgb_id\r\nA,044,045\r\nB,045,044\r\n"

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
    def test_are_read_in_the_encodings_of_a_spreadsheet(self, root, tmp_path, encoding):
        table = tmp_path / "쌍.csv"
        table.write_bytes(self.TABLE.replace("A,", "가,").encode(encoding))
        assert [b.battery_id for b in scan_lot(root, pairs=table).pairs] == ["B", "가"]

    def test_big_endian_too(self, root, tmp_path):
        table = tmp_path / "pairs"
        table.write_bytes(b"\xfe\xff" + self.TABLE.encode("utf-16-be"))
        assert [b.battery_id for b in scan_lot(root, pairs=table).pairs] == ["A", "B"]

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\n",
            b"battery,ct,rgb\n1,2,3\n",
            b"\x00\x01\x02" * 100,
            b"battery_id,ct_id,rgb_id\n\x00,1,1\n",
            "battery_id,ct_id,rgb_id\nA,044,045\n".encode("utf-16-le"),
            b"battery_id,ct_id,rgb_id\n" + b"9" * 200_000 + b",1,1\n",
            b'"' + b"x" * 200_000,
            b"x" * (17 << 20),
            "배터리,시티,알지비\n1,1,1\n".encode("cp949"),
        ],
    )
    def test_that_are_named_and_of_no_use_are_refused(self, root, tmp_path, content):
        table = tmp_path / "named.csv"
        table.write_bytes(content)
        with pytest.raises(LotError, match=r"named\.csv"):
            scan_lot(root, pairs=table)

    def test_an_id_of_thousands_of_digits_is_a_finding(self, root, tmp_path):
        table = tmp_path / "named.csv"
        table.write_text(f"{self.TABLE}{'9' * 9000},1,1\r\n", encoding="utf-8")
        lot = scan_lot(root, pairs=table)
        assert len(lot.pairs) == 2
        assert "pairs_id_long" in codes(lot)


def test_a_pattern_that_never_ends_is_refused_by_its_name(root):
    (root / f"{'a' * 60}.jpg").write_bytes(b"x")
    pattern = SitePattern(name="line seven", regex=r"(?P<battery>(a|aa)+)b", modality="ct")
    with pytest.raises(ConfigError, match="line seven"):
        scan_lot(root, LotConfig(patterns=(pattern,)))

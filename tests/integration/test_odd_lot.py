"""A lot as a zip and a copying hand leave it: inspected, stored, reported, and gone on with."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from app.__main__ import app
from inspection.console import run
from inspection.images.decoding import load_frame
from inspection.lot.scan import scan_lot
from inspection.session.store import SessionStore
from inspection.synthetic import SyntheticLot, write_lot

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")


def korean(path: str) -> Path:
    """A path as it is on the disk where a zip was packed in code page 949."""
    return Path(os.fsdecode(path.encode("cp949")))


@pytest.fixture(scope="module")
def lot(tmp_path_factory):
    made = write_lot(
        tmp_path_factory.mktemp("made") / "lot",
        SyntheticLot(batteries=2, slices=3, views=1, seed=5, defects=0.0),
    )
    root = tmp_path_factory.mktemp("odd") / korean("로트")
    batteries = scan_lot(made).pairs
    for battery, name in zip(batteries, (korean("배터리 1"), Path("B2")), strict=True):
        for modality, refs in (("ct", battery.ct), ("rgb", battery.rgb)):
            (root / name / modality).mkdir(parents=True)
            for ref in refs:
                called = korean(f"단면_{ref.axis}_{ref.number:03}") if modality == "ct" else None
                stem = called or korean(f"앞면_{ref.number}")
                shutil.copy(ref.path, root / name / modality / f"{stem}{ref.path.suffix}")
    os.mkfifo(root / "B2/ct/단면_z_999.jpg")
    (root / "scanner.json").write_text('{"kV": 160}', encoding="utf-8")
    return root


def test_it_is_inspected_reported_and_gone_on_with(lot, tmp_path, capsys):
    where = ["--session-dir", str(tmp_path), "--systems", "ensemble", "--language", "ko"]
    assert run(app, "station", ["inspect", str(lot), *where, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    rows = {row["battery_id"]: row for row in document["batteries"]}
    # Whatever the files are called, their pictures are judged; the pipe costs its battery alone.
    assert rows.keys() == {"(cp949) 배터리 1", "B2"}
    assert rows["(cp949) 배터리 1"]["kind"] != "not_inspected"
    assert rows["B2"]["kind"] == "review"
    assert any("단면_z_999.jpg" in reason for reason in rows["B2"]["reasons"])
    told = " ".join(document["lot"]["findings"])
    assert "scanner.json" in told
    assert "(cp949)" in told

    session = tmp_path / document["run_id"]
    with SessionStore.open(session) as store:
        result = store.load_battery("(cp949) 배터리 1")
    assert result is not None
    assert all(image.state == "done" for image in result.images)
    assert all(image.image.startswith("(cp949) 배터리 1/") for image in result.images)
    kept = [file.partition("#")[0] for image in result.images for file in image.evidence.values()]
    assert kept
    assert all((session / file).is_file() for file in kept)

    out = tmp_path / "report"
    assert run(app, "station", ["report", str(session), "--out", str(out), "--language", "ko"]) == 0
    assert {path.suffix for path in out.iterdir()} >= {".pdf", ".html", ".csv", ".json"}
    assert "배터리 1" in (out / "batteries.csv").read_text(encoding="utf-8-sig")

    resume = ["inspect", str(lot), *where, "--resume", document["run_id"]]
    assert run(app, "station", resume) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_a_picture_that_cannot_be_read_is_told_by_a_name_that_can(lot, capsys):
    path = next((lot / korean("배터리 1") / "ct").iterdir())
    assert load_frame(path, "ct").size
    broken = path.with_name(f"{path.stem}_x.jpg")
    broken.write_bytes(b"no picture")
    try:
        with pytest.raises(Exception, match=r"\(cp949\) 단면") as caught:
            load_frame(broken, "ct")
        assert caught.value.text("ko").encode()
    finally:
        broken.unlink()

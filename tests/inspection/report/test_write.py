"""Reports of real session folders, with small but real evidence pictures."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from builders.before_seals import make_unsealed
from builders.compared_sessions import vlg_image, vlg_result, vlm_image, vlm_result
from pypdf import PdfReader

from inspection.atomic import write_atomic
from inspection.classes import class_table
from inspection.errors import ReportError
from inspection.messages import Message, wordings
from inspection.people.person import Person
from inspection.records import Battery, Lot
from inspection.report import write_report
from inspection.report.data_files import csv_file
from inspection.report.pdf_text import load_fonts, markup, printable
from inspection.report.pictures import read_picture
from inspection.results import (
    Alternative,
    BatteryResult,
    Box,
    EnsembleResult,
    ImageResult,
    ModelProvenance,
    SliceRun,
    StackGrey,
    Verdict,
    VlmResult,
)
from inspection.session.creating import create_session
from inspection.session.record import Decision, Region
from inspection.session.store import SessionStore

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
COMMENT = "<b>확인</b> & 재검사 — 김영수"
INJECTION = '=HYPERLINK("http://x","y")'
KINDS = {
    "011": "normal",
    "012": "internal_defect",
    "013": "external_defect",
    "014": "composite_defect",
    "015": "review",
    "016": "normal",
}
"""Battery 017 is never reached."""


def picture(colour: tuple[int, int, int], side: int = 96) -> bytes:
    pixels = np.full((side, side // 2, 3), colour, np.uint8)
    cv2.circle(pixels, (side // 4, side // 2), side // 6, (30, 30, 220), -1)
    return cv2.imencode(".png", pixels)[1].tobytes()


def evidence_of(store: SessionStore, battery_id: str, stem: str) -> dict[str, str]:
    folder = store.evidence_dir / battery_id
    folder.mkdir(parents=True, exist_ok=True)
    names = {"map": f"evidence/{battery_id}/maps.npz#00000"}
    for n, kind in enumerate(("image", "heatmap", "overlay", "boxes")):
        write_atomic(folder / f"{stem}_{kind}.png", picture((60 * n, 90, 120)))
        names[kind] = f"evidence/{battery_id}/{stem}_{kind}.png"
    return names


def ct_image(store: SessionStore, battery_id: str, kind: str) -> ImageResult:
    defect = kind in ("internal_defect", "composite_defect", "review")
    score = 0.93 if defect else 0.04
    return ImageResult(
        image=f"CT_module_pouch_{battery_id}_z_521.jpg",
        modality="ct",
        axis="z",
        number=521,
        state="done",
        pred_label="module_porosity" if defect else "module_normal",
        probabilities={"module_porosity": score, "module_normal": 1 - score},
        pred_score=score,
        threshold=0.5,
        is_anomaly=defect,
        pred_boxes=[Box(x=10, y=10, w=20, h=20, score=0.8)] if defect else [],
        evidence=evidence_of(store, battery_id, "ct_z_0521") if kind != "normal" else {},
    )


def rgb_image(store: SessionStore, battery_id: str, kind: str) -> ImageResult:
    defect = kind in ("external_defect", "composite_defect")
    return ImageResult(
        image=f"RGB_cell_cylindrical_{battery_id}_003.png",
        modality="rgb",
        number=3,
        state="done",
        pred_label="defect" if defect else "normal",
        pred_score=0.02 if defect else 0.001,
        threshold=0.01,
        is_anomaly=defect,
        evidence=evidence_of(store, battery_id, "rgb_view_0003") if kind != "normal" else {},
    )


def failed_image(battery_id: str) -> ImageResult:
    return ImageResult(
        image=f"RGB_cell_cylindrical_{battery_id}_004.png",
        modality="rgb",
        number=4,
        state="failed",
        error=Message(code="config_missing", params={"name": "004.png"}),
    )


def result_of(store: SessionStore, battery_id: str, kind: Any) -> BatteryResult:
    internal = kind in ("internal_defect", "composite_defect")
    external = kind in ("external_defect", "composite_defect")
    images = [ct_image(store, battery_id, kind), rgb_image(store, battery_id, kind)]
    if kind == "review":
        images.append(failed_image(battery_id))
    return BatteryResult(
        battery_id=battery_id,
        ct_id=battery_id,
        rgb_id=f"0{battery_id}",
        state="done",
        systems={"ensemble": "done", "vlm": "not_installed", "vlg": "not_installed"},
        verdict=Verdict(
            kind=kind,
            defect_type="module_porosity" if internal else None,
            fused_score=0.7 if internal else 0.2,
            cnn_prob=0.93 if internal else 0.04,
            ae_score=0.8 if external else 0.1,
            ct_state="defect" if internal else "normal",
            rgb_state="defect" if external else "normal",
            reasons=[Message(code="not_judged_yet")] if kind == "review" else [],
        ),
        ensemble=EnsembleResult(
            prediction=kind,
            confidence=0.9 if internal else 0.6,
            method="weighted_average",
            weights={"w_cnn": 0.6, "w_ae": 0.4},
        ),
        images=images,
        runs=[
            SliceRun(
                axis="z", first=519, last=523, length=5, defect_type="module_porosity", score=0.93
            )
        ]
        if internal
        else [],
        worst_slices=[images[0].image],
        worst_views=[images[1].image],
        seconds=1.25,
    )


KIM = Person(name="김영수")


def decide(store: SessionStore, battery_id: str, action: Any, kind: Any, **words: str) -> None:
    decision = Decision(action=action, kind=kind, operator="김영수", decided_at=NOW, **words)
    decided = any(r.decision for r in store.record.batteries if r.battery_id == battery_id)
    (store.change if decided else store.decide)(battery_id, decision)


def make_session(root: Path) -> Path:
    ids = [*KINDS, "017"]
    batteries = tuple(Battery(battery_id=i, ct_id=i, rgb_id=f"0{i}") for i in ids)
    with create_session(
        root,
        lot=Lot(root=root / "로트 A-7", batteries=batteries),
        operator="김영수",
        station="라인 3",
        language="en",
        config={"inspector": {"method": "weighted_average", "voting": {"tie_breaker": "cnn"}}},
        device="cpu",
        models=[
            ModelProvenance(
                slot="ct_cnn",
                name="demo-ct",
                sha256="ab" * 32,
                thresholds={"slice": 0.5},
                demo=True,
            )
        ],
        version="0.1.0",
        now=NOW,
    ) as store:
        for battery_id, kind in KINDS.items():
            store.save_battery(result_of(store, battery_id, kind))
        decide(store, "011", "accept", "normal")
        decide(store, "012", "override", "normal", reason=INJECTION, comment=COMMENT)
        decide(store, "016", "override", "external_defect", reason="육안 확인", comment="-찍힘")
        store.mark("completed")
        return store.folder


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_session(tmp_path_factory.mktemp("sessions"))


@pytest.fixture
def own_session(session: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(session, tmp_path / "session"))


@pytest.fixture(scope="module")
def outputs(session: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    write_report(session, ["pdf", "html", "csv", "json"], out, "ko")
    return out


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


def pdf_text(path: Path) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(path).pages)


def tree(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def edit_record(session: Path, change: Any) -> None:
    path = session / "session.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    change(record)
    write_atomic(path, json.dumps(record))
    # What is edited in a sealed session does not count.
    make_unsealed(session)


# -- data files ----------------------------------------------------------------------------------


def test_summary_counts_batteries_by_their_final_kind(outputs: Path) -> None:
    raw = (outputs / "summary.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    header, row = raw.decode("utf-8-sig").splitlines()
    assert header == "job_id,total_images,defect_count,normal_count,avg_confidence,processing_time"
    # Normal: 011, and 012 by the operator. Defects: 013, 014, and 016 by the operator. Review
    # (015) and not inspected (017) are neither.
    assert row == "20260304_050607,13,3,2,0.7,7.5"


def test_an_accepted_verdict_that_changed_since_is_open_again(own_session, tmp_path) -> None:
    with SessionStore.open(own_session) as store:
        store.save_battery(result_of(store, "011", "internal_defect"))
    write_report(own_session, ["csv"], tmp_path, "en")
    (row,) = [row for row in rows_of(tmp_path / "batteries.csv") if row["battery_id"] == "011"]
    assert (row["kind"], row["decision"], row["final_kind"]) == (
        "internal_defect",
        "accept",
        "review",
    )


def test_batteries_csv_has_a_row_for_every_battery(outputs: Path) -> None:
    path = outputs / "batteries.csv"
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    header = path.read_text(encoding="utf-8-sig").splitlines()[0]
    assert header == (
        "battery_id,ct_id,rgb_id,state,kind,decision,final_kind,defect_type,fused_score,cnn_prob,"
        "ae_score,reasons,seconds,operator,decision_reason,comment,decided_at,ct_ae_score,"
        "final_defect_type,region,role,second,earlier,defect_sizes,largest_voxels,"
        "largest_length_mm,largest_area_mm2,largest_volume_mm3"
    )
    rows = {row["battery_id"]: row for row in rows_of(path)}
    assert list(rows) == [*KINDS, "017"]
    assert rows["012"]["kind"] == "internal_defect"
    assert rows["012"]["decision"] == "override"
    assert rows["012"]["final_kind"] == "normal"
    assert rows["012"]["operator"] == "김영수"
    assert datetime.fromisoformat(rows["012"]["decided_at"]) == NOW
    assert rows["015"]["reasons"] == "이 배터리는 아직 판정되지 않았습니다."
    assert rows["017"]["final_kind"] == "not_inspected"


def test_no_cell_is_a_formula(outputs: Path) -> None:
    rows = {row["battery_id"]: row for row in rows_of(outputs / "batteries.csv")}
    assert rows["012"]["decision_reason"] == f"'{INJECTION}"
    assert rows["016"]["comment"] == "'-찍힘"


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", " =1", "＝1", "\r=1"])
def test_cells_that_a_spreadsheet_would_run_are_quoted(text: str) -> None:
    _, row = csv.reader(io.StringIO(csv_file(["a"], [[text]]).decode("utf-8-sig"), newline=""))
    assert row == [f"'{text}"]


def test_result_json_has_exactly_the_agreed_keys(outputs: Path) -> None:
    document = json.loads((outputs / "result.json").read_text(encoding="utf-8"))
    assert list(document) == ["job_id", "timestamp", "total_images", "images"]
    assert document["total_images"] == len(document["images"]) == 13
    assert datetime.fromisoformat(document["timestamp"]) == NOW
    images = {image["image_id"]: image for image in document["images"]}
    assert images["CT_module_pouch_014_z_521.jpg"] == {
        "image_id": "CT_module_pouch_014_z_521.jpg",
        "cnn": {"pred": "module_porosity", "confidence": 0.93},
        "autoencoder": None,
        "vlm": None,
        "vlg": None,
    }
    assert images["RGB_cell_cylindrical_014_003.png"]["cnn"] is None
    assert images["RGB_cell_cylindrical_014_003.png"]["autoencoder"] == {
        "score": 0.02,
        "threshold": 0.01,
        "is_anomaly": True,
    }
    # An image that could not be judged says nothing, least of all normal.
    failed = images["RGB_cell_cylindrical_015_004.png"]["autoencoder"]
    assert failed == {"score": None, "threshold": None, "is_anomaly": None}


def test_a_ct_autoencoder_s_word_is_in_every_file(own_session: Path, tmp_path: Path) -> None:
    with SessionStore.open(own_session) as store:
        result = result_of(store, "011", "review")
        ct, *others = result.images
        ct = ct.model_copy(update={"ct_ae_score": 0.25, "ct_ae_threshold": 0.2})
        verdict = result.verdict.model_copy(update={"ct_ae_score": 0.625})
        store.save_battery(result.model_copy(update={"images": [ct, *others], "verdict": verdict}))
    write_report(
        own_session, ["json", "csv", "html", "pdf"], tmp_path / "out", "ko", ["011", "012"]
    )
    document = json.loads((tmp_path / "out/result.json").read_text(encoding="utf-8"))
    judged = [i["ct_autoencoder"] for i in document["images"] if "ct_autoencoder" in i]
    assert judged == [{"score": 0.25, "threshold": 0.2, "is_anomaly": True}]
    rows = rows_of(tmp_path / "out/batteries.csv")
    assert [row["ct_ae_score"] for row in rows] == ["0.625", ""]
    html = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    # A battery that it did not judge has no word of it.
    assert html.count("CT 오토인코더 점수") == 1
    assert "CT 오토인코더 점수" in pdf_text(tmp_path / "out/report.pdf")
    with SessionStore.open(own_session) as store:
        row = next(row for row in store.record.batteries if row.battery_id == "011")
        assert row.ct_ae_score == 0.625


@pytest.mark.parametrize(
    ("grey", "words"),
    [
        (
            StackGrey(method="auto", low=11987.6, high=32079.4, air=12481.2, body=20921.2),
            "자동, 11988~32079 (공기 12481, 본체 20921)",
        ),
        (
            StackGrey(method="auto", low=-0.20135, high=0.590499, air=-0.1801, body=0.1666666),
            "자동, -0.2014~0.5905 (공기 -0.1801, 본체 0.1667)",
        ),
        (StackGrey(method="fixed", low=-1000.0, high=3000.0), "고정값, -1000~3000"),
        (StackGrey(method="dtype"), "파일 형식의 값 그대로 (dtype)"),
    ],
)
def test_the_card_tells_the_grey_window(own_session, tmp_path, grey, words) -> None:
    with SessionStore.open(own_session) as store:
        result = result_of(store, "011", "review")
        store.save_battery(result.model_copy(update={"grey": grey}))
    write_report(own_session, ["html"], tmp_path / "out", "ko", ["011"])
    html = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert html.count("회색값 범위") == 1
    assert words in html


def test_vlm_and_vlg_answers_are_in_the_result(own_session: Path, tmp_path: Path) -> None:
    rgb, unseen = "RGB_cell_cylindrical_013_003.png", "CT_module_pouch_013_z_521.jpg"
    alone = "RGB_cell_cylindrical_013_009.png"
    vlm = [
        vlm_image(rgb, "defect", [], "pollution", "외피 오염"),
        vlm_image(alone, "failed"),
    ]
    other = Alternative(phrase="dent", defect_type="damaged", score=0.4)
    spot = vlg_image(rgb, "defect", [Box(x=1, y=2, w=3, h=4)], "pollution")
    vlg = [
        spot.model_copy(update={"alternatives": [[other]]}),
        vlg_image(alone, "failed"),
    ]
    with SessionStore.open(own_session) as store:
        result = result_of(store, "013", "external_defect")
        result = result.model_copy(
            update={
                "systems": {"ensemble": "done", "vlm": "done", "vlg": "done"},
                "vlm": vlm_result(vlm),
                "vlg": vlg_result(vlg),
            }
        )
        store.save_battery(result)
    write_report(own_session, ["json", "html"], tmp_path / "out", "en", ["013"])
    document = json.loads((tmp_path / "out/result.json").read_text(encoding="utf-8"))
    images = {image["image_id"]: image for image in document["images"]}
    assert images[rgb]["vlm"] == {"judgement": "defect", "reason": "외피 오염"}
    assert images[rgb]["vlg"] == {
        "bboxes": [{"x": 1, "y": 2, "w": 3, "h": 4}],
        "scores": [0.8],
        "alternatives": [[{"phrase": "dent", "defect_type": "damaged", "score": 0.4}]],
    }
    # Not looked at is null, and so is every field of what could not be judged.
    assert (images[unseen]["vlm"], images[unseen]["vlg"]) == (None, None)
    assert images[alone]["vlm"] == {"judgement": None, "reason": None}
    assert images[alone]["vlg"] == {"bboxes": None, "scores": None}
    assert (images[alone]["cnn"], images[alone]["autoencoder"]) == (None, None)
    assert document["total_images"] == 3
    html = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "Defect. 외피 오염" in html
    assert "1 boxes: Pollution; perhaps instead: Damaged" in html


# -- documents -----------------------------------------------------------------------------------


def test_pdf_is_readable_in_korean(outputs: Path) -> None:
    text = pdf_text(outputs / "report.pdf")
    for words in ("배터리 검사 보고서", "로트 A-7", "데모 모델", "내부불량", "미검사", "모듈 기공"):
        assert words in text
    assert "포팅 수지" in text  # the class's likely cause
    assert "김영수" in text
    assert "ab" * 16 in text.replace("\n", "")  # the model's SHA-256


def test_pdf_numbers_its_pages_and_embeds_its_fonts(outputs: Path) -> None:
    reader = PdfReader(outputs / "report.pdf")
    for number, page in enumerate(reader.pages, start=1):
        assert f"{number}쪽 / 전체" in page.extract_text()
        fonts = [font.get_object() for font in page["/Resources"]["/Font"].values()]
        embedded = {f["/BaseFont"] for f in fonts if "/FontFile2" in f.get("/FontDescriptor", {})}
        # reportlab names a base font on every page whether or not text is set in it.
        assert {f["/BaseFont"] for f in fonts} - embedded <= {"/Helvetica"}
    (form,) = {
        form.get_object().get_data()
        for page in reader.pages
        for name, form in page["/Resources"]["/XObject"].items()
        if "total-pages" in name
    }
    assert f"({len(reader.pages)})".encode() in form


def test_english_report_of_a_korean_lot(session: Path, tmp_path: Path) -> None:
    write_report(session, ["pdf", "html"], tmp_path, "en")
    text = pdf_text(tmp_path / "report.pdf")
    for words in ("Battery inspection report", "로트 A-7", "DEMO MODELS", "Undecided"):
        assert words in text
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in html
    assert "This battery has not been judged yet." in html
    assert not [word for word in re.findall(r"report_\w+", html) if word not in wordings()]


def test_html_needs_nothing_from_outside(outputs: Path, session: Path) -> None:
    html = (outputs / "report.html").read_text(encoding="utf-8")
    without_comment = html.replace("http://x", "")
    assert "http:" not in without_comment
    assert "https:" not in without_comment
    assert "file:" not in html
    assert "<script" not in html
    assert "<link" not in html
    sources = re.findall(r'src="([^"]{0,40})', html)
    assert sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert not re.search(r"url\(|@import", html)


def test_html_escapes_what_people_typed(outputs: Path) -> None:
    html = (outputs / "report.html").read_text(encoding="utf-8")
    assert COMMENT not in html
    assert "&lt;b&gt;확인&lt;/b&gt; &amp; 재검사 — 김영수" in html


def test_pdf_shows_markup_that_people_typed_as_text(outputs: Path) -> None:
    assert "<b>확인</b> & 재검사" in pdf_text(outputs / "report.pdf")


def test_sections_are_for_batteries_with_something_to_explain(outputs: Path) -> None:
    html = (outputs / "report.html").read_text(encoding="utf-8")
    sections = re.findall(r"<h3>배터리 (\d+)</h3>", html)
    assert sections == ["012", "013", "014", "015", "016", "017"]
    assert "검사대 판정: 정상. 작업자 변경: 외부불량." in html
    for link in re.findall(r'href="#([^"]+)"', html):
        assert f'id="{link}"' in html


def test_open_items_come_first(outputs: Path) -> None:
    text = pdf_text(outputs / "report.pdf")
    assert text.index("미결 항목") < text.index("판정 결과") < text.index("전체 배터리")
    assert "013, 014, 015, 017" in text


def test_exterior_defect_without_a_type_names_both(outputs: Path) -> None:
    html = (outputs / "report.html").read_text(encoding="utf-8")
    section = html[html.index("<h3>배터리 013</h3>") : html.index("<h3>배터리 014</h3>")]
    assert "오염" in section
    assert "손상" in section
    assert "유형은 구분하지 않으므로" in section


# -- damaged and doctored sessions ---------------------------------------------------------------


def test_missing_evidence_is_reported_and_does_not_stop_the_report(
    own_session: Path, tmp_path: Path
) -> None:
    (own_session / "evidence/012/ct_z_0521_overlay.png").unlink()
    (own_session / "evidence/013/rgb_view_0003_image.png").write_bytes(b"not a picture")
    (own_session / "evidence/014/rgb_view_0003_image.png").write_bytes(b"")
    write_report(own_session, ["pdf", "html"], tmp_path / "out", "en")
    html = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    text = pdf_text(tmp_path / "out/report.pdf").replace("\n", "")
    for name in (
        "evidence/012/ct_z_0521_overlay.png",
        "evidence/013/rgb_view_0003_image.png",
        "evidence/014/rgb_view_0003_image.png",
    ):
        assert f"The picture {name} is missing or damaged." in html
        assert name in text


def test_evidence_outside_the_session_is_never_read(own_session: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(picture((1, 2, 3)))
    assert read_picture(own_session, "evidence/012/ct_z_0521_image.png") is not None
    assert read_picture(own_session, "../secret.png") is None
    assert read_picture(own_session, str(tmp_path / "secret.png")) is None


def test_not_inspected_battery_never_counts_as_normal(own_session: Path, tmp_path: Path) -> None:

    def doctor(record: Any) -> None:
        for row in record["batteries"]:
            if row["battery_id"] == "017":
                row["kind"] = "normal"

    edit_record(own_session, doctor)
    write_report(own_session, ["csv", "html"], tmp_path / "out", "en")
    (summary,) = rows_of(tmp_path / "out/summary.csv")
    assert summary["normal_count"] == "2"
    rows = {row["battery_id"]: row for row in rows_of(tmp_path / "out/batteries.csv")}
    assert rows["017"]["final_kind"] == "not_inspected"
    html = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "It counts as not inspected." in html


def test_unreadable_battery_keeps_its_row_and_says_so(own_session: Path, tmp_path: Path) -> None:
    (own_session / "batteries/014.json").write_bytes(b'{"schema')
    (own_session / "batteries/011.json").unlink()
    write_report(own_session, ["pdf", "html", "csv", "json"], tmp_path / "out", "en")
    html = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert html.count("only its summary is shown") == 2
    rows = {row["battery_id"]: row for row in rows_of(tmp_path / "out/batteries.csv")}
    assert rows["014"]["final_kind"] == "composite_defect"
    document = json.loads((tmp_path / "out/result.json").read_text(encoding="utf-8"))
    assert document["total_images"] == 9


def test_withdrawn_decision_is_no_decision(own_session: Path, tmp_path: Path) -> None:
    with SessionStore.open(own_session) as store:
        while store.undoable(KIM):
            store.undo(KIM)
    write_report(own_session, ["csv"], tmp_path / "out", "en")
    rows = {row["battery_id"]: row for row in rows_of(tmp_path / "out/batteries.csv")}
    assert rows["012"]["decision"] == ""
    assert rows["012"]["final_kind"] == "internal_defect"


def test_altered_decision_log_is_shown(own_session: Path, tmp_path: Path) -> None:
    log = own_session / "audit.jsonl"
    log.write_bytes(log.read_bytes().replace("육안 확인".encode(), "다른 사유".encode()))
    write_report(own_session, ["html"], tmp_path / "out", "en")
    html = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "ALTERED: this session is not as the station wrote it" in html
    line = next(
        n
        for n, text in enumerate(log.read_bytes().splitlines(), 1)
        if b"\xeb\x8b\xa4\xeb\xa5\xb8" in text
    )
    assert f"audit.jsonl, line {line}: the line is not as it was written" in html


def test_a_changed_decision_its_region_and_the_signature_are_in_every_format(
    own_session: Path, tmp_path: Path
) -> None:
    lee = Person(name="이품질", role="quality")
    region = Region(image="CT/012.png", box=Box(x=1, y=2, w=30, h=40))
    changed = Decision(
        action="override",
        kind="external_defect",
        defect_type="damaged",
        region=region,
        reason="찍힘",
        operator=lee.name,
        role=lee.role,
        second=Person(name="박반장", role="engineer"),
        decided_at=NOW,
    )
    with SessionStore.open(own_session) as store:
        store.change("012", changed)
        store.sign("approved", lee)
    out = tmp_path / "out"
    write_report(own_session, ["pdf", "html", "csv", "json"], out, "en")
    html = (out / "report.html").read_text(encoding="utf-8")
    for told in (
        "이품질 (Quality)",
        "박반장 (Engineer)",
        "CT/012.png: box 1, 2, 30 × 40",
        "Earlier decisions",
        "Approved",
        "Sealed",
    ):
        assert told in html
    pages = pdf_text(out / "report.pdf")
    assert "Signatures" in pages
    assert "이품질 (Quality)" in pages
    rows = {row["battery_id"]: row for row in rows_of(out / "batteries.csv")}
    row = rows["012"]
    assert (row["final_defect_type"], row["role"], row["second"]) == (
        "damaged",
        "quality",
        "박반장",
    )
    assert "김영수" in row["earlier"]
    *_, last = rows_of(out / "audit.csv")
    assert (last["battery_id"], last["kind_after"], last["operator"]) == (
        "012",
        "external_defect",
        "이품질",
    )
    told = json.loads((out / "audit.json").read_bytes())
    assert told["seal"]["state"] == "sealed"
    assert [one["name"] for one in told["signatures"]] == ["이품질"]
    assert not told["changed_after_signing"]
    with SessionStore.open(own_session) as store:
        store.change("012", changed.model_copy(update={"kind": "review", "region": None}))
    write_report(own_session, ["html"], out, "en")
    html = (out / "report.html").read_text(encoding="utf-8")
    assert "Decisions were changed after this session was signed." in html


def test_unfinished_session_says_so(own_session: Path, tmp_path: Path) -> None:
    with SessionStore.open(own_session) as store:
        store.mark("cancelled")
    write_report(own_session, ["pdf"], tmp_path / "out", "en")
    assert "This session is not complete (Cancelled)" in pdf_text(tmp_path / "out/report.pdf")


def test_session_without_batteries(own_session: Path, tmp_path: Path) -> None:

    def empty(record: Any) -> None:
        record["batteries"] = []
        record["models"] = []

    for file in (own_session / "batteries").iterdir():
        file.unlink()
    edit_record(own_session, empty)
    (own_session / "audit.jsonl").unlink()
    write_report(own_session, ["pdf", "html", "csv", "json"], tmp_path / "out", "ko")
    (summary,) = rows_of(tmp_path / "out/summary.csv")
    assert summary["avg_confidence"] == ""
    assert summary["defect_count"] == "0"
    assert "불러온 모델이 없습니다" in pdf_text(tmp_path / "out/report.pdf")


# -- use -----------------------------------------------------------------------------------------


def test_a_demo_model_is_told_in_every_format(session: Path, tmp_path: Path) -> None:
    write_report(session, ["pdf", "html", "csv", "json"], tmp_path, "en")
    mark = "demo model, trained on synthetic images"
    (row,) = rows_of(tmp_path / "models.csv")
    assert (row["slot"], row["demo"], row["note"]) == ("ct_cnn", "true", mark)
    (model,) = json.loads((tmp_path / "models.json").read_text(encoding="utf-8"))["models"]
    assert (model["slot"], model["demo"], model["note"]) == ("ct_cnn", True, mark)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    printed = " ".join(pdf_text(tmp_path / "report.pdf").split())
    for text in (page, printed):
        assert mark in text
        assert "Ensemble (demo)" in text
        assert "VLM (demo)" not in text


def test_report_leaves_the_session_as_it_is(session: Path, tmp_path: Path) -> None:
    before = tree(session)
    write_report(session, ["pdf", "html", "csv", "json"], tmp_path, "ko")
    assert tree(session) == before


def test_files_and_progress(session: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    written = write_report(
        session, ["csv", "pdf"], tmp_path / "a b/가", "en", progress=lambda *s: steps.append(s)
    )
    assert [path.name for path in written] == [
        "summary.csv",
        "batteries.csv",
        "audit.csv",
        "models.csv",
        "gate.csv",
        "report.pdf",
    ]
    assert sorted(p.name for p in (tmp_path / "a b/가").iterdir()) == sorted(
        p.name for p in written
    )
    done, total = zip(*steps, strict=True)
    assert set(total) == {total[0]}
    assert list(done) == list(range(1, total[0] + 1))


def test_only_the_chosen_batteries(session: Path, tmp_path: Path) -> None:
    write_report(session, ["csv", "json", "html"], tmp_path, "en", ["014", "011"])
    assert [row["battery_id"] for row in rows_of(tmp_path / "batteries.csv")] == ["011", "014"]
    document = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert document["total_images"] == 4
    assert "2 of 7 (selection)" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_wrong_use_gives_one_readable_sentence(session: Path, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="There is no session in the folder"):
        write_report(tmp_path / "nowhere", ["pdf"], tmp_path, "en")
    with pytest.raises(ReportError, match="no report format docx"):
        write_report(session, ["docx"], tmp_path, "en")  # type: ignore[list-item]
    with pytest.raises(ReportError, match="no battery 999"):
        write_report(session, ["csv"], tmp_path, "en", ["999"])
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ReportError, match="cannot be written"):
        write_report(session, ["csv"], tmp_path / "file/out", "en")
    (tmp_path / "taken/report.html").mkdir(parents=True)
    with pytest.raises(ReportError, match="cannot be written"):
        write_report(session, ["html"], tmp_path / "taken", "en")


def test_very_long_words_and_comments_fit_on_the_pages(own_session: Path, tmp_path: Path) -> None:
    with SessionStore.open(own_session) as store:
        decide(store, "013", "override", "review", reason="긴" * 3000, comment="x" * 9000)
        decide(store, "014", "override", "review", comment="낱말 " * 3000)
        reason = Message(code="config_missing", params={"name": "근거 " * 600})
        result = result_of(store, "015", "review")
        result = result.model_copy(
            update={
                "systems": {"ensemble": "done", "vlm": "done"},
                "vlm": VlmResult(prediction="review", explanation="설명 " * 1200),
                "verdict": result.verdict.model_copy(update={"reasons": [reason] * 3}),
            }
        )
        store.save_battery(result)

    def lengthen(record: Any) -> None:
        record["lot"]["name"] = "로트" * 200
        record["lot"]["path"] = "/very/long/" + "p" * 2000
        record["lot"]["findings"] = [f"파일 {n}: " + "f" * 300 for n in range(60)]

    edit_record(own_session, lengthen)
    write_report(own_session, ["pdf"], tmp_path / "out", "ko")
    text = pdf_text(tmp_path / "out/report.pdf")
    assert text.count("낱말") == 3000
    assert text.count("설명") == 1200
    assert text.count("근거") >= 1800
    assert "외 20건은 session.json에 있습니다" in text


# -- the font ------------------------------------------------------------------------------------


def test_both_fonts_have_every_character_of_our_own_words() -> None:
    regular, bold = load_fonts()
    texts = [text for wording in wordings().values() for text in wording.values()]
    for row in class_table().rows.values():
        texts += [*row.name.values(), *row.cause.values(), *row.action.values()]
    used = {ord(char) for char in "".join(texts)} - {ord("\n")}
    assert not {chr(code) for code in used - regular}
    assert not {chr(code) for code in used - bold}


def test_characters_that_the_font_lacks_stay_readable() -> None:
    assert printable("→ ≥ · … –") == "→ ≥ · … –"
    assert printable(unicodedata.normalize("NFD", "각도")) == "각도"
    assert printable("5 µm Ä") == "5 μm A"
    assert printable("좋음 😀\u200b\x07") == "좋음 [U+1F600]"


def test_bold_text_falls_back_where_the_bold_font_has_no_hanja() -> None:
    assert markup("金영수", bold=True) == '<font name="StationGothic">金</font>영수'

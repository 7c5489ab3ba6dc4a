"""The window with models of the true classes: small ones, loaded as real weights are."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from builders.tiny_vlg import write_bert, write_original
from builders.tiny_vlm import CT_ANSWER, RGB_ANSWER, write_tiny_vlm

from inspection.modelstore.installed import register_folder
from inspection.run.lanes import build_lane

WAIT = 120_000
FAMILIES = {"vlm": "qwen2_vl", "bert": "bert", "vlg": "groundingdino"}

pytestmark = [
    # The offscreen platform says so of every window that has a smallest size.
    pytest.mark.qt_log_ignore("propagateSizeHints"),
    pytest.mark.usefixtures("no_network"),
]


@pytest.fixture
def models(tmp_path) -> Path:
    """Install a small VLM and VLG where the stations of the test look for models."""
    models = tmp_path / "models"
    write_tiny_vlm(models / "vlm")
    write_original(models / "vlg", write_bert(models / "bert"))
    for slot, family in FAMILIES.items():
        register_folder(
            models / slot, slot, name=f"tiny {slot}", family=family, source="test", licence="none"
        )
    return models


@pytest.fixture
def build(gated):
    """Build the ensemble of labels, and the other systems as the program does."""
    ready = threading.Event()
    ready.set()
    ensemble = gated(ready)

    def build(system, settings):
        return (ensemble if system == "ensemble" else build_lane)(system, settings)

    return build


@pytest.mark.long
def test_small_models_fill_both_docks_and_stay_loaded(qtbot, stations, lot, build, models):
    station = stations(build)
    controller, window = station.controller, station.window
    controller.open_lot(lot)
    qtbot.waitUntil(lambda: controller.lot is not None, timeout=WAIT)
    written = []
    controller.runner.live_changed.connect(lambda _system, live: written.append(live))
    with qtbot.waitSignal(controller.runner.ended, timeout=WAIT):
        controller.inspect_again(controller.current_id)
    result = controller.current_view().result
    assert result.systems == dict.fromkeys(("ensemble", "vlm", "vlg"), "done")
    answers = {image.answer for image in result.vlm.images}
    assert answers == {CT_ANSWER, RGB_ANSWER}
    texts = [live.text for live in written if live is not None and live.text]
    assert all(CT_ANSWER.startswith(text) or RGB_ANSWER.startswith(text) for text in texts)
    assert answers <= set(texts)
    shown = window.panels["vlm"].current.answer
    assert shown.image == result.vlm.image
    assert shown.explanation == window.panels["vlm"].words.text()
    assert (
        len(window.panels["vlg"]._entries)
        == len(result.chosen["vlg"].images)
        == len(result.vlm.images)
    )

    loaded = controller.runner._workers["vlm"]._lane
    with qtbot.waitSignal(controller.runner.ended, timeout=WAIT):
        controller.inspect_again(controller.current_id)
    assert controller.runner._workers["vlm"]._lane is loaded
    again = controller.current_view().result
    assert [i.answer for i in again.vlm.images] == [i.answer for i in result.vlm.images]
    assert again.vlg.bboxes == result.vlg.bboxes


@pytest.mark.long
def test_a_damaged_vlm_takes_no_other_system_down(qtbot, stations, lot, build, models):
    weights = next((models / "vlm").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-100])
    station = stations(build)
    controller = station.controller
    controller.open_lot(lot)
    qtbot.waitUntil(lambda: controller.lot is not None, timeout=WAIT)
    with qtbot.waitSignal(controller.runner.ended, timeout=WAIT):
        controller.inspect_again(controller.current_id)
    result = controller.current_view().result
    assert result.systems == {"ensemble": "done", "vlm": "failed", "vlg": "done"}
    assert weights.name in station.window.panels["vlm"].missing.reason.text()
    assert station.window.status.chips["vlm"].text == "VLM: failed"

"""What was said of a battery is kept small, and comes back as it was said."""

import threading

from inspection.config import load_inspector
from inspection.predictions import LaneResult
from inspection.records import Battery, ImageRef
from inspection.results import ChosenImages, ImageResult, VlmResult
from inspection.run.assemble import LaneResults
from inspection.systems.image_choice import ImageChooser

IMAGES = tuple(
    ImageResult(image=f"ct/{n}.jpg", modality="ct", number=n, state="done", pred_score=n / 1700)
    for n in range(1700)
)
ENSEMBLE = LaneResult("ensemble", "done", images=IMAGES, worst_slices=("ct/7.jpg",))
CHOSEN = ChosenImages(method="even", images=["ct/3.jpg"])
VLM = LaneResult("vlm", "done", chosen=CHOSEN, vlm=VlmResult(prediction="normal", explanation="결"))


def said(*results):
    kept = LaneResults()
    for result in results:
        kept.add(result)
    return kept


def test_words_come_back_as_they_were_said_and_take_little_room():
    kept = said(ENSEMBLE, VLM)
    assert dict(kept) == {"ensemble": ENSEMBLE, "vlm": VLM}
    assert dict(LaneResults(kept)) == dict(kept)
    assert sum(len(packed) for packed in kept._packed.values()) < 50_000
    assert set(kept) == {"ensemble", "vlm"}
    assert "vlg" not in kept


def test_adding_to_a_copy_leaves_the_original_alone():
    first = said(VLM)
    copy = LaneResults(first)
    copy.add(LaneResult("vlg", "off"))
    assert set(first) == {"vlm"}
    assert set(copy.without(["vlm"])) == {"vlg"}


def test_what_was_chosen_or_found_worst_is_told_to_the_chooser(tmp_path):
    refs = tuple(
        ImageRef(tmp_path / f"ct/{n}.jpg", "ct", "1", None, n, None, None, None) for n in range(20)
    )
    battery = Battery("1", "1", "1", ct=refs)

    def choose(kept):
        chooser = ImageChooser(load_inspector().sampling, tmp_path, with_ensemble=True)
        kept.choose_again(chooser, "1")
        return chooser.choose(battery, threading.Event())

    kept = said(ENSEMBLE, VLM)
    assert choose(kept) == CHOSEN
    by_worst = choose(kept.without(["vlm"]))
    assert (by_worst.method, by_worst.images[0]) == ("worst_and_even", "ct/7.jpg")

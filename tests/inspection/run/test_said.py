"""Words on a battery are kept small, and come back as they were said."""

import threading

from inspection.config import load_inspector
from inspection.predictions import LaneResult
from inspection.records import Battery, ImageRef
from inspection.results import ChosenImages, ImageResult, VlmResult
from inspection.run.said import Spoken
from inspection.systems.image_choice import ImageChooser

IMAGES = tuple(
    ImageResult(image=f"ct/{n}.jpg", modality="ct", number=n, state="done", pred_score=n / 1700)
    for n in range(1700)
)
ENSEMBLE = LaneResult("ensemble", "done", images=IMAGES, worst_slices=("ct/7.jpg",))
CHOSEN = ChosenImages(method="even", images=["ct/3.jpg"])
VLM = LaneResult("vlm", "done", chosen=CHOSEN, vlm=VlmResult(prediction="normal", explanation="결"))


def test_words_come_back_as_they_were_said_and_take_little_room():
    said = {"ensemble": ENSEMBLE, "vlm": VLM}
    spoken = Spoken(said)
    assert dict(spoken) == said
    assert dict(Spoken(spoken)) == said
    assert sum(len(packed) for packed in spoken._packed.values()) < 50_000
    assert set(spoken) == {"ensemble", "vlm"}
    assert "vlg" not in spoken


def test_adding_to_a_copy_leaves_the_original_alone():
    first = Spoken({"vlm": VLM})
    copy = Spoken(first)
    copy.add(LaneResult("vlg", "off"))
    assert set(first) == {"vlm"}
    assert set(copy.without(["vlm"])) == {"vlg"}


def test_what_was_chosen_or_found_worst_is_told_to_the_chooser(tmp_path):
    refs = tuple(
        ImageRef(tmp_path / f"ct/{n}.jpg", "ct", "1", None, n, None, None, None) for n in range(20)
    )
    battery = Battery("1", "1", "1", ct=refs)

    def choose(spoken):
        chooser = ImageChooser(load_inspector().sampling, tmp_path, with_ensemble=True)
        spoken.remind(chooser, "1")
        return chooser.choose(battery, threading.Event())

    spoken = Spoken({"ensemble": ENSEMBLE, "vlm": VLM})
    assert choose(spoken) == CHOSEN
    by_worst = choose(spoken.without(["vlm"]))
    assert (by_worst.method, by_worst.images[0]) == ("worst_and_even", "ct/7.jpg")

"""Which images the VLM and the VLG see: the worst and evenly spaced ones, or a fair sample."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection.config import Sampling
from inspection.records import Battery, ImageRef
from inspection.systems.image_choice import ImageChooser

ROOT = Path("/lot")


def battery(ct: int, rgb: int, name: str = "007") -> Battery:
    def ref(modality, number):
        path = ROOT / modality / f"{number:04d}.png"
        return ImageRef(path, modality, name, None, number, None, None, None)

    return Battery(
        name, name, name,
        tuple(ref("ct", n) for n in range(ct)), tuple(ref("rgb", n) for n in range(rgb)),
    )  # fmt: skip


def chooser(count=4, *, worst=1, wait=0.0, speaks=True, seed=None) -> ImageChooser:
    sampling = Sampling(images_per_battery=count, worst_per_modality=worst, wait_seconds=wait)
    return ImageChooser(sampling, ROOT, with_ensemble=speaks, seed=seed)


def test_the_ensembles_worst_come_first_then_evenly_spaced_ones():
    choose = chooser(6)
    choose.set_worst("007", ["ct/0090.png", "ct/0091.png"], ["rgb/0003.png"])
    chosen = choose.choose(battery(100, 30), threading.Event())
    assert chosen.method == "worst_and_even"
    assert chosen.images[0] == "ct/0090.png"
    assert chosen.images[3] == "rgb/0003.png"
    assert "ct/0091.png" not in chosen.images
    places = [int(name[3:7]) for name in chosen.images[1:3]]
    assert 15 < places[0] < 35 < 65 < places[1] < 85


def test_every_lane_of_a_run_sees_the_same_images_whenever_it_asks():
    choose = chooser()
    first = choose.choose(battery(100, 30), threading.Event())
    assert first.method == "even"
    choose.set_worst("007", ["ct/0090.png"], ["rgb/0003.png"])
    assert choose.choose(battery(100, 30), threading.Event()) == first


def test_the_ensemble_is_waited_for():
    choose = chooser(wait=60.0)
    teller = threading.Timer(0.05, choose.set_worst, ("007", ["ct/0004.png"], []))
    teller.start()
    chosen = choose.choose(battery(10, 10), threading.Event())
    teller.join()
    assert chosen.images[0] == "ct/0004.png"


@pytest.mark.parametrize("how", ["silent", "cancelled", "off"])
def test_nobody_waits_for_an_ensemble_that_will_not_speak(how):
    choose, cancel = chooser(wait=3600.0, speaks=how != "off"), threading.Event()
    stop = {"silent": choose.stop_waiting, "cancelled": cancel.set, "off": lambda: None}[how]
    teller = threading.Timer(0.05, stop)
    teller.start()
    assert choose.choose(battery(10, 10), cancel).method == "even"
    teller.join()


def test_a_sample_is_seeded_and_ignores_the_ensemble():
    images = []
    for told in (True, False):
        choose = chooser(6, wait=3600.0, seed=11)
        if told:
            choose.set_worst("007", ["ct/0090.png"], ["rgb/0003.png"])
        chosen = choose.choose(battery(100, 30), threading.Event())
        assert (chosen.method, chosen.seed) == ("sample", 11)
        images.append(chosen.images)
    assert images[0] == images[1]
    other = chooser(6, seed=12).choose(battery(100, 30), threading.Event())
    assert other.images != images[0]
    another = chooser(6, seed=11).choose(battery(100, 30, "008"), threading.Event())
    assert another.images != images[0]


@given(
    ct=st.integers(0, 20), rgb=st.integers(0, 20), count=st.integers(1, 12),
    worst=st.integers(0, 3), seed=st.none() | st.integers(0, 3), told=st.booleans(),
)  # fmt: skip
def test_the_count_is_kept_and_no_image_comes_twice(ct, rgb, count, worst, seed, told):
    choose = chooser(count, worst=worst, seed=seed)
    if told:
        choose.set_worst(
            "007", [f"ct/{n:04d}.png" for n in range(min(3, ct))],
            [f"rgb/{n:04d}.png" for n in range(min(3, rgb))],
        )  # fmt: skip
    whole = battery(ct, rgb)
    chosen = choose.choose(whole, threading.Event())
    assert len(chosen.images) == min(count, ct + rgb) == len(set(chosen.images))
    refs = choose.refs(whole, chosen)
    assert len(refs) == len(chosen.images)
    looked_at = {ref.modality for ref in refs}
    if count > 1 and ct and rgb:
        assert looked_at == {"ct", "rgb"}

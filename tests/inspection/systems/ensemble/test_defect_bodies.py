"""From hot slices of a volume on the disk to its bodies with their sizes in millimetres."""

from __future__ import annotations

import json

import pytest

from inspection.records import ImageRef, Section, VolumeRef
from inspection.results import Box, ImageResult, Peak, SliceRun
from inspection.synthetic import SyntheticLot, write_lot
from inspection.synthetic.volume_battery import true_mask
from inspection.systems.ensemble.defect_bodies import measure_defects
from inspection.volumes.planes import AXES, PLANES

SPEC = SyntheticLot(batteries=3, views=0, canvas=160, seed=3, defects=1.0, form="tiff-stack")


@pytest.fixture(scope="module")
def battery(tmp_path_factory):
    lot = write_lot(tmp_path_factory.mktemp("lots") / "lot", SPEC, workers=1)
    truth = json.loads((lot / "truth.json").read_text(encoding="utf-8"))
    name, told = next(
        (name, told)
        for name, told in truth.items()
        if told["internal"] and told["internal"][0]["name"] == "porosity"
    )
    return VolumeRef(lot / name / "ct" / "volume.tif"), told


def slices_of(volume: VolumeRef) -> list[ImageRef]:
    return [
        ImageRef(volume.path, "ct", "1", "z", n, None, None, None, Section(volume, "z", n))
        for n in range(3)
    ]


def hot(told, entry, axis: str) -> tuple[list[ImageResult], SliceRun]:
    """What the ensemble finds of a defect along an axis: a box of whole cells on every slice."""
    mask = true_mask(entry)
    ends = {
        name: (start, start + size)
        for name, start, size in zip(AXES, mask.start, mask.voxels.shape, strict=True)
    }
    first, past = ends[axis]
    (top, bottom), (left, right) = (
        (a // 16 * 16, -(-b // 16) * 16) for a, b in (ends[n] for n in PLANES[axis])
    )
    box = Box(x=left, y=top, w=right - left, h=bottom - top)
    height, width = (told["shape"][AXES.index(n)] for n in PLANES[axis])
    peak = Peak(x=(left + right) // 2, y=(top + bottom) // 2, value=0.9)
    images = [
        ImageResult(
            image=f"{axis}{n}", modality="ct", axis=axis, number=n, state="done",
            is_anomaly=True, pred_boxes=[box], peak=peak, width=width, height=height,
        )
        for n in range(first, past)
    ]  # fmt: skip
    run = SliceRun(
        axis=axis, first=first, last=past - 1, length=past - first,
        defect_type="cell_porosity", score=0.9,
    )  # fmt: skip
    return images, run


def test_a_pore_that_two_axes_show_is_one_body_of_its_true_size(battery):
    volume, told = battery
    entry = told["internal"][0]
    found = [hot(told, entry, axis) for axis in ("z", "y")]
    images = [image for one, _ in found for image in one]
    bodies, seen = measure_defects(slices_of(volume), images, [run for _, run in found])
    (body,) = [one for one in bodies if near(one, entry)]
    edge = told["voxel_mm"]
    assert seen is not None
    assert list(seen.shape) == told["shape"]
    assert seen.voxel_mm == pytest.approx((edge,) * 3, rel=1e-3)
    assert body.size is not None
    assert body.size.voxels == pytest.approx(entry["voxels"], rel=0.15)
    assert body.size.volume_mm3 == pytest.approx(entry["voxels"] * edge**3, rel=0.15)
    assert body.size.length_mm == pytest.approx(body.size.length * edge, rel=0.01)


def near(body, entry) -> bool:
    ends = zip(body.start, body.stop, entry["start"], entry["shape"], strict=True)
    return all(a < start + size and start < b for a, b, start, size in ends)


def test_slices_that_are_files_have_no_bodies(battery):
    volume, told = battery
    images, run = hot(told, told["internal"][0], "z")
    files = [ref._replace(section=None) for ref in slices_of(volume)]
    assert measure_defects(files, images, [run]) == ([], None)


def test_what_cannot_be_measured_says_why_once_however_many_axes_show_it(battery):
    volume, told = battery
    found = [hot(told, told["internal"][0], axis) for axis in ("z", "y", "x")]
    images = [image for one, _ in found for image in one]
    runs = [run.model_copy(update={"defect_type": "module_resin_overflow"}) for _, run in found]
    bodies, _ = measure_defects(slices_of(volume), images, runs)
    assert [body.problem.code for body in bodies] == ["defect_size_unknown_greys"]
    assert bodies[0].size is None
    assert near(bodies[0], told["internal"][0])


def test_a_volume_that_has_gone_leaves_the_verdict_without_sizes(battery):
    volume, told = battery
    images, run = hot(told, told["internal"][0], "z")
    gone = VolumeRef(volume.path.with_name("gone.tif"))
    assert measure_defects(slices_of(gone), images, [run]) == ([], None)

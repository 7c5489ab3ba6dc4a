"""Which of a folder's files are volumes."""

from __future__ import annotations

import numpy as np
import tifffile
from builders.volume_files import smooth_body, write_metaimage, write_series, write_vgi

from inspection.records import VolumeRef
from inspection.volumes.finding import volumes_in
from inspection.volumes.opening import open_volume, volume_files

BODY = smooth_body()


def found_in(folder):
    return volumes_in(folder, sorted(path.name for path in folder.iterdir()))


def test_a_stack_is_told_from_pages_of_their_own_and_from_a_picture_with_a_thumbnail(tmp_path):
    options = {"photometric": "minisblack", "metadata": None}
    for number in range(12):
        tifffile.imwrite(tmp_path / f"{number:02d}.tif", BODY[number], **options)
    with tifffile.TiffWriter(tmp_path / "thumbnail.tif") as file:
        file.write(BODY[0], **options)
        file.write(BODY[0, ::4, ::4], **options)
    assert found_in(tmp_path) == []
    tifffile.imwrite(tmp_path / "stack.tif", BODY, **options)
    tifffile.imwrite(tmp_path / "z.tif", BODY, imagej=True, metadata={"axes": "ZYX"})
    assert [volume.files for volume in found_in(tmp_path)] == [("stack.tif",), ("z.tif",)]


def test_data_belong_to_their_header(tmp_path):
    write_metaimage(tmp_path / "a.mhd", BODY)
    write_vgi(tmp_path / "b.vgi", BODY)
    (tmp_path / "lost.raw").write_bytes(bytes(99))
    (tmp_path / "note.txt").write_text("no volume")
    first, second, lost = found_in(tmp_path)
    assert (first.files, first.title, first.problem) == (("a.mhd", "a.raw"), "a", None)
    assert (second.files, second.problem) == (("b.vgi", "b.vol"), None)
    assert lost.files == ("lost.raw",)
    assert lost.problem is not None
    assert lost.problem.code == "volume_raw_alone"
    assert volume_files(first.ref) == (tmp_path / "a.mhd", tmp_path / "a.raw")
    (tmp_path / "b.vol").unlink()
    assert [one.problem and one.problem.code for one in found_in(tmp_path)] == [
        None, "volume_data_missing", "volume_raw_alone",
    ]  # fmt: skip


def test_a_series_is_one_volume_whatever_its_files_are_called(tmp_path):
    folder = write_series(tmp_path / "ct", BODY, names="IM{number:05d}")
    (folder / "Thumbs").write_bytes(b"no DICOM")
    (volume,) = found_in(folder)
    assert volume.ref == VolumeRef(folder)
    assert len(volume.files) == len(BODY)
    assert volume.title == "ct"
    np.testing.assert_array_equal(open_volume(volume.ref).section("z", 3), BODY[3])


def test_several_series_of_a_folder_are_told_apart(tmp_path):
    write_series(tmp_path, BODY, series="1.2.3", names="a{number}.dcm")
    write_series(tmp_path, BODY + 9, series="1.2.4", names="b{number}.dcm", SeriesNumber=7)
    write_series(tmp_path, BODY, planes=[5], series="1.2.5", names="c.dcm", SeriesNumber=9)
    four, seven, alone = found_in(tmp_path)
    assert [volume.ref.series for volume in (four, seven, alone)] == ["4", "7", ""]
    assert alone.ref == VolumeRef(tmp_path / "c.dcm")
    np.testing.assert_array_equal(open_volume(four.ref).section("y", 5), BODY[:, 5])
    np.testing.assert_array_equal(open_volume(seven.ref).section("y", 5), BODY[:, 5] + 9)
    assert {path.name for path in volume_files(seven.ref)} == set(seven.files)


def test_a_plane_that_cannot_be_read_is_told_and_does_not_hide_the_series(tmp_path):
    write_series(tmp_path, BODY)
    broken = tmp_path / "0003.dcm"
    broken.write_bytes(broken.read_bytes()[:900])
    problems = [volume.problem and volume.problem.code for volume in found_in(tmp_path)]
    assert sorted(map(str, problems)) == ["None", "volume_cut"]

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest
from builders.ensemble_models import copy_ensemble
from builders.installing import import_models
from builders.model_folders import contents, write_bert, write_vlm

from inspection.errors import InspectionError
from inspection.modelstore.archive import MAX_ENTRIES
from inspection.modelstore.install import LOCK_NAME
from inspection.modelstore.installed import altered_files, installed_model


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def archive(tmp_path) -> Path:
    """Return a zip of a good model, to which a test adds what is bad."""
    folder = write_vlm(tmp_path / "원본" / "Qwen2-VL 2B")
    return pack(tmp_path / "큐원 모델.zip", folder.parent)


def pack(path: Path, folder: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as zipped:
        for file in sorted(folder.rglob("*")):
            zipped.write(file, file.relative_to(folder).as_posix())
    return path


def add(archive: Path, name: str, data: bytes = b"{}", mode: int | None = None) -> None:
    entry = zipfile.ZipInfo(name)
    if mode is not None:
        entry.create_system = 3
        entry.external_attr = mode << 16
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr(entry, data, zipfile.ZIP_DEFLATED)


def refusal(archive: Path, target: Path) -> str:
    """Return why a zip is refused, by code; nothing may be left of it, inside or outside."""
    around = set(target.parent.rglob("*"))
    with pytest.raises(InspectionError) as caught:
        import_models(archive, target)
    assert set(target.parent.rglob("*")) - around <= {target, target / LOCK_NAME}
    return caught.value.message.code


def test_a_zip_is_installed_as_its_folder_would_be(archive, target, tmp_path):
    seen = []
    assert import_models(archive, target, on_progress=seen.append).slots == ("vlm",)
    model = installed_model(target / "vlm", "vlm")
    assert not list(altered_files(target / "vlm", model))
    assert (model.name, model.source) == ("Qwen2-VL 2B", str(archive))
    source = contents(tmp_path / "원본" / "Qwen2-VL 2B")
    assert {name: (target / "vlm" / name).read_bytes() for name in model.files} == source
    assert [p.done for p in seen if p.phase == "copy"][-1] == model.size


def test_a_zip_without_a_folder_in_it_is_named_after_itself(target, tmp_path):
    archive = pack(tmp_path / "모델 하나.zip", write_bert(tmp_path / "bert"))
    assert import_models(archive, target).slots == ("bert",)
    assert installed_model(target / "bert", "bert").name == "모델 하나"


def test_a_zip_of_own_models_brings_their_policy(target, tmp_path):
    source = copy_ensemble(tmp_path / "source" / "models")
    archive = pack(tmp_path / "models.zip", source.parent)
    assert set(import_models(archive, target).slots) == {"ct_cnn", "rgb_ae"}
    assert (target / "inspector.yaml").read_bytes() == (source / "inspector.yaml").read_bytes()


def test_a_zip_made_on_windows_has_no_modes(archive, target):
    with zipfile.ZipFile(archive, "a") as zipped:
        entry = zipfile.ZipInfo("Qwen2-VL 2B/merges.txt")
        entry.create_system, entry.external_attr = 0, 0
        zipped.writestr(entry, "a b")
    assert import_models(archive, target).slots == ("vlm",)
    assert "merges.txt" in installed_model(target / "vlm", "vlm").files


@pytest.mark.parametrize(
    "name",
    [
        "../outside.json",
        "a/../../outside.json",
        "/absolute.json",
        "//server/share.json",
        "C:/windows.json",
        "C:windows.json",
        "a\\..\\..\\outside.json",
        "./dot.json",
        "a//b.json",
        "stream.json:hidden.json",
        "CON.json",
        "sub/nul",
        "x" * 300 + ".json",
        "com1.txt",
        "trailing. /a.json",
        "trailing./a.json",
        "a/b .json /c.json",
        "new\nline.json",
        "what?.json",
    ],
)
def test_names_that_reach_outside_or_mean_something_else_are_refused(archive, target, name):
    # The library mends backslashes by itself where they are the system's.
    add(archive, name)
    assert refusal(archive, target) == "model_zip_name"
    assert not (target.parent / "outside.json").exists()


def test_names_that_differ_by_case_alone_are_refused(archive, target):
    add(archive, "Qwen2-VL 2B/CONFIG.json")
    assert refusal(archive, target) == "model_zip_name"


def test_a_name_that_comes_twice_is_refused(archive, target):
    with pytest.warns(UserWarning, match="Duplicate name"):
        add(archive, "Qwen2-VL 2B/config.json")
    assert refusal(archive, target) == "model_zip_name"


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip_are_refused(archive, target, kind):
    add(archive, "Qwen2-VL 2B/vocab.json", b"/etc/passwd", kind | 0o777)
    assert refusal(archive, target) == "model_link"


def test_a_bomb_is_refused_before_it_is_unpacked(archive, target):
    add(archive, "Qwen2-VL 2B/merges.txt", bytes(80 << 20))
    assert refusal(archive, target) == "model_zip_bomb"


def test_thousands_of_names_are_refused(archive, target):
    with zipfile.ZipFile(archive, "a") as zipped:
        for number in range(MAX_ENTRIES):
            zipped.writestr(f"{number}.txt", b"")
    assert refusal(archive, target) == "model_zip_bomb"


def test_a_size_that_lies_is_noticed(archive, target):
    patch_sizes(archive, "merges.txt", bytes(1 << 20), told=10)
    assert refusal(archive, target) == "model_zip_damaged"


def test_a_size_that_boasts_is_refused_before_it_is_unpacked(archive, target):
    patch_sizes(archive, "vocab.txt", b"{}" * 100, told=(1 << 32) - 2)
    assert refusal(archive, target) == "model_zip_bomb"


def patch_sizes(archive: Path, name: str, data: bytes, *, told: int) -> None:
    """Add a file, and have the zip's directory tell another size of it."""
    add(archive, f"Qwen2-VL 2B/{name}", data)
    raw = archive.read_bytes()
    true, false = len(data).to_bytes(4, "little"), told.to_bytes(4, "little")
    place = raw.rindex(b"PK\x01\x02") + 24
    assert raw[place : place + 4] == true
    archive.write_bytes(raw[:place] + false + raw[place + 4 :])


def test_an_encrypted_zip_is_refused(archive, target):
    raw = bytearray(archive.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = raw.find(mark)
        while at >= 0:
            raw[at + place] |= 1
            at = raw.find(mark, at + 4)
    archive.write_bytes(raw)
    assert refusal(archive, target) == "model_zip_encrypted"


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_rare_packing_methods_are_refused(target, tmp_path, method):
    archive = pack(tmp_path / "rare.zip", write_vlm(tmp_path / "vlm"), method)
    assert refusal(archive, target) == "model_zip_method"


def test_what_is_no_zip_is_refused(target, tmp_path):
    path = tmp_path / "model.zip"
    path.write_bytes(b"not a zip")
    assert refusal(path, target) == "model_zip_damaged"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_zip_that_is_cut_short_is_refused(archive, target, share):
    raw = archive.read_bytes()
    archive.write_bytes(raw[: int(len(raw) * share)])
    assert refusal(archive, target) == "model_zip_damaged"


def test_a_flipped_bit_in_a_zip_is_noticed(archive, target):
    raw = bytearray(archive.read_bytes())
    with zipfile.ZipFile(io.BytesIO(raw)) as zipped:
        entry = zipped.getinfo("Qwen2-VL 2B/model.safetensors")
    raw[entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2] ^= 1
    archive.write_bytes(raw)
    assert refusal(archive, target) == "model_zip_damaged"


def test_code_in_a_zip_is_not_even_unpacked(archive, target):
    add(archive, "Qwen2-VL 2B/modeling.py", b"import os")
    add(archive, "Qwen2-VL 2B/pytorch_model.bin", b"pickle")
    import_models(archive, target)
    assert {path.suffix for path in (target / "vlm").iterdir()} == {".json", ".md", ".safetensors"}

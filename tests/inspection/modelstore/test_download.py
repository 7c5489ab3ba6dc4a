from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
import torch
from builders.installing import download_model
from builders.model_folders import contents, write_bert, write_vlm
from builders.model_hub import Hub, closed_port, serve

from inspection.errors import InspectionError
from inspection.modelstore.catalogue import CatalogueEntry, find_entry, load_catalogue
from inspection.modelstore.download import PARTIAL, discard_unfinished
from inspection.modelstore.files import CHUNK
from inspection.modelstore.install import InstallProgress, staging
from inspection.modelstore.installed import altered_files, installed_model
from inspection.modelstore.listing import ALL_SLOTS

ENTRY = CatalogueEntry(name="small", repository="maker/model", slot="vlm", licence="MIT")
WEIGHTS = "model.safetensors"


@pytest.fixture(autouse=True)
def straight_network(monkeypatch):
    """Reach this machine itself without a proxy, and with nobody's token."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", "")


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "내 모델"


@pytest.fixture
def hub(tmp_path):
    """Return a hub with a model whose weights take four chunks."""
    with serve(Hub(write_vlm(tmp_path / "hub", megabytes=3.5))) as hub:
        yield hub


def fetch(hub: Hub, target: Path, entry: CatalogueEntry = ENTRY, **options):
    return download_model(entry, target, endpoint=hub.endpoint, **options)


def refusal(hub: Hub, target: Path, entry: CatalogueEntry = ENTRY) -> str:
    with pytest.raises(InspectionError) as caught:
        fetch(hub, target, entry)
    assert not (target / "vlm").exists()
    return caught.value.message.code


def parts(target: Path) -> dict[str, int]:
    """Return the files that have arrived in part, with the bytes of each."""
    return {p.name: p.stat().st_size for p in (target / PARTIAL).rglob("*.part")}


def is_whole(hub: Hub, target: Path) -> bool:
    model = installed_model(target / "vlm", "vlm")
    files = {name: (target / "vlm" / name).read_bytes() for name in model.files}
    return files == contents(hub.folder) and not list(altered_files(target / "vlm", model))


def test_a_model_is_fetched_verified_and_installed(hub, target):
    seen: list[InstallProgress] = []
    assert fetch(hub, target, on_progress=seen.append).slots == ("vlm",)
    assert is_whole(hub, target)
    model = installed_model(target / "vlm", "vlm")
    assert (model.name, model.licence) == ("small", "MIT")
    assert model.source == f"maker/model@{hub.revision}"
    total = sum(len(data) for data in contents(hub.folder).values())
    last = [progress for progress in seen if progress.phase == "download"][-1]
    assert (last.done, last.total) == (total, total)
    assert not any((target / PARTIAL).iterdir())


def test_code_and_pickles_are_not_even_fetched(hub, target):
    for name in ("modeling.py", "pytorch_model.bin", "tf_model.h5", ".gitattributes"):
        (hub.folder / name).write_bytes(b"x")
    fetch(hub, target)
    assert {name for name, _ in hub.asked} == {
        "config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json",
        WEIGHTS, "README.md",
    }  # fmt: skip


def test_a_cut_connection_goes_on_where_it_stopped(hub, target):
    hub.cut[WEIGHTS] = 2 * CHUNK + 5000
    assert refusal(hub, target) == "model_download_broken"
    (arrived,) = parts(target).values()
    assert 0 < arrived <= 2 * CHUNK + 5000
    fetch(hub, target)
    assert [first for name, first in hub.asked if name == WEIGHTS] == [0, arrived]
    assert [name for name, _ in hub.asked].count("config.json") == 1
    assert is_whole(hub, target)


def test_a_hub_without_ranges_sends_the_file_again(hub, target):
    hub.cut[WEIGHTS], hub.ranges = 2 * CHUNK, False
    assert refusal(hub, target) == "model_download_broken"
    seen: list[InstallProgress] = []
    fetch(hub, target, on_progress=seen.append)
    assert is_whole(hub, target)
    assert max(progress.done for progress in seen if progress.phase == "download") == seen[0].total


@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
def test_a_wrong_checksum_is_discarded_and_fetched_again(hub, target, name):
    hub.changed.add(name)
    assert refusal(hub, target) == "model_download_differs"
    assert parts(target) == {}
    fetch(hub, target)
    assert [first for asked, first in hub.asked if asked == name] == [0, 0]
    assert is_whole(hub, target)


def test_a_hub_that_sends_more_than_it_tells_is_cut_off(hub, target):
    hub.sizes[WEIGHTS] = CHUNK
    assert refusal(hub, target) == "model_download_differs"
    assert parts(target) == {}


def test_a_cancelled_download_keeps_what_has_arrived(hub, target):
    cancel = threading.Event()

    def stop(progress: InstallProgress) -> None:
        if progress.done > 2 * CHUNK:
            cancel.set()

    with pytest.raises(InterruptedError):
        fetch(hub, target, on_progress=stop, cancel=cancel)
    assert not (target / "vlm").exists()
    (arrived,) = parts(target).values()
    fetch(hub, target)
    assert [first for name, first in hub.asked if name == WEIGHTS] == [0, arrived]
    assert is_whole(hub, target)


def test_cancelled_while_it_is_installed_it_is_not_fetched_again(hub, target):
    cancel = threading.Event()

    def stop(progress: InstallProgress) -> None:
        if progress.phase == "check":
            cancel.set()

    with pytest.raises(InterruptedError):
        fetch(hub, target, on_progress=stop, cancel=cancel)
    hub.asked.clear()
    fetch(hub, target)
    assert hub.asked == []
    assert is_whole(hub, target)


def test_a_download_of_an_older_revision_is_not_mixed_in(hub, target):
    hub.cut[WEIGHTS] = 2 * CHUNK
    assert refusal(hub, target) == "model_download_broken"
    hub.revision = "f" * 40
    fetch(hub, target)
    assert [first for name, first in hub.asked if name == WEIGHTS] == [0, 0]
    assert not any((target / PARTIAL).iterdir())


def test_a_failed_download_leaves_the_old_model_whole(hub, target):
    fetch(hub, target)
    hub.revision, hub.changed = "f" * 40, {WEIGHTS}
    with pytest.raises(InspectionError):
        fetch(hub, target)
    assert is_whole(hub, target)


def test_without_network_there_is_one_sentence(target):
    with pytest.raises(InspectionError) as caught:
        download_model(ENTRY, target, endpoint=closed_port())
    assert caught.value.message.code == "model_no_network"
    assert "\n" not in caught.value.text("ko")


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_a_refusal_of_the_hub_is_one_sentence(hub, target, status):
    hub.status = status
    assert refusal(hub, target) == "model_hub_refused"


@pytest.mark.parametrize("answer", [{}, [], "log in first", {"id": "maker/model"}])
def test_an_answer_that_is_no_hub_s_is_one_sentence(hub, target, monkeypatch, answer):
    monkeypatch.setattr(hub, "description", lambda: answer)
    assert refusal(hub, target) in {"model_hub_refused", "model_not_recognised"}


@pytest.mark.parametrize("repository", ["maker/model.git", "maker/a--b", "maker/a..b"])
def test_a_name_that_no_hub_has_is_one_sentence(hub, target, repository):
    entry = find_entry(repository)
    assert refusal(hub, target, entry) == "model_name_unknown"


def test_what_does_not_fit_the_disk_is_not_begun(hub, target):
    hub.sizes[WEIGHTS] = shutil.disk_usage(hub.folder).free + CHUNK
    assert refusal(hub, target) == "model_disk_full"
    assert hub.asked == []


def test_a_repository_without_a_model_is_not_begun(hub, target):
    for path in hub.folder.iterdir():
        path.rename(path.with_suffix(".py"))
    assert refusal(hub, target) == "model_not_recognised"


def test_names_that_reach_outside_are_not_fetched(hub, target, monkeypatch):
    told = hub.description()
    told["siblings"].append({**told["siblings"][0], "rfilename": "../../outside.json"})
    monkeypatch.setattr(hub, "description", lambda: told)
    fetch(hub, target)
    assert not any("outside" in name for name, _ in hub.asked)


def test_of_two_checkpoints_the_named_one_is_fetched(tmp_path, target):
    folder = tmp_path / "hub"
    folder.mkdir()
    for name in ("groundingdino_swint_ogc.pth", "groundingdino_swinb_cogcoor.pth"):
        torch.save({"model": {"w": torch.ones(2)}}, folder / name)
    entry = ENTRY.model_copy(update={"slot": "vlg", "only": "groundingdino_swinb_cogcoor.pth"})
    with serve(Hub(folder)) as hub:
        assert fetch(hub, target, entry).slots == ("vlg",)
    assert installed_model(target / "vlg", "vlg").family == "groundingdino_swinb_cogcoor"


def test_a_model_for_another_slot_than_told_is_refused(tmp_path, target):
    with serve(Hub(write_bert(tmp_path / "hub"))) as hub:
        assert refusal(hub, target) == "model_not_for_slot"


def test_what_unfinished_downloads_left_can_be_removed(hub, target):
    hub.cut[WEIGHTS] = 2 * CHUNK
    assert refusal(hub, target) == "model_download_broken"
    assert discard_unfinished(target) > CHUNK
    assert not (target / PARTIAL).exists()
    assert discard_unfinished(target) == 0


def test_a_download_and_an_installation_do_not_meet(hub, target):
    with staging(target):
        assert refusal(hub, target) == "model_install_busy"
    assert hub.asked == []


def test_the_catalogue_names_a_model_for_every_slot_of_other_projects():
    entries = load_catalogue()
    assert {entry.slot for entry in entries} == {"vlm", "vlg", "bert"} <= set(ALL_SLOTS)
    assert len({entry.name for entry in entries}) == len(entries)
    assert all(entry.licence and entry.gigabytes for entry in entries)


def test_a_model_is_named_by_name_or_repository():
    entry = find_entry("qwen2-vl-7b")
    assert entry.repository == "Qwen/Qwen2-VL-7B-Instruct"
    assert find_entry(entry.repository) == entry
    assert find_entry("someone/else").repository == "someone/else"


@pytest.mark.parametrize("name", ["", "nothing", "../..", "a/..", "a/b/c", "https://hub/a/b"])
def test_other_names_are_refused(name):
    with pytest.raises(InspectionError) as caught:
        find_entry(name)
    assert caught.value.message.code == "model_name_unknown"

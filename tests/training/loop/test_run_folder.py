"""What a person has trained is never lost to a command, and every refusal is one line."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from builders.small_disk import on_small_disk

from inspection.console import run as run_app
from inspection.modelstore.bundle import load_bundle, manifest_digest
from inspection.modelstore.seen import SEEN_FILE, fingerprint, seen_by
from inspection.paths import config_path
from inspection.synthetic import SyntheticLot, write_lot
from training.__main__ import app
from training.data.labelled import read_classes
from training.loop import loop
from training.loop.interruption import TrainingInterrupted

AE = [
    "preprocess.width=32",
    "preprocess.height=64",
    "architecture.latent_dim=8",
    "architecture.reduction=2",
    "architecture.base=4",
    "architecture.levels=3",
    "architecture.head_base=4",
    "architecture.head_levels=2",
    "training.batch_size=4",
    "training.validation_share=0.34",
    "training.threads=1",
    "training.epochs=3",
    "training.early_stopping.patience=9",
    "cache.max_gigabytes=0",
]


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = SyntheticLot(batteries=5, slices=3, views=0, canvas=128, seed=5, defects=0.2)
    return write_lot(tmp_path_factory.mktemp("lots") / "lot", spec, workers=1)


@pytest.fixture(scope="module")
def finished(lot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "finished"
    assert train(lot, out) == 0
    return out


@pytest.fixture
def out(finished: Path, tmp_path: Path) -> Path:
    """Return a finished run of one's own."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def words(lot: Path, out: Path, *more: str) -> list[str]:
    settings = [part for item in AE for part in ("--set", item)]
    file = str(config_path("autoencoder_ct.yaml"))
    # Without TensorBoard, which takes a second.
    quiet = lot.with_name("logging.yaml")
    quiet.write_text("logging: {tensorboard: false}", encoding="utf-8")
    more = ("--logging", str(quiet), *more)
    return ["train", file, "--data", str(lot), "--out", str(out), *settings, *more]


def train(lot: Path, out: Path, *more: str) -> int:
    return run_app(app, "trainer", words(lot, out, *more))


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def rows_of(out: Path) -> list[str]:
    with (out / "log.csv").open(encoding="utf-8", newline="") as stream:
        return [row["epoch"] for row in csv.DictReader(stream)]


def one_line(said: str) -> str:
    (line,) = said.strip().splitlines()
    return line


def test_a_finished_run_is_refused_in_one_line_that_names_its_folder_and_stays_to_the_byte(
    lot: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content_of(out)
    assert train(lot, out) == 2
    line = one_line(capsys.readouterr().err)
    assert str(out) in line
    assert "--force" in line
    assert content_of(out) == before
    # Of checkpoints that were cleared away the model is left, which is what matters.
    shutil.rmtree(out / "checkpoints")
    assert train(lot, out) == 2
    assert (out / "ct_ae" / "bundle.json").is_file()


def test_force_keeps_the_old_run_beside_the_new_one(lot: Path, out: Path) -> None:
    before = content_of(out)
    for number in (1, 2):
        assert train(lot, out, "--force", "--set", f"training.seed={number}") == 0
    assert content_of(out.with_name("run.kept-1")) == before
    assert sorted(path.name for path in out.parent.iterdir()) == ["run", "run.kept-1", "run.kept-2"]
    assert rows_of(out) == ["1", "2", "3"]


@pytest.mark.parametrize("end", ["no data", "interrupted"])
def test_a_forced_run_that_finishes_no_epoch_gives_the_old_one_back(
    end: str,
    lot: Path,
    out: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = content_of(out)
    if end == "no data":
        (tmp_path / "empty").mkdir()
        assert train(tmp_path / "empty", out, "--force") == 2
    else:
        monkeypatch.setattr(loop, "_stop_if_asked", _stop_at(0))
        assert train(lot, out, "--force") == 130
        said = capsys.readouterr().err.splitlines()[-1]
        assert "no epoch was finished, so nothing is kept" in said
        assert "--resume" not in said
    assert content_of(out) == before
    assert not out.with_name("run.kept-1").exists()


def _stop_at(epoch: int):
    def stop(asked: bool, processes: object, step: int, epochs: int) -> None:
        if epochs == epoch and step:
            raise TrainingInterrupted(epochs)

    return stop


def test_two_of_three_epochs_and_the_resumed_one_make_three_lines(
    lot: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(loop, "_stop_if_asked", _stop_at(2))
        assert train(lot, out) == 130
    assert "2 finished epochs" in capsys.readouterr().err
    assert rows_of(out) == ["1", "2"]
    assert train(lot, out, "--resume") == 0
    assert rows_of(out) == ["1", "2", "3"]


def test_resume_says_where_there_is_no_run_and_where_it_is_finished(
    lot: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(lot, tmp_path / "none", "--resume") == 2
    assert str(tmp_path / "none") in one_line(capsys.readouterr().err)
    assert not (tmp_path / "none").exists()
    before = content_of(out / "ct_ae")
    assert train(lot, out, "--resume") == 0
    said = capsys.readouterr()
    assert "finished already" in said.err
    assert said.out.strip() == str(out / "ct_ae")
    assert content_of(out / "ct_ae") == before
    assert rows_of(out) == ["1", "2", "3"]
    assert train(lot, out, "--resume", "--force") == 2


def test_a_model_tells_by_content_which_images_it_has_seen(
    lot: Path, finished: Path, tmp_path: Path
) -> None:
    normal = {
        fingerprint(image.ref.path)
        for image in read_classes([lot], "ct")
        if image.label is not None and not image.label.defects
    }
    first = load_bundle(finished / "ct_ae")
    seen = seen_by(first)
    assert seen is not None
    assert (seen.prints, seen.complete) == (normal, True)
    # One that goes on from it has seen the same; from one that does not tell, nobody knows what.
    stripped = Path(shutil.copytree(finished / "ct_ae", tmp_path / "ct_ae"))
    content = json.loads((stripped / "bundle.json").read_text(encoding="utf-8"))
    del content["files"][SEEN_FILE]
    content["sha256"] = manifest_digest(content)
    (stripped / "bundle.json").write_text(json.dumps(content), encoding="utf-8")
    for start, complete in ((finished / "ct_ae", True), (stripped, False)):
        out = tmp_path / f"from {complete}"
        assert train(lot, out, "--init", str(start), "--set", "training.epochs=1") == 0
        seen = seen_by(load_bundle(out / "ct_ae"))
        assert seen is not None
        assert (seen.prints, seen.complete) == (normal, complete)


def test_a_folder_that_cannot_be_made_is_one_line_before_any_data_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert train(tmp_path / "no lot", tmp_path / "file" / "run") == 2
    assert str(tmp_path / "file" / "run") in one_line(capsys.readouterr().err)


def test_a_device_that_is_not_there_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert train(tmp_path / "no lot", tmp_path / "run", "--device", "cuda") == 2
    assert "no such GPU" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


def test_the_device_of_the_command_goes_before_the_configurations(
    lot: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    more = ("--set", "training.device=cuda", "--set", "training.epochs=1", "--device", "cpu")
    assert train(lot, out, *more) == 0
    assert "device: cpu" in (out / "config.yaml").read_text(encoding="utf-8")


@pytest.mark.long
def test_a_disk_that_fills_up_in_the_middle_keeps_the_last_good_epoch(
    lot: Path, finished: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    size = sum(len(data) for data in content_of(finished).values())
    board = str(config_path("logging.yaml"))
    said = words(lot, disk / "run", "--language", "en", "--logging", board)
    quoted = " ".join(f'"{word}"' for word in said)
    command = f'"{sys.executable}" -m training {quoted}'
    slow = command + " --set training.epochs=400 --set training.early_stopping.patience=400"
    done = on_small_disk(
        disk,
        f"{size * 3 // 1024 + 64}k",
        # What fills the disk is somebody else, once an epoch is finished.
        f"( {slow} ) 2> told & "
        f'while [ ! -f "{disk}/run/checkpoints/last.pt" ]; do sleep 0.05; done; '
        f'head -c 1G /dev/zero > "{disk}/rubbish"; '
        f'wait $!; echo code $?; cat told >&2; rm told "{disk}/rubbish"; '
        f'cp -r "{disk}/run" "{tmp_path}/after"',
    )
    assert "code 2" in done.stdout, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [text for text in done.stderr.splitlines() if text.startswith("trainer: ")]
    assert "No space left on device" in line
    assert "--resume" in line
    load_bundle(tmp_path / "after" / "ct_ae", "ct_ae")
    state = torch.load(tmp_path / "after" / "checkpoints" / "last.pt", weights_only=True)["state"]
    assert f"{state['epoch']} finished epochs" in line

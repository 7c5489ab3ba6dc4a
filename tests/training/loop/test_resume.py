"""A training that is killed, interrupted or resumed ends as an unbroken one does."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from inspection.modelstore.bundle import load_bundle
from inspection.paths import config_path
from inspection.synthetic import SyntheticLot, write_lot

CNN = [
    "preprocess.width=32",
    "preprocess.height=32",
    "warmup.epochs=1",
    "warmup.crop=32",
    "warmup.batch_size=4",
    "warmup.crops_per_image=0.5",
    "training.epochs=3",
    "training.batch_size=4",
    "training.threads=1",
]
AE = [
    "preprocess.width=32",
    "preprocess.height=64",
    "architecture.latent_dim=8",
    "architecture.reduction=2",
    "architecture.base=4",
    "architecture.levels=3",
    "architecture.head_base=4",
    "architecture.head_levels=2",
    "training.epochs=6",
    "training.batch_size=4",
    "training.validation_share=0.34",
    "training.threads=1",
]
KINDS = {"cnn.yaml": (CNN, "ct_cnn"), "autoencoder_ct.yaml": (AE, "ct_ae")}


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = SyntheticLot(batteries=6, slices=3, views=0, canvas=128, seed=5, defects=0.5)
    return write_lot(tmp_path_factory.mktemp("lots") / "lot", spec, workers=1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def arguments(kind: str, lot: Path, cache: Path, out: Path, *more: str) -> list[str]:
    overrides = [*KINDS[kind][0], f"cache.folder={cache}"]
    settings = [part for item in overrides for part in ("--set", item)]
    data = ["--data", str(lot), *(["--val", str(lot)] if kind == "cnn.yaml" else [])]
    return ["train", str(config_path(kind)), *data, "--out", str(out), *settings, *more]


def run(*words: str) -> int:
    return told(["-m", "training", *words])


def told(words: list[str]) -> int:
    """Run Python in a process of its own, whose end is not that of the tests; show what it says."""
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, encoding="utf-8", check=False
    )
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


def start(words: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "training", *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def wait_for_epoch(out: Path, process: subprocess.Popen[str]) -> None:
    """Return once the first epoch is checkpointed, which is inside the second one."""
    deadline = time.monotonic() + 120
    while not (out / "checkpoints" / "last.pt").is_file():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.002)


UNTIL = """
import signal, sys
from inspection.console import run
from training.__main__ import app
from training.loop import loop

look = loop._stop_if_asked

def look_after_the_signal(asked, processes, step, epochs):
    if (step, epochs) == (1, 1):
        signal.raise_signal(int(sys.argv[1]))
    look(asked, processes, step, epochs)

loop._stop_if_asked = look_after_the_signal
sys.exit(run(app, "trainer", sys.argv[2:]))
"""


def run_until(number: signal.Signals, words: list[str]) -> int:
    """Train, and be sent a signal at the first step of the second epoch."""
    return told(["-c", UNTIL, str(int(number)), *words])


def epochs_of(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def result(out: Path, kind: str) -> tuple[bytes, dict[str, str]]:
    slot = KINDS[kind][1]
    return (out / "log.csv").read_bytes(), load_bundle(out / slot, slot).manifest.files  # type: ignore[arg-type]


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "end"), [("cnn.yaml", signal.SIGKILL), ("autoencoder_ct.yaml", signal.SIGTERM)]
)
def test_a_run_that_was_ended_goes_on_to_the_result_of_an_unbroken_one(
    kind: str,
    end: signal.Signals,
    lot: Path,
    cache: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    if end == signal.SIGTERM:
        assert run_until(end, arguments(kind, lot, cache, broken)) == 130
        said = capsys.readouterr()
        assert said.out == ""
        assert "--resume" in said.err.strip().splitlines()[-1]
        result(broken, kind)  # the best model so far is usable
    else:
        process = start(arguments(kind, lot, cache, broken))
        wait_for_epoch(broken, process)
        process.send_signal(end)
        process.communicate(timeout=60)
    assert run(*arguments(kind, lot, cache, whole)) == 0
    total = len(epochs_of(whole))
    done = torch.load(broken / "checkpoints" / "last.pt", weights_only=True)["state"]["epoch"]
    assert 1 <= done < total

    # Started again by mistake, it is not thrown away; with another configuration, not mixed up.
    capsys.readouterr()
    assert run(*arguments(kind, lot, cache, broken)) == 2
    assert "--resume" in capsys.readouterr().err
    other = ("--resume", "--set", "training.learning_rate=0.5")
    assert run(*arguments(kind, lot, cache, broken, *other)) == 2
    assert "training.learning_rate was 0.001 and is now 0.5" in capsys.readouterr().err

    assert run(*arguments(kind, lot, cache, broken, "--resume")) == 0
    assert result(broken, kind) == result(whole, kind)
    # A finished run is left as it is.
    assert run(*arguments(kind, lot, cache, broken, "--resume")) == 0
    assert result(broken, kind) == result(whole, kind)


def test_ctrl_c_ends_an_autoencoders_run_too(
    lot: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"

    long = arguments("autoencoder_ct.yaml", lot, cache, out, "--set", "training.epochs=500")
    assert run_until(signal.SIGINT, long) == 130
    assert "--resume" in capsys.readouterr().err
    load_bundle(out / "ct_ae", "ct_ae")


@pytest.mark.long
def test_other_data_is_no_resume(
    lot: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    short = ("--set", "training.epochs=1")
    assert run(*arguments("autoencoder_ct.yaml", lot, cache, out, *short)) == 0
    spec = SyntheticLot(batteries=6, slices=3, views=0, canvas=128, seed=6, defects=0.5)
    other = write_lot(tmp_path / "lot", spec, workers=1)
    capsys.readouterr()
    words = arguments("autoencoder_ct.yaml", other, cache, out, *short, "--resume")
    assert run(*words) == 2
    assert "images was" in capsys.readouterr().err
    (out / "checkpoints" / "last.pt").write_bytes(b"damaged")
    assert run(*arguments("autoencoder_ct.yaml", lot, cache, out, *short, "--resume")) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.long
def test_tensorboard_shows_figures_and_pictures(lot: Path, cache: Path, tmp_path: Path) -> None:
    assert (
        run(*arguments("cnn.yaml", lot, cache, tmp_path / "cnn", "--set", "training.epochs=2")) == 0
    )
    assert run(*arguments("autoencoder_ct.yaml", lot, cache, tmp_path / "ae")) == 0
    boards = {}
    for name in ("cnn", "ae"):
        (folder,) = (tmp_path / name / "tensorboard").iterdir()
        boards[folder.name] = EventAccumulator(str(folder)).Reload()
    classifier, autoencoder = boards["resnet18_lr1e-3_bs4_wd1e-4"], boards["ae_ct_k2.5"]
    assert {"train/loss", "val/loss", "val/f1", "val/accuracy", "val/recall", "lr"} <= set(
        classifier.Tags()["scalars"]
    )
    assert [event.step for event in classifier.Images("val/confusion")] == [1, 2]
    assert [event.step for event in autoencoder.Images("val/reconstructions")] == [5]
    picture = autoencoder.Images("val/reconstructions")[0]
    assert (picture.width, picture.height) == (3 * 32, 4 * 64)
    assert set(autoencoder.Tags()["histograms"]) == {"val/scores_clean", "val/scores_painted"}
    logged = [event.value for event in autoencoder.Scalars("val/auroc")]
    rows = epochs_of(tmp_path / "ae")
    assert logged == pytest.approx([float(row["val_auroc"]) for row in rows], abs=1e-6)
    assert list(rows[0])[:6] == [
        "epoch", "train_loss", "val_loss", "val_f1", "val_accuracy", "val_recall"
    ]  # fmt: skip


def test_what_the_logging_file_switches_off_is_not_written(
    lot: Path, cache: Path, tmp_path: Path
) -> None:
    quiet = tmp_path / "logging.yaml"
    quiet.write_text("logging: {csv: false, tensorboard: false}", encoding="utf-8")
    out = tmp_path / "run"
    more = ("--logging", str(quiet), "--set", "training.epochs=1")
    assert run(*arguments("autoencoder_ct.yaml", lot, cache, out, *more)) == 0
    assert sorted(path.name for path in out.iterdir()) == ["checkpoints", "config.yaml", "ct_ae"]

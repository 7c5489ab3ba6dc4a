"""Two processes on one machine train as one process does: same batches, same statistics."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from inspection.modelstore.bundle import load_bundle
from inspection.paths import config_path, program_root
from inspection.synthetic import SyntheticLot, write_lot
from training.__main__ import app
from training.loop.distributed import Processes, SharedBatchNorm2d, gather_batch

COMMON = [
    "preprocess.width=32",
    "preprocess.height=32",
    "training.batch_size=4",
    "training.epochs=2",
    "training.precision=float32",
    "training.threads=1",
    "training.device=cpu",
]
CNN = [
    *COMMON,
    "warmup.epochs=0",
    "training.learning_rate=0.00001",
    "training.head_lr_factor=1",
    "training.schedule=constant",
]
AE = [
    *COMMON,
    "architecture.latent_dim=8",
    "architecture.reduction=2",
    "architecture.base=4",
    "architecture.levels=3",
    "architecture.head_base=4",
    "architecture.head_levels=2",
    "training.validation_share=0.34",
]
SCRIPT = """
import copy, json, sys, weakref
import torch
from torch import nn
from inspection.console import run
from training.__main__ import app
from training.loop.distributed import Processes, join_processes

def check_gradients(processes: Processes) -> None:
    from inspection.systems.ensemble.backbones import build_classifier

    # In double precision, where rounding cannot hide a wrong gradient.
    torch.manual_seed(0)
    parts = {"backbone": "resnet18", "in_channels": 1, "output_stride": 16}
    model = build_classifier(parts).double()
    alone = nn.Sequential(model.stem, model.layer1, model.layer2, model.layer3, model.layer4)
    shared = copy.deepcopy(alone)
    inputs, wanted = torch.randn(4, 1, 32, 32).double(), torch.randn(4, 512, 2, 2).double()
    (alone(inputs) * wanted).mean().backward()
    parallel = processes.parallel(shared)
    (parallel(inputs[processes.rank :: 2]) * wanted[processes.rank :: 2]).mean().backward()
    for one, other in zip(alone.parameters(), shared.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-9, atol=1e-12)
    for one, other in zip(alone.buffers(), shared.buffers(), strict=True):
        torch.testing.assert_close(other, one)

with join_processes("cpu") as processes:  # one group for all: joining takes seconds
    group = weakref.ref(torch.distributed.group.WORLD)
    check_gradients(processes)
    code = max(run(app, "trainer", words) for words in json.loads(sys.argv[1]))
assert group() is None, "the group's threads outlive it, and may abort the process as it ends"
sys.exit(code)
"""
TOLERANCE = 1e-3
"""Relative, of losses: sums in another order are all that differs, and Adam enlarges that."""


def command(kind: str, overrides: list[str], lot: Path, cache: Path, out: Path) -> list[str]:
    settings = [p for item in (*overrides, f"cache.folder={cache}") for p in ("--set", item)]
    data = ["--data", str(lot), *(["--val", str(lot)] if kind == "cnn.yaml" else [])]
    return ["train", str(config_path(kind)), *data, "--out", str(out), *settings]


def rows_of(out: Path) -> list[dict[str, float]]:
    with (out / "log.csv").open(encoding="utf-8", newline="") as stream:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]


@pytest.mark.long
def test_two_processes_give_the_metrics_of_one(tmp_path: Path) -> None:
    from inspection.console import run

    spec = SyntheticLot(batteries=6, slices=4, views=0, canvas=128, seed=5, defects=0.5)
    lot = write_lot(tmp_path / "lot", spec, workers=1)
    kinds = {"cnn": ("cnn.yaml", CNN, "ct_cnn"), "ae": ("autoencoder_ct.yaml", AE, "ct_ae")}
    cache = tmp_path / "cache"
    commands = {
        side: {n: command(k, o, lot, cache, tmp_path / side / n) for n, (k, o, _) in kinds.items()}
        for side in ("one", "two")
    }
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    words = [*torchrun, "--nproc_per_node=2", str(tmp_path / "train.py")]
    environment = {**os.environ, "PYTHONPATH": str(program_root()), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*words, json.dumps(list(commands["two"].values()))],
        env=environment, capture_output=True, text=True, encoding="utf-8", check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name, (_, _, slot) in kinds.items():
        assert run(app, "trainer", commands["one"][name]) == 0
        one, two = (rows_of(tmp_path / side / name) for side in ("one", "two"))
        assert len(one) == len(two) == 2
        for alone, shared in zip(one, two, strict=True):
            for figure in ("train_loss", "val_loss"):
                assert shared[figure] == pytest.approx(alone[figure], rel=TOLERANCE)
            # One image of the few may be on the other side of a threshold.
            assert shared == pytest.approx(alone, rel=TOLERANCE, abs=0.1)
        tensors = (
            load_bundle(tmp_path / side / name / slot, slot).load_tensors()  # type: ignore[arg-type]
            for side in ("one", "two")
        )
        alone_weights, shared_weights = tensors
        assert list(alone_weights) == list(shared_weights)
        # One writer: what it wrote is whole, and nothing of the other process lies beside it.
        assert sorted(p.name for p in (tmp_path / "two" / name).iterdir()) == sorted(
            p.name for p in (tmp_path / "one" / name).iterdir()
        )


@pytest.fixture
def group_of_one(tmp_path: Path) -> Iterator[None]:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("group_of_one")
def test_shared_batch_norm_is_torchs_own() -> None:
    torch.manual_seed(0)
    own, shared = nn.BatchNorm2d(5), SharedBatchNorm2d(5)
    for norm in (own, shared):
        nn.init.uniform_(norm.weight, generator=torch.Generator().manual_seed(1))
    for training in (True, True, False):
        inputs = torch.randn(4, 5, 3, 2) * 3 + 1
        results = []
        for norm in (own, shared):
            x = inputs.clone().requires_grad_()
            norm.train(training).zero_grad()
            y = norm(x)
            (y * torch.arange(y.numel()).view_as(y).sin()).sum().backward()
            results.append((y, x.grad, norm.weight.grad, norm.bias.grad, *norm.buffers()))
        for expected, found in zip(*results, strict=True):
            torch.testing.assert_close(found, expected)


@pytest.mark.usefixtures("group_of_one")
def test_a_gathered_batch_carries_gradients() -> None:
    x = torch.arange(6.0).view(3, 2).requires_grad_()
    gather_batch(x).square().sum().backward()
    torch.testing.assert_close(x.grad, 2 * x.detach())


def test_an_uneven_batch_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from inspection.console import run

    @contextmanager
    def three(device: str) -> Iterator[Processes]:
        yield Processes(0, 3, torch.device("cpu"))

    monkeypatch.setattr("training.loop.runs.join_processes", three)
    words = command("cnn.yaml", CNN, tmp_path, tmp_path, tmp_path / "out")
    assert run(app, "trainer", words) == 2
    assert "4 images cannot be shared evenly by 3 processes" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

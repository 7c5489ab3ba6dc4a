"""Time the way from the disk to the verdict, step by step, interleaved on the same files.

Five ways, each over the slices and over the views of the same batteries:

- ``naive``: one image at a time as the customer's design says: PIL decodes and resizes, PyTorch
  runs forward in single precision, and for a slice backward, for Grad-CAM.
- ``decode``: files to model inputs in the engine's threads, no model.
- ``forward``: model inputs from memory through the model.
- ``engine``: the product without a window: lanes, verdicts, evidence, session on the disk.
- ``window``: the same behind the window.

Every round runs all of them, so that a busy moment of the machine hits all alike; the best round
counts. Without ``--lot`` a synthetic lot of full-size images is made first::

    python benchmarks/throughput.py --rounds 3 --json throughput.json
    python benchmarks/throughput.py --scaling 1,4,16,74
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import torch
from PIL import Image
from PySide6.QtCore import QEventLoop
from torchvision.models import resnet18

from app.application import Station, make_application
from app.settings import Settings, SettingsFile
from inspection import __version__
from inspection.config import find_policy
from inspection.images.decode_ahead import DecodeAhead, Decoded
from inspection.images.preprocess import Preprocess
from inspection.lot.scan import scan_lot
from inspection.modelstore.bundle import find_bundle
from inspection.modelstore.folders import ModelFolders
from inspection.paths import resource_path
from inspection.records import Battery, ImageRef, Lot
from inspection.run.driver import inspect_into
from inspection.run.plan import Conditions, plan_rest
from inspection.session.creating import create_session
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.ensemble.cae import CaePredictor
from inspection.systems.ensemble.cnn import CnnPredictor
from inspection.systems.ensemble.lane import EnsembleLane
from inspection.systems.lane import resolve_device

BATCH = 16
NAIVE_SIDE = 224
NAIVE_IMAGES = 24
"""Enough of the slowest way."""

Work = Callable[[], float]
"""Returns the seconds it took."""


class TimedLane(EnsembleLane):
    """The engine's lane; notes when its models were loaded."""

    loaded_at = 0.0

    def load(self) -> list[Any]:
        """Load, and look at the clock."""
        provenance = super().load()
        type(self).loaded_at = time.perf_counter()
        return provenance


@dataclass(frozen=True, slots=True)
class Setting:
    """What every way needs to know."""

    lot: Lot
    models: ModelFolders
    device: str
    work_dir: Path
    cache: Path | None

    @property
    def conditions(self) -> Conditions:
        """What a run inspects with."""
        policy = find_policy(self.models.with_policy)
        return Conditions(self.models, ("ensemble",), policy, self.device, cache_dir=self.cache)


def naive_ct(images: Sequence[ImageRef]) -> float:
    """A slice at a time: PIL, ResNet18 at 224, and backward for Grad-CAM."""
    model = resnet18(weights=None, num_classes=5).eval()
    kept: list[torch.Tensor] = []
    model.layer4[-1].register_forward_hook(lambda _m, _i, out: kept.append(out))
    started = time.perf_counter()
    for ref in images:
        kept.clear()
        picture = Image.open(ref.path).convert("RGB").resize((NAIVE_SIDE, NAIVE_SIDE))
        x = torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)[None]
        scores = model((x - 0.5) / 0.5)
        (gradient,) = torch.autograd.grad(scores[0, int(scores.argmax())], kept)
        weights = gradient.mean(dim=(2, 3), keepdim=True)
        (weights * kept[0]).sum(dim=1).clamp(min=0).detach().numpy()
    return time.perf_counter() - started


def naive_rgb(images: Sequence[ImageRef], predictor: CaePredictor) -> float:
    """A view at a time: PIL, and the shipped autoencoder in single precision."""
    spec = predictor.preprocess
    mean, std = np.asarray(spec.mean, np.float32), np.asarray(spec.std, np.float32)
    started = time.perf_counter()
    for ref in images:
        picture = Image.open(ref.path).convert("RGB").resize((spec.width, spec.height))
        x = (np.asarray(picture, np.float32) / 255 - mean) / std
        predictor.judge(x.transpose(2, 0, 1)[None])
    return time.perf_counter() - started


def decode(images: Sequence[ImageRef], spec: Preprocess) -> float:
    """Files to inputs, as the engine does it."""
    decoding = DecodeAhead()
    started = time.perf_counter()
    for _ in decoding.images([(ref, spec) for ref in images]):
        pass
    seconds = time.perf_counter() - started
    decoding.close()
    return seconds


def inputs_of(images: Sequence[ImageRef], spec: Preprocess) -> np.ndarray:
    """Return one batch of inputs, to run forward again and again."""
    decoding = DecodeAhead()
    wanted = [(ref, spec) for ref in images[:BATCH]]
    arrays = [item.input.array for item in decoding.images(wanted) if isinstance(item, Decoded)]
    decoding.close()
    return np.stack(arrays)


def forward(predictor: CnnPredictor | CaePredictor, batch: np.ndarray, count: int) -> float:
    """Inputs through the model."""
    started = time.perf_counter()
    for _ in range(-(-count // len(batch))):
        predictor.judge(batch)
    return (time.perf_counter() - started) * count / (-(-count // len(batch)) * len(batch))


def engine(setting: Setting, batteries: Sequence[Battery]) -> float:
    """The product without a window, from the models loaded to the last battery saved."""
    lot = replace(setting.lot, batteries=tuple(batteries))
    with tempfile.TemporaryDirectory(dir=setting.work_dir) as folder:
        policy = find_policy(setting.models.with_policy)
        with create_session(
            Path(folder),
            lot=lot,
            operator="",
            station="",
            language="en",
            config=policy.snapshot(),
            device=setting.device,
            models=[],
            version=__version__,
        ) as store:
            inspect_into(
                store,
                lot,
                plan_rest(store, lot, setting.conditions),
                lambda _system, lane: TimedLane(lane),
                cancel=threading.Event(),
                on_event=lambda _event: None,
            )
            return time.perf_counter() - TimedLane.loaded_at


def window(setting: Setting, batteries: Sequence[Battery]) -> float:
    """The same behind the window."""
    make_application()
    lot = replace(setting.lot, batteries=tuple(batteries))
    with tempfile.TemporaryDirectory(dir=setting.work_dir) as folder:
        file = SettingsFile(Path(folder) / "settings.json")
        file.save(Settings(systems=("ensemble",)))
        station = Station(
            setting.models,
            Path(folder) / "sessions",
            file,
            build=lambda _system, lane: TimedLane(replace(lane, cache_dir=setting.cache)),
        )
        station.window.resize(1600, 960)
        station.window.show()
        loop = QEventLoop()
        station.controller.runner.ended.connect(loop.quit)
        station.controller._on_lot(lot, autostart=True)
        loop.exec()
        seconds = time.perf_counter() - TimedLane.loaded_at
        station.window.close()
        station.discard_window()
    return seconds


def measure(ways: dict[str, Work], rounds: int) -> dict[str, float]:
    """Return the best seconds of each way."""
    best = dict.fromkeys(ways, float("inf"))
    for number in range(rounds):
        for name, work in ways.items():
            best[name] = min(best[name], work())
            print(f"round {number + 1}: {name} {best[name]:.2f} s", flush=True)
    return best


def compare(setting: Setting, rounds: int, *, with_window: bool) -> list[dict[str, Any]]:
    """Return the figures of both modalities."""
    bundles = setting.models.holding("ct_cnn")
    cnn = CnnPredictor(find_bundle(bundles, "ct_cnn"), setting.device)
    cae = CaePredictor(find_bundle(bundles, "rgb_ae"), setting.device)
    plain = CaePredictor(find_bundle(bundles, "rgb_ae"))
    if setting.cache is not None:
        cnn.accelerate(setting.cache)
        cae.accelerate(setting.cache)
    slices = [replace(battery, rgb=()) for battery in setting.lot.batteries]
    views = [replace(battery, ct=()) for battery in setting.lot.batteries]
    return [
        one_modality(setting, "ct", slices, cnn, naive_ct, rounds, with_window),
        one_modality(
            setting, "rgb", views, cae, partial(naive_rgb, predictor=plain), rounds, with_window
        ),
    ]


def one_modality(
    setting: Setting,
    modality: str,
    batteries: Sequence[Battery],
    predictor: CnnPredictor | CaePredictor,
    naive: Callable[[Sequence[ImageRef]], float],
    rounds: int,
    with_window: bool,
) -> dict[str, Any]:
    """Return the figures of a modality."""
    images = [ref for battery in batteries for ref in (*battery.ct, *battery.rgb)]
    few, count = images[:NAIVE_IMAGES], len(images)
    batch = inputs_of(images, predictor.preprocess)
    ways: dict[str, Work] = {
        "naive": lambda: naive(few) * count / len(few),
        "decode": partial(decode, images, predictor.preprocess),
        "forward": partial(forward, predictor, batch, count),
        "engine": partial(engine, setting, batteries),
    }
    if with_window:
        ways["window"] = partial(window, setting, batteries)
    print(f"{modality}: {count} images")
    return figures(modality, count, measure(ways, rounds), predictor.backends)


def figures(
    modality: str, count: int, best: dict[str, float], backends: Sequence[str]
) -> dict[str, Any]:
    """Return a modality's figures: ratios first."""
    slower = max(best["decode"], best["forward"])
    row: dict[str, Any] = {
        "modality": modality,
        "images": count,
        "backends": list(backends),
        "engine_over_naive": best["naive"] / best["engine"],
        "share_of_slower_stage": slower / best["engine"],
        # Decoding and computing share the cores: no order of work can be faster than this.
        "share_of_bound": (best["decode"] + best["forward"]) / best["engine"],
        "ms_per_image": {name: 1e3 * seconds / count for name, seconds in best.items()},
    }
    if "window" in best:
        row["window_over_engine"] = best["window"] / best["engine"]
    return row


def scaling(setting: Setting, counts: Sequence[int]) -> list[dict[str, float]]:
    """Return seconds a battery over growing numbers of batteries."""
    rows = []
    for count in counts:
        batteries = setting.lot.batteries[:count]
        if len(batteries) < count:
            break
        seconds = engine(setting, batteries)
        rows.append({"batteries": count, "seconds_per_battery": seconds / count})
        print(f"{count} batteries: {seconds / count:.3f} s each", flush=True)
    return rows


def machine(device: str) -> dict[str, Any]:
    """Say what was measured on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((li.partition(":")[2].strip() for li in lines if li.startswith("model name")), "")


@contextmanager
def _lot(arguments: argparse.Namespace, folder: Path) -> Iterator[Lot]:
    root = arguments.lot
    if root is None:
        spec = SyntheticLot(
            batteries=arguments.batteries,
            slices=arguments.slices,
            views=arguments.views,
            canvas=arguments.canvas,
            seed=5,
        )
        root = write_lot(folder / "lot", spec)
    yield scan_lot(root.resolve())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lot", type=Path, help="an existing lot instead of a synthetic one")
    parser.add_argument("--batteries", type=int, default=2)
    parser.add_argument("--slices", type=int, default=60)
    parser.add_argument("--views", type=int, default=24)
    parser.add_argument("--canvas", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--plain", action="store_true", help="PyTorch in single precision only")
    parser.add_argument("--no-window", action="store_true")
    parser.add_argument("--scaling", help="numbers of batteries, such as 1,4,16,74, and no more")
    parser.add_argument("--models", type=Path, default=resource_path("models"))
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    with tempfile.TemporaryDirectory() as name, _lot(arguments, Path(name)) as lot:
        cache = None if arguments.plain else Path(name) / "cache"
        setting = Setting(lot, ModelFolders((arguments.models,)), device, Path(name), cache)
        result: dict[str, Any] = {"machine": machine(device)}
        if arguments.scaling:
            result["scaling"] = scaling(setting, [int(n) for n in arguments.scaling.split(",")])
        else:
            result["ways"] = compare(setting, arguments.rounds, with_window=not arguments.no_window)
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
    # What is left of several windows in one process dies in no good order at its end.
    sys.stdout.flush()
    os._exit(0)

"""How finely must a full-size CT slice be seen? One table: scores and time per input.

Makes full-size synthetic lots where they are missing, trains every variant with the same recipe on
the same number of images, judges batteries that none was trained on, and prints the table; its JSON
is OUT/table.json. A round of training whose result file exists is not run again::

    python benchmarks/ct_resolution.py --out runs/ct_resolution
    python benchmarks/ct_resolution.py --out runs/ct_trial --quick     # proves that it runs
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ct_inputs import (
    ALL,
    REFERENCE,
    STRIDE,
    VARIANTS,
    CachedSlices,
    Variant,
    cache_slices,
    decode,
    make_lots,
    training_slices,
)
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch.nn import functional

from inspection.classes import class_table
from inspection.comparison.bootstrap import BootstrapConfig, ClusterBootstrap
from inspection.images.heatmaps import crop_to_content, peak_of
from inspection.images.preprocess import to_model_input
from inspection.modelstore.bundle import load_bundle
from inspection.paths import resource_path
from inspection.systems.ensemble.backbones import CtClassifier, build_classifier
from training.classifier.classifier import map_loss
from training.classifier.config import CnnConfig
from training.classifier.dataset import SliceBatches, read_slices
from training.data.transforms import normalise
from training.evaluation.metrics import (
    calibrate_temperature,
    classification_figures,
    defect_indices,
    points_at_defect,
    reliability,
)
from training.loop.distributed import Processes

BATCH = {"crops": 8, "whole": 4}
RATES = {"crops": 7e-4, "whole": 2e-4}
CELL_POROSITY = class_table().ct.index("cell_porosity")
ALONE = Processes(0, 1, torch.device("cpu"))
DEMO_PEAK = 500.0
"""Raw heat that the demo weights, from which every variant starts, have at a defect."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is made and seen: batteries of each lot, crops and whole slices of each round."""

    batteries: dict[str, int]
    crops: tuple[int, ...]
    whole: tuple[int, ...]


FULL = Plan({"train": 220, "val": 36, "test": 90}, crops=(4000, 2000, 1000), whole=(200, 300, 600))
QUICK = Plan({"train": 8, "val": 4, "test": 4}, crops=(16,), whole=(8,))


def configure(variant: Variant, crops: int, images: int) -> CnnConfig:
    """Return the recipe; only the input and the heat that it needs differ between variants."""
    return CnnConfig.model_validate(
        {
            "model": "cnn",
            "name": "resnet18_ct",
            "architecture": {"in_channels": variant.channels, "output_stride": STRIDE},
            "preprocess": variant.preprocess.model_dump(),
            "augmentation": {"rotation_probability": 0.4},
            "localisation": {"weight": 50, "peak": variant.peak, "positive_weight": 8},
            "warmup": {
                "epochs": 1,
                "crop": 128,
                "crops_per_image": crops / images,
                "batch_size": BATCH["crops"],
            },
            "training": {"epochs": 2, "batch_size": BATCH["whole"], "seed": 7},
        }
    )


def build(variant: Variant, start: Path | None) -> CtClassifier:
    """Return the network with the demo weights, or with those of an earlier round."""
    bundle = load_bundle(resource_path("models", "ct_cnn"), "ct_cnn")
    tensors = bundle.load_tensors()
    architecture = {**bundle.manifest.architecture, "in_channels": variant.channels}
    model = build_classifier(architecture)
    if start is not None:
        tensors = load_file(start)
    else:
        first = tensors["stem.0.weight"]
        tensors["stem.0.weight"] = first.repeat(1, variant.channels, 1, 1) / variant.channels
        tensors["fc.weight"] = tensors["fc.weight"] * (variant.peak / DEMO_PEAK)
    model.load_state_dict(tensors)
    return model.to(memory_format=torch.channels_last)


def train(
    variant: Variant, plan: Plan, number: int, cache: CachedSlices, start: Path | None
) -> CtClassifier:
    """Train on crops, then on whole slices, two fifths of them defective."""
    torch.manual_seed(7)
    crops, whole = plan.crops[number - 1], plan.whole[number - 1]
    model = build(variant, start).train()
    config = configure(variant, crops, len(cache))
    rng = np.random.default_rng(2 + number)
    # The canvas is black beside the part: crops of it would teach nothing.
    cropped = cache.part(
        np.arange(len(cache)), VARIANTS[REFERENCE].width if variant.plain else None
    )
    defective = np.isin(cache.labels, defect_indices())
    shares = np.where(defective, 0.4 / defective.sum(), 0.6 / (~defective).sum())
    picks = rng.choice(len(shares), min(whole, len(shares)), replace=False, p=shares)
    phases = {
        "crops": SliceBatches(cropped, config, ALONE).crops(number - 1),
        "whole": SliceBatches(cache.part(picks), config, ALONE).whole(number - 1),
    }
    steps = {"crops": crops // BATCH["crops"], "whole": len(picks) // BATCH["whole"]}
    for name, batches in phases.items():
        head = list(model.fc.parameters())
        body = [p for key, p in model.named_parameters() if not key.startswith("fc.")]
        rates = [RATES[name], RATES[name] * 10]
        optimiser = torch.optim.Adam(
            [{"params": body, "lr": rates[0]}, {"params": head, "lr": rates[1]}],
            weight_decay=1e-4,
            fused=True,
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=rates, total_steps=max(2, steps[name]), pct_start=0.1
        )
        recent: list[float] = []
        started = time.monotonic()
        for step, batch in enumerate(batches, start=1):
            x = torch.from_numpy(batch.inputs).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits, cams = model(x)
            loss = functional.cross_entropy(logits, torch.from_numpy(batch.labels))
            loss = loss + map_loss(
                cams,
                torch.from_numpy(batch.heat),
                torch.from_numpy(batch.placed),
                config.localisation,
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            if step < steps[name]:
                schedule.step()
            recent.append(float(loss.detach()))
            if step % (50 if name == "crops" else 10) == 0:
                seconds = time.monotonic() - started
                note(f"  {name} {step}: {np.mean(recent[-50:]):.3f}, {seconds:.0f} s")
    return model


def judge(
    model: CtClassifier, cache: CachedSlices, variant: Variant
) -> tuple[NDArray[np.float32], list[bool]]:
    """Return (N, 5) logits and, per correctly found defect, whether its map peaks there."""
    model.eval()
    spec = variant.preprocess
    rows, hits = [], []
    for index, item in enumerate(cache.slices):
        x = torch.from_numpy(normalise(np.ascontiguousarray(cache.pixels[index]), spec)[None])
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            logits, cams = model(x)
        rows.append(logits[0].float().numpy())
        if item.polygons and int(rows[-1].argmax()) == item.label:
            heat = cams[0, item.label].float().clamp(min=0).numpy()
            heat = heat / max(float(heat.max()), 1e-6)
            size = (spec.width, spec.height)
            peak = peak_of(crop_to_content(heat, cache.contents[index], size), cache.rois[index])
            hits.append(points_at_defect(peak, item.polygons))
    return np.stack(rows), hits


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (N, 5) probabilities."""
    return torch.softmax(torch.from_numpy(logits), dim=1).numpy()


def figures(
    logits: NDArray[np.float32], cache: CachedSlices, temperature: float, hits: list[bool]
) -> dict[str, Any]:
    """Return F1s with intervals from resampled batteries, ECE before and after, map hits."""
    labels = cache.labels
    owners = [item.battery for item in cache.slices]
    resamples = ClusterBootstrap(owners, BootstrapConfig())
    after = softmax(logits / temperature)
    predicted = after.argmax(axis=1)
    found = classification_figures(labels, after)
    macro = resamples.macro_f1(labels, predicted, len(class_table().ct))
    pores = resamples.class_f1(labels, predicted, len(class_table().ct))[CELL_POROSITY]
    return {
        "slices": len(labels),
        "batteries": len(set(owners)),
        "macro_f1": found["macro_f1"],
        "macro_f1_95": [macro.low, macro.high] if macro else None,
        "cell_porosity_f1": found["classes"].get("cell_porosity", {}).get("f1"),
        "cell_porosity_f1_95": [pores.low, pores.high] if pores else None,
        "classes": found["classes"],
        "confusion": found["confusion"]["rows"],
        "cam_hit_rate": float(np.mean(hits)) if hits else None,
        "temperature": temperature,
        "ece_before": reliability(softmax(logits), labels).ece,
        "ece_after": reliability(after, labels).ece,
    }


def run_variant(
    name: str, variant: Variant, plan: Plan, rounds: int, lots: dict[str, Path], out: Path
) -> None:
    """Train and judge a variant unless its result is there; each round goes on from the last."""
    for number in range(1, rounds + 1):
        result = out / f"{name}.round{number}.json"
        weights = result.with_suffix(".safetensors")
        if result.is_file():
            continue
        note(f"{name}, round {number}")
        started = time.monotonic()
        splits = {
            "train": training_slices(lots["train"]),
            "val": read_slices([lots["val"]]),
            "test": read_slices([lots["test"]]),
        }
        caches = {
            part: cache_slices(slices, variant, out / f"{variant.source}.{part}.npy")
            for part, slices in splits.items()
        }
        decoded = time.monotonic() - started
        start = out / f"{name}.round{number - 1}.safetensors" if number > 1 else None
        model = train(variant, plan, number, caches["train"], start)
        trained = time.monotonic() - started - decoded
        # Every second validation slice is enough for one number, the temperature.
        part = caches["val"].part(np.arange(0, len(splits["val"]), 2))
        temperature = calibrate_temperature(judge(model, part, variant)[0], part.labels)
        logits, hits = judge(model, caches["test"], variant)
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, weights)
        found = {
            "variant": name,
            "round": number,
            "input": [variant.width, variant.height, variant.channels],
            **figures(logits, caches["test"], temperature, hits),
            "seconds": {"decode": round(decoded), "train": round(trained)},
        }
        result.write_text(json.dumps(found, indent=1), encoding="utf-8")
        note(f"  macro-F1 {found['macro_f1']:.3f}, cell_porosity {found['cell_porosity_f1']:.3f}")


def time_variants(names: list[str], lots: dict[str, Path], repeats: int) -> dict[str, list[float]]:
    """Return decoding and network milliseconds per slice, one slice of each variant in turn.

    Processor time of one thread, so that other programs count little.
    """
    slices = read_slices([lots["test"]])[:: max(1, 810 // repeats)][:repeats]
    models = {name: build(ALL[name], None).eval() for name in names}
    spent: dict[str, list[list[float]]] = {name: [] for name in names}
    for item in [slices[0], *slices]:
        for name, model in models.items():
            variant = ALL[name]
            started = time.process_time()
            around = 3 if variant.neighbours else 1
            for _ in range(around):
                prepared = to_model_input(decode(item, variant), variant.preprocess)
            decoded = time.process_time()
            x = torch.from_numpy(prepared.array[None]).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode():
                model(x)
            spent[name].append([decoded - started, time.process_time() - decoded])
    # The first slice warms caches.
    return {name: (np.median(rows[1:], axis=0) * 1000).tolist() for name, rows in spent.items()}


def table(rows: list[dict[str, Any]]) -> str:
    """Return the table in Markdown."""
    lines = [
        "| input | round | macro-F1 [95 %] | cell_porosity F1 [95 %] | map hits | ms/slice "
        "(decode + network) | time |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        scores = [shown(row, key) for key in ("macro_f1", "cell_porosity_f1")]
        hit = "-" if row["cam_hit_rate"] is None else f"{row['cam_hit_rate']:.2f}"
        decode_ms, network_ms = row["ms"]
        lines.append(
            f"| {row['variant']} ({'×'.join(map(str, row['input']))}) | {row['round']} "
            f"| {scores[0]} | {scores[1]} "
            f"| {hit} | {decode_ms:.0f} + {network_ms:.0f} | {row['time_ratio']:.2f} |"
        )
    return "\n".join(lines)


def shown(row: dict[str, Any], key: str) -> str:
    """Return a figure with its interval."""
    interval = row[key + "_95"]
    return "-" if interval is None else f"{row[key]:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def note(text: str) -> None:
    """Write one line of progress."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> None:
    """Make lots, train and judge what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="lots, weights and results")
    parser.add_argument("--lots", type=Path, help="where the lots are or go. [default: OUT/lots]")
    parser.add_argument("--only", nargs="*", choices=ALL, help="variants, in this order")
    parser.add_argument("--best", choices=VARIANTS, help="size for three channels")
    parser.add_argument("--rounds", type=int, default=1, choices=(1, 2, 3))
    parser.add_argument("--quick", action="store_true", help="a few steps on tiny lots")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    plan = QUICK if arguments.quick else FULL
    rounds = min(arguments.rounds, len(plan.crops))
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    lots = make_lots(arguments.lots or out / "lots", plan.batteries)
    for name in arguments.only or VARIANTS:
        run_variant(name, ALL[name], plan, rounds, lots, out)
    if arguments.only:
        return
    rows = [row for row in results(out, list(VARIANTS)[1:]) if row["round"] == rounds]
    best = arguments.best or max(rows, key=lambda row: row["cell_porosity_f1"] or 0.0)["variant"]
    names = [*VARIANTS, f"{best}_grey3", f"{best}_slices3"]
    for name in names[-2:]:
        run_variant(name, ALL[name], plan, rounds, lots, out)
    rows = results(out, names)
    spent = time_variants(names, lots, 4 if arguments.quick else 24)
    for row in rows:
        row["ms"] = spent[row["variant"]]
        row["time_ratio"] = sum(row["ms"]) / sum(spent[REFERENCE])
    (out / "table.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    sys.stdout.write(table(rows) + "\n")


def results(out: Path, names: list[str]) -> list[dict[str, Any]]:
    """Return each variant's rounds, as far as they were run."""
    files = [file for name in names for file in sorted(out.glob(f"{name}.round*.json"))]
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


if __name__ == "__main__":
    main()

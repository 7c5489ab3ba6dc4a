"""The figures that matter as lines on a terminal: F1 first, intervals beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

RATES = ("f1", "precision", "recall", "accuracy", "auroc", "ap", "escape_rate", "overkill_rate")


def summary(figures: Mapping[str, Any]) -> list[str]:
    """Return one ``name value  low - high`` line per figure; everything is in the JSON."""
    rows = [("lot", str(figures["lot"]), "")]
    batteries = figures.get("batteries")
    if batteries:
        rows += _batteries(batteries)
    for slot, found in figures["models"].items():
        rows += _classifier(slot, found) if "macro_f1" in found else _autoencoder(slot, found)
    names, values = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [f"{n:<{names}}  {v:<{values}}  {i}".rstrip() for n, v, i in rows]


def flat(figures: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return every figure as a ``name value`` line."""
    lines = []
    for name, value in figures.items():
        if isinstance(value, dict):
            lines += flat(value, f"{prefix}{name}.")
        else:
            shown = f"{value:.4f}" if isinstance(value, float) else value
            lines.append(f"{prefix}{name} {shown}")
    return lines


def _batteries(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    normal = found["batteries"] - found["defective"]
    yield ("batteries", str(found["batteries"]), "")
    yield ("batteries.escapes", f"{found['escapes']}/{found['defective']}", "")
    yield ("batteries.overkills", f"{found['overkills']}/{normal}", "")
    for name in ("f1", "escape_rate", "overkill_rate", "false_defect_rate"):
        yield _row("batteries", name, found[name], found["intervals"])
    for name in ("escaped_batteries", "overkilled_batteries"):
        if found[name]:
            yield (f"batteries.{name}", " ".join(found[name]), "")


def _classifier(slot: str, found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    bounds = found["intervals"]
    yield (f"{slot}.images", str(found["images"]), "")
    yield _row(slot, "macro_f1", found["macro_f1"], bounds)
    for name, row in found["classes"].items():
        yield _row(f"{slot}.f1", name, row["f1"], bounds["classes"])
    for group in ("axis", "type"):
        for name, value in found[f"macro_f1_per_{group}"].items():
            yield _row(f"{slot}.macro_f1_per_{group}", name, value, {})
    for name in RATES:
        yield _row(f"{slot}.defect", name, found["defect"][name], bounds)
    yield _row(slot, "cam_hit_rate", found["cam_hit_rate"], {})
    yield _row(slot, "ece_before", found["calibration"]["ece_before"], {})
    yield _row(slot, "ece_after", found["calibration"]["ece_after"], {})
    yield from _boxes(slot, found)


def _autoencoder(slot: str, found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield (f"{slot}.images", str(found["views"]["n"]), "")
    for name in RATES:
        yield _row(f"{slot}.views", name, found["views"][name], found["intervals"]["views"])
    for name in ("f1", "escape_rate", "overkill_rate"):
        bounds = found["intervals"]["batteries"]
        yield _row(f"{slot}.batteries", name, found["batteries"][name], bounds)
    yield _row(slot, "peak_hit_rate", found["peak_hit_rate"], {})
    yield _row(slot, "threshold", found["threshold"], {})
    yield from _boxes(slot, found)


def _boxes(slot: str, found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    boxes = found["localisation"]
    yield _row(f"{slot}.boxes", "f1", boxes["f1"], {"f1": boxes["f1_interval"]})
    yield _row(f"{slot}.boxes", "mean_best_iou", boxes["mean_best_iou"], {})


def _row(
    prefix: str, name: str, value: float | None, bounds: Mapping[str, Any]
) -> tuple[str, str, str]:
    found = bounds.get(name)
    between = f"{found['low']:.4f} - {found['high']:.4f}" if found else ""
    return f"{prefix}.{name}", "-" if value is None else f"{value:.4f}", between

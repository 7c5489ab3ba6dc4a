"""Charts of an evaluation, as PNG: drawn off screen, without pyplot's global state."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from inspection.classes import class_table
from training.evaluation.evaluate import Evaluation

DPI = 160
INK, SOFT, GRID = "#1b2430", "#5a6675", "#d9dee5"
NORMAL, DEFECT, LINE = "#3b7dd8", "#c8402f", "#1b2430"
BINS = 40
Corner = Literal["lower left", "lower right"]


def draw_pictures(evaluation: Evaluation) -> dict[str, bytes]:
    """Return the charts of every model as PNG, by file stem such as ``ct_cnn_roc``.

    A chart for which the lot has nothing (one class only, say) is left out.
    """
    pictures: dict[str, bytes] = {}
    for slot in evaluation.slots:
        images = [i for i in evaluation.images(slot) if i.truth.name and not i.error]
        figures = evaluation.figures["models"][slot]
        classifies = "confusion" in figures
        if classifies:
            pictures[f"{slot}_confusion"] = _confusion(figures["confusion"]["rows"])
            pictures[f"{slot}_reliability"] = _reliability(figures["calibration"])
        scores = np.array([image.score for image in images], np.float64)
        truth = np.array([image.truth.is_defect for image in images], bool)
        threshold = images[0].threshold
        unit = "defect probability" if classifies else "anomaly score"
        pictures[f"{slot}_scores"] = _histogram(scores, truth, threshold, unit)
        if not truth.any() or truth.all():
            continue

        # Two curves over every threshold, each with the point of the one in use.
        called, mark = scores > threshold, f"threshold {threshold:.3g}"
        found = float(np.mean(called[truth]))
        alarms, hits, _ = roc_curve(truth, scores)
        figure, axes = _figure("ROC")
        axes.plot([0, 1], [0, 1], color=GRID, linewidth=1)
        axes.plot(alarms, hits, color=NORMAL, linewidth=2)
        axes.plot(np.mean(called[~truth]), found, "o", color=DEFECT, markersize=6, label=mark)
        labels = "false alarms among normal images", "found among defective images"
        pictures[f"{slot}_roc"] = _curve_png(figure, axes, labels, "lower right")

        precision, recall, _ = precision_recall_curve(truth, scores)
        figure, axes = _figure("Precision and recall")
        axes.step(recall, precision, where="post", color=NORMAL, linewidth=2)
        axes.axhline(float(truth.mean()), color=GRID, linewidth=1, label="guessing")
        if called.any():
            right = float(np.mean(truth[called]))
            axes.plot(found, right, "o", color=DEFECT, markersize=6, label=mark)
        labels = "recall", "precision"
        pictures[f"{slot}_precision_recall"] = _curve_png(figure, axes, labels, "lower left")
    return pictures


def _curve_png(figure: Figure, axes: Axes, labels: tuple[str, str], legend: Corner) -> bytes:
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.legend(loc=legend, frameon=False, fontsize=8)
    return _png(figure)


def _confusion(rows: Sequence[Sequence[int]]) -> bytes:
    counts = np.array(rows, np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = _figure("Confusion matrix", 4.9, 4.3)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{int(counts[row, column])}"
        axes.text(column, row, text, ha="center", va="center", fontsize=9,
                  color="white" if share > 0.55 else INK)  # fmt: skip
    names = [name.replace("_", "\n", 1).replace("_", " ") for name in class_table().ct]
    axes.set_xticks(range(len(names)), names, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_xlabel("predicted")
    axes.set_ylabel("labelled")
    axes.grid(visible=False)
    return _png(figure)


def _histogram(
    scores: NDArray[np.float64], truth: NDArray[np.bool_], threshold: float, unit: str
) -> bytes:
    figure, axes = _figure("Scores")
    top = max(float(scores.max()), threshold) * 1.02 or 1.0
    edges = np.linspace(0.0, 1.0 if unit == "defect probability" else top, BINS + 1)
    for values, colour, name in ((~truth, NORMAL, "normal"), (truth, DEFECT, "defect")):
        if values.any():
            label = f"{name} ({int(values.sum())})"
            axes.hist(scores[values], edges.tolist(), color=colour, alpha=0.6, label=label)
    axes.axvline(threshold, color=LINE, linestyle="--", linewidth=1.2,
                 label=f"threshold {threshold:.3g}")  # fmt: skip
    # Most images are clear cases; the few around the threshold would vanish on a linear scale.
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.5)
    axes.set_xlabel(unit)
    axes.set_ylabel("images (log)")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return _png(figure)


def _reliability(calibration: Mapping[str, Any]) -> bytes:
    figure, axes = _figure("Reliability")
    axes.plot([0, 1], [0, 1], color=GRID, linewidth=1)
    for key, colour, name in (("before", SOFT, "before"), ("after", NORMAL, "after")):
        found = calibration[key]
        # A bin of one image is right or wrong, no more: the area tells how many there are.
        sizes = 4 + 60 * np.sqrt(np.array(found["counts"]) / max(found["counts"]))
        axes.plot(found["confidence"], found["accuracy"], color=colour, linewidth=0.6, alpha=0.6)
        axes.scatter(found["confidence"], found["accuracy"], sizes, color=colour, alpha=0.75,
                     linewidths=0, label=f"{name} scaling: ECE {found['ece']:.3f}")  # fmt: skip
    axes.set_xlabel("how sure the classifier is")
    axes.set_ylabel("how often it is right")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(-0.02, 1.02)
    legend = axes.legend(loc="upper left", frameon=False, fontsize=8)
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_sizes([24])
    return _png(figure)


def _figure(title: str, width: float = 4.4, height: float = 3.5) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=11, color=INK, loc="left")
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=SOFT, labelsize=8)
    axes.xaxis.label.set_color(SOFT)
    axes.yaxis.label.set_color(SOFT)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(GRID)
    return figure, axes


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # Without the date and the library's version the same figures give the same file.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()

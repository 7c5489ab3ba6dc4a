"""The page's parts about each model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inspection.classes import class_table
from inspection.report import blocks
from inspection.report.words import NONE, Words, number
from training.evaluation.evaluate import Evaluation
from training.evaluation.judge import JudgedImage
from training.report.words import image_class, interval, percent, table_card

CHARTS = ("confusion", "precision_recall", "roc", "scores", "reliability")
RATES = ("f1", "precision", "recall", "accuracy", "auroc", "ap", "escape_rate", "overkill_rate")
FIGURES = ("figure", "value", "interval")
LISTED = 40
"""Images listed one by one; the rest are counted, and all are in the JSON."""


def model_blocks(
    evaluation: Evaluation, charts: Mapping[str, bytes], words: Words
) -> Iterator[blocks.Block]:
    """Yield the part of every model that was evaluated.

    Parameters
    ----------
    evaluation : figures and judged batteries
    charts : PNG by file stem; a lot of one class has no curves
    words : the language
    """
    for slot in evaluation.slots:
        found = evaluation.figures["models"][slot]
        yield blocks.Heading(words(f"slot_{slot}"))
        # Only what tells classes apart has their mean F1.
        classifies = "macro_f1" in found
        yield blocks.Text(words("lead_ct" if classifies else "lead_rgb"), "soft")
        pictures = []
        for name in (name for name in CHARTS if f"{slot}_{name}" in charts):
            png = charts[f"{slot}_{name}"]
            # A PNG begins with its size.
            width, height = int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
            image = blocks.CodedImage(png, width, height, "png")
            pictures.append(blocks.CaptionedPicture(words(f"picture_{name}"), (image,)))
        yield blocks.Card([blocks.Pictures(pictures)])
        own = _classifier if classifies else _autoencoder
        shared = _places_and_images(found, evaluation.images(slot), words)
        yield blocks.Cards([*own(found, words), *shared])


def _classifier(found: Mapping[str, Any], words: Words) -> Iterator[blocks.Card]:
    bounds = found["intervals"]
    first = (words("macro_f1"), number(found["macro_f1"]), interval(bounds["macro_f1"]))
    accuracy = (words("accuracy_classes"), number(found["accuracy"]), NONE)
    rates = _rates(found["defect"], bounds, words)
    yield table_card(words("figures_title"), FIGURES, [first, accuracy, *rates], words)
    classes = []
    for name in class_table().ct:
        if row := found["classes"].get(name):
            values = number(row["precision"]), number(row["recall"]), str(row["images"])
            f1 = number(row["f1"]), interval(bounds["classes"][name])
            classes.append((words.defect(name), *f1, *values))
    head = ("class", "f1", "interval", "precision", "recall", "images")
    yield table_card(words("per_class"), head, classes, words)
    for key in ("axis", "type"):
        groups = [(group, number(f1)) for group, f1 in found[f"macro_f1_per_{key}"].items()]
        yield table_card(words(f"per_{key}"), (key, "macro_f1"), groups, words)
    calibration = found["calibration"]
    names = ("temperature", "ece_before", "ece_after")
    rows = [(words(name), number(calibration[name])) for name in names]
    note = words("ece_note", bins=calibration["bins"])
    yield table_card(words("calibration"), FIGURES[:2], rows, words, note=note)


def _autoencoder(found: Mapping[str, Any], words: Words) -> Iterator[blocks.Card]:
    views = _rates(found["views"], found["intervals"]["views"], words)
    yield table_card(words("per_view"), FIGURES, views, words)
    rows = _rates(found["batteries"], found["intervals"]["batteries"], words)
    note = words("per_battery_note")
    yield table_card(words("per_battery_alone"), FIGURES, rows, words, note=note)
    for key in ("by_type", "by_visibility"):
        groups = []
        for group, row in found[key].items():
            parts = group.split("+")
            if key == "by_type":
                names = [image_class(part, words) for part in parts]
            else:
                names = [words(f"visibility_{part}") for part in parts]
            groups.append(("+".join(names), str(row["n"]), number(row["recall"])))
        if groups:
            yield table_card(words(key), ("group", "images", "recall"), groups, words)


def _rates(
    rates: Mapping[str, Any], bounds: Mapping[str, Any], words: Words
) -> list[tuple[str, str, str]]:
    rows = []
    for name in RATES:
        if name in rates:
            is_rate = name.endswith("_rate")
            value = percent(rates[name]) if is_rate else number(rates[name])
            rows.append((words(name), value, interval(bounds.get(name), as_percent=is_rate)))
    return rows


def misjudged_images(
    images: Sequence[JudgedImage],
) -> tuple[list[JudgedImage], list[JudgedImage], list[JudgedImage]]:
    """Return the images that were missed, those that were false alarms, and those that failed."""
    known = [image for image in images if image.truth.name and not image.error]
    missed = [i for i in known if i.truth.is_defect and i.score <= i.threshold]
    alarms = [i for i in known if not i.truth.is_defect and i.score > i.threshold]
    return missed, alarms, [image for image in images if image.error]


def _places_and_images(
    found: Mapping[str, Any], images: Sequence[JudgedImage], words: Words
) -> Iterator[blocks.Card]:
    """Yield how well the heat-map points, and lists of misjudged images, the worst first."""
    boxes = found["localisation"]
    heat = "cam" if "cam_images" in found else "peak"
    hits, count = percent(found[f"{heat}_hit_rate"]), found[f"{heat}_images"]
    figures = [
        (words("peak_hit"), f"{hits} ({count})", NONE),
        (words("box_f1"), number(boxes["f1"]), interval(boxes["f1_interval"])),
        (words("box_precision"), f"{number(boxes['precision'])} ({boxes['boxes']})", NONE),
        (words("box_recall"), f"{number(boxes['recall'])} ({boxes['defects']})", NONE),
        (words("box_iou"), number(boxes["mean_best_iou"]), NONE),
    ]
    note = words("box_note", iou=boxes["iou_threshold"])
    yield table_card(words("localisation"), FIGURES, figures, words, note=note)

    missed, alarms, failed = misjudged_images(images)
    missed.sort(key=lambda image: image.score)
    alarms.sort(key=lambda image: -image.score)
    for title, wrong in (("missed_images", missed), ("false_alarms", alarms)):
        rows = [
            (i.battery, i.ref.file_name, image_class(i.truth.name, words), number(i.score))
            for i in wrong[:LISTED]
        ]
        note = _rest(wrong, words) if wrong else words("none")
        title = f"{words(title)}: {len(wrong)}"
        head = ("battery", "file", "label", "score")
        yield table_card(title, head, rows, words, left=("file", "label"), note=note)
    if failed:
        problems = [
            (i.battery, i.ref.file_name, i.error.text(words.language)) for i in failed if i.error
        ]
        names, note = ("battery", "file", "problem"), _rest(failed, words)
        title = words("failed_images")
        yield table_card(title, names, problems[:LISTED], words, left=names, note=note)


def _rest(images: Sequence[JudgedImage], words: Words) -> str:
    return words("more", count=len(images) - LISTED) if len(images) > LISTED else ""

"""The page's parts about each model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inspection.classes import class_table
from inspection.report.blocks import (
    Block,
    CaptionedPicture,
    Card,
    Cards,
    CodedImage,
    Heading,
    Pictures,
    Text,
)
from inspection.report.words import NONE, Words, number
from training.evaluation.evaluate import Evaluation
from training.evaluation.judge import JudgedImage
from training.report.words import image_class, interval, percent, table_card

CHARTS = ("confusion", "precision_recall", "roc", "scores", "reliability")
RATES = ("f1", "precision", "recall", "accuracy", "auroc", "ap", "escape_rate", "overkill_rate")
LISTED = 40
"""Images listed one by one; the rest are counted, and all are in the JSON."""


def model_blocks(
    evaluation: Evaluation, charts: Mapping[str, bytes], words: Words
) -> Iterator[Block]:
    """Yield the part of every model that was evaluated.

    Parameters
    ----------
    evaluation : figures and judged batteries
    charts : PNG by file stem; a lot of one class has no curves
    words : the language
    """
    for slot in evaluation.slots:
        found = evaluation.figures["models"][slot]
        yield Heading(words(f"slot_{slot}"))
        yield Text(words("lead_ct" if slot == "ct_cnn" else "lead_rgb"), "soft")
        pictures = []
        for name in (name for name in CHARTS if f"{slot}_{name}" in charts):
            png = charts[f"{slot}_{name}"]
            # A PNG begins with its size.
            width, height = int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
            image = CodedImage(png, width, height, "png")
            pictures.append(CaptionedPicture(words(f"picture_{name}"), (image,)))
        yield Card((Pictures(tuple(pictures)),))
        own = _classifier if slot == "ct_cnn" else _autoencoder
        images = _image_lists(evaluation.images(slot), words)
        yield Cards((*own(found, words), _boxes(found, words), *images))


def _classifier(found: Mapping[str, Any], words: Words) -> Iterator[Card]:
    bounds = found["intervals"]
    head = (words("figure"), words("value"), words("interval"))
    first = (words("macro_f1"), number(found["macro_f1"]), interval(bounds["macro_f1"]))
    accuracy = (words("accuracy_five"), number(found["accuracy"]), NONE)
    rates = _rates(found["defect"], bounds, words)
    yield table_card(words("figures_title"), head, (first, accuracy, *rates), "lrr")
    classes = [
        (
            words.defect(name),
            number(row["f1"]),
            interval(bounds["classes"][name]),
            number(row["precision"]),
            number(row["recall"]),
            str(row["images"]),
        )
        for name in class_table().ct
        if (row := found["classes"].get(name)) is not None
    ]
    names = ("class", "f1", "interval", "precision", "recall", "images")
    yield table_card(words("per_class"), [words(name) for name in names], classes, "lrrrrr")
    for key in ("axis", "type"):
        groups = [(group, number(f1)) for group, f1 in found[f"macro_f1_per_{key}"].items()]
        yield table_card(words(f"per_{key}"), (words(key), words("macro_f1")), groups, "lr")
    calibration = found["calibration"]
    rows = [
        (words(key), number(calibration[key])) for key in ("temperature", "ece_before", "ece_after")
    ]
    note = words("ece_note", bins=calibration["bins"])
    yield table_card(words("calibration"), (words("figure"), words("value")), rows, "lr", note)


def _autoencoder(found: Mapping[str, Any], words: Words) -> Iterator[Card]:
    head = (words("figure"), words("value"), words("interval"))
    views = _rates(found["views"], found["intervals"]["views"], words)
    yield table_card(words("per_view"), head, views, "lrr")
    batteries = _rates(found["batteries"], found["intervals"]["batteries"], words)
    note = words("per_battery_note")
    yield table_card(words("per_battery_alone"), head, batteries, "lrr", note)

    def group_name(key: str, part: str) -> str:
        return image_class(part, words) if key == "by_type" else words(f"visibility_{part}")

    for key in ("by_type", "by_visibility"):
        if found[key]:
            rows = [
                (
                    "+".join(group_name(key, part) for part in group.split("+")),
                    f"{row['n']}",
                    number(row["recall"]),
                )
                for group, row in found[key].items()
            ]
            columns = (words("group"), words("images"), words("recall"))
            yield table_card(words(key), columns, rows, "lrr")


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


def _boxes(found: Mapping[str, Any], words: Words) -> Card:
    boxes = found["localisation"]
    map_name = "cam" if "cam_images" in found else "peak"
    peak, count = found[f"{map_name}_hit_rate"], found[f"{map_name}_images"]
    rows = [
        (words("peak_hit"), f"{percent(peak)} ({count})", NONE),
        (words("box_f1"), number(boxes["f1"]), interval(boxes["f1_interval"])),
        (words("box_precision"), f"{number(boxes['precision'])} ({boxes['boxes']})", NONE),
        (words("box_recall"), f"{number(boxes['recall'])} ({boxes['defects']})", NONE),
        (words("box_iou"), number(boxes["mean_best_iou"]), NONE),
    ]
    head = (words("figure"), words("value"), words("interval"))
    note = words("box_note", iou=boxes["iou_threshold"])
    return table_card(words("localisation"), head, rows, "lrr", note)


def misjudged_images(
    images: Sequence[JudgedImage],
) -> tuple[list[JudgedImage], list[JudgedImage], list[JudgedImage]]:
    """Return the images that were missed, those that were false alarms, and those that failed."""
    known = [image for image in images if image.truth.name and not image.error]
    missed = [i for i in known if i.truth.is_defect and i.score <= i.threshold]
    alarms = [i for i in known if not i.truth.is_defect and i.score > i.threshold]
    return missed, alarms, [image for image in images if image.error]


def _image_lists(images: Sequence[JudgedImage], words: Words) -> Iterator[Card]:
    """Yield lists of misjudged images, the worst first."""
    missed, alarms, failed = misjudged_images(images)

    def rest(images: Sequence[JudgedImage]) -> str:
        return words("more", count=len(images) - LISTED) if len(images) > LISTED else ""

    missed.sort(key=lambda image: image.score)
    alarms.sort(key=lambda image: -image.score)
    head = (words("battery"), words("file"), words("label"), words("score"))
    for title, found in (("missed_images", missed), ("false_alarms", alarms)):
        rows = [
            (i.battery, i.ref.path.name, image_class(i.truth.name, words), number(i.score))
            for i in found[:LISTED]
        ]
        note = rest(found) if found else words("none")
        yield table_card(f"{words(title)}: {len(found)}", head, rows, "lllr", note)
    if failed:
        problems = [
            (i.battery, i.ref.path.name, i.error.text(words.language))
            for i in failed[:LISTED]
            if i.error
        ]
        names = (words("battery"), words("file"), words("problem"))
        yield table_card(words("failed_images"), names, problems, "lll", rest(failed))

"""The page's sections about each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inspection.classes import class_table
from inspection.modelstore.bundle import Slot
from inspection.report.words import NONE
from training.evaluation.evaluate import Evaluation
from training.evaluation.judge import JudgedImage
from training.report.view import (
    LISTED,
    PICTURES,
    ModelSection,
    Picture,
    Table,
    Words,
    interval,
    percent,
    three,
)

RATES = ("f1", "precision", "recall", "accuracy", "auroc", "ap", "escape_rate", "overkill_rate")


def model_sections(evaluation: Evaluation, words: Words) -> tuple[ModelSection, ...]:
    """Return a section for every model that was evaluated."""
    sections = []
    for slot in evaluation.slots:
        found = evaluation.figures["models"][slot]
        images = evaluation.images(slot)
        own = _classifier if slot == "ct_cnn" else _autoencoder
        tables = [*own(found, words), _boxes(found, words), *_misjudged_images(images, words)]
        sections.append(
            ModelSection(
                title=words.slot(slot),
                lead=words("lead_ct" if slot == "ct_cnn" else "lead_rgb"),
                tables=tuple(tables),
                pictures=_pictures(slot, found, words),
            )
        )
    return tuple(sections)


def _pictures(slot: Slot, found: Mapping[str, Any], words: Words) -> tuple[Picture, ...]:
    """Return the charts that were drawn; a lot of one class has no curves."""
    two_sided = (found["defect"] if slot == "ct_cnn" else found["views"])["auroc"] is not None
    names = [
        name
        for name in PICTURES
        if (slot == "ct_cnn" or name not in ("confusion", "reliability"))
        and (two_sided or name not in ("roc", "precision_recall"))
    ]
    return tuple(Picture(f"{slot}_{name}", words(f"picture_{name}")) for name in names)


def _classifier(found: Mapping[str, Any], words: Words) -> list[Table]:
    bounds = found["intervals"]
    head = (words("figure"), words("value"), words("interval"))
    first = (words("macro_f1"), three(found["macro_f1"]), interval(bounds["macro_f1"]))
    accuracy = (words("accuracy_five"), three(found["accuracy"]), NONE)
    rates = _rates(found["defect"], bounds, words)
    classes = tuple(
        (
            words.defect(name),
            three(row["f1"]),
            interval(bounds["classes"][name]),
            three(row["precision"]),
            three(row["recall"]),
            str(row["images"]),
        )
        for name, row in (
            (n, found["classes"][n]) for n in class_table().ct if n in found["classes"]
        )
    )
    class_head = ("class", "f1", "interval", "precision", "recall", "images")
    return [
        Table(words("figures_title"), head, (first, accuracy, *rates), "lrr"),
        Table(words("per_class"), tuple(words(k) for k in class_head), classes, "lrrrrr"),
        _groups(words("per_axis"), words("axis"), found["macro_f1_per_axis"], words),
        _groups(words("per_type"), words("type"), found["macro_f1_per_type"], words),
        _calibration(found["calibration"], words),
    ]


def _groups(title: str, name: str, groups: Mapping[str, float], words: Words) -> Table:
    rows = tuple((group, three(value)) for group, value in groups.items())
    return Table(title, (name, words("macro_f1")), rows, "lr")


def _calibration(found: Mapping[str, Any], words: Words) -> Table:
    rows = (
        (words("temperature"), three(found["temperature"])),
        (words("ece_before"), three(found["ece_before"])),
        (words("ece_after"), three(found["ece_after"])),
    )
    note = words("ece_note", bins=found["bins"])
    return Table(words("calibration"), (words("figure"), words("value")), rows, "lr", note)


def _autoencoder(found: Mapping[str, Any], words: Words) -> list[Table]:
    head = (words("figure"), words("value"), words("interval"))
    views = _rates(found["views"], found["intervals"]["views"], words)
    batteries = _rates(found["batteries"], found["intervals"]["batteries"], words)
    tables = [
        Table(words("per_view"), head, views, "lrr"),
        Table(words("per_battery_alone"), head, batteries, "lrr", words("per_battery_note")),
    ]
    for key, name in (("by_type", words.defect), ("by_visibility", _visibility(words))):
        if found[key]:
            rows = tuple(
                (
                    "+".join(name(part) for part in group.split("+")),
                    f"{row['n']}",
                    three(row["recall"]),
                )
                for group, row in found[key].items()
            )
            columns = (words("group"), words("images"), words("recall"))
            tables.append(Table(words(key), columns, rows, "lrr"))
    return tables


def _visibility(words: Words) -> Any:
    return lambda grade: words(f"visibility_{grade}")


def _rates(
    rates: Mapping[str, Any], bounds: Mapping[str, Any], words: Words
) -> tuple[tuple[str, str, str], ...]:
    rows = []
    for name in RATES:
        if name not in rates:
            continue
        is_rate = name.endswith("_rate")
        value = percent(rates[name]) if is_rate else three(rates[name])
        rows.append((words(name), value, interval(bounds.get(name), as_percent=is_rate)))
    return tuple(rows)


def _boxes(found: Mapping[str, Any], words: Words) -> Table:
    boxes = found["localisation"]
    peak = found["cam_hit_rate"] if "cam_hit_rate" in found else found["peak_hit_rate"]
    count = found["cam_images"] if "cam_images" in found else found["peak_images"]
    rows = (
        (words("peak_hit"), f"{percent(peak)} ({count})", NONE),
        (words("box_f1"), three(boxes["f1"]), interval(boxes["f1_interval"])),
        (words("box_precision"), f"{three(boxes['precision'])} ({boxes['boxes']})", NONE),
        (words("box_recall"), f"{three(boxes['recall'])} ({boxes['defects']})", NONE),
        (words("box_iou"), three(boxes["mean_best_iou"]), NONE),
    )
    head = (words("figure"), words("value"), words("interval"))
    note = words("box_note", iou=boxes["iou_threshold"])
    return Table(words("localisation"), head, rows, "lrr", note)


def _misjudged_images(images: Sequence[JudgedImage], words: Words) -> list[Table]:
    known = [image for image in images if image.truth.name and not image.error]
    missed = [i for i in known if i.truth.is_defect and i.score <= i.threshold]
    alarms = [i for i in known if not i.truth.is_defect and i.score > i.threshold]
    failed = [image for image in images if image.error]
    tables = [
        _image_list(words("missed_images"), sorted(missed, key=lambda i: i.score), words),
        _image_list(words("false_alarms"), sorted(alarms, key=lambda i: -i.score), words),
    ]
    if failed:
        rows = tuple(
            (i.battery, i.ref.path.name, i.error.text(words.language))
            for i in failed[:LISTED]
            if i.error
        )
        head = (words("battery"), words("file"), words("problem"))
        tables.append(Table(words("failed_images"), head, rows, "lll", _rest(failed, words)))
    return tables


def _image_list(title: str, images: Sequence[JudgedImage], words: Words) -> Table:
    rows = tuple(
        (i.battery, i.ref.path.name, words.defect(i.truth.name), three(i.score))
        for i in images[:LISTED]
    )
    head = (words("battery"), words("file"), words("label"), words("score"))
    note = words("none") if not images else _rest(images, words)
    return Table(f"{title}: {len(images)}", head, rows, "lllr", note)


def _rest(images: Sequence[JudgedImage], words: Words) -> str:
    left = len(images) - LISTED
    return words("more", count=left) if left > 0 else ""

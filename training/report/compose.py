"""From an evaluation to its page: headline, data, batteries, settings, provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from inspection.classes import class_table
from inspection.messages import Language
from inspection.report.view import Figure, Label, Tone
from inspection.report.words import NONE, moment, number
from inspection.results import Kind
from training.evaluation.batteries import escaped, judged_pairs, kind_of, overkilled
from training.evaluation.evaluate import Evaluation
from training.evaluation.judge import JudgedBattery
from training.report.models import model_sections
from training.report.thumbnails import Misjudged, Thumbnail
from training.report.view import (
    BatterySection,
    EvaluationView,
    ImagePair,
    Table,
    Words,
    interval,
    percent,
    three,
)

KINDS: tuple[Kind, ...] = (
    "normal",
    "review",
    "internal_defect",
    "external_defect",
    "composite_defect",
    "not_inspected",
)
GLOSSARY = ("escape", "overkill", "review", "f1", "auroc", "interval", "ece", "iou", "peak")


def compose(
    evaluation: Evaluation, misjudged: Sequence[Misjudged], language: Language, at: datetime
) -> EvaluationView:
    """Return the page of an evaluation.

    Parameters
    ----------
    evaluation : figures and judged batteries
    misjudged : batteries with pictures, the worst first
    language : of the page
    at : when it was made
    """
    words = Words.of(language)
    figures = evaluation.figures
    provenance = figures["provenance"]
    return EvaluationView(
        title=evaluation.data.name,
        subtitle=words("made_at", time=moment(at)),
        demo=any(model["demo"] for model in provenance.values()),
        figures=_headline(figures, words),
        statements=_statements(figures, words),
        data=_data(evaluation, words),
        batteries=_batteries(evaluation, words),
        misjudged=tuple(_misjudged(item, words) for item in misjudged),
        models=model_sections(evaluation, words),
        settings=_settings(evaluation, words),
        provenance=_provenance(provenance, words),
        glossary=tuple((words(f"term_{key}"), words(f"term_{key}_is")) for key in GLOSSARY),
    )


def _headline(figures: dict[str, Any], words: Words) -> tuple[Figure, ...]:
    tiles = []
    batteries = figures.get("batteries")
    if batteries:
        normal = batteries["batteries"] - batteries["defective"]
        for name, whole in (("escape", batteries["defective"]), ("overkill", normal)):
            count = batteries[f"{name}s"]
            bounds = interval(batteries["intervals"][f"{name}_rate"], as_percent=True)
            label = words(f"tile_{name}", count=count, whole=whole, bounds=bounds)
            grave: Tone = "critical" if name == "escape" else "warning"
            tone: Tone = grave if count else "success"
            tiles.append(Figure(label, percent(batteries[f"{name}_rate"]), tone))
    ct = figures["models"].get("ct_cnn")
    if ct:
        bounds = interval(ct["intervals"]["macro_f1"])
        tiles.append(Figure(words("tile_ct", bounds=bounds), three(ct["macro_f1"]), "neutral"))
    rgb = figures["models"].get("rgb_ae")
    if rgb:
        bounds = interval(rgb["intervals"]["views"].get("auroc"))
        value = three(rgb["views"]["auroc"])
        tiles.append(Figure(words("tile_rgb", bounds=bounds), value, "neutral"))
    return tuple(tiles)


def _statements(figures: dict[str, Any], words: Words) -> tuple[str, ...]:
    batteries = figures.get("batteries")
    if not batteries:
        return (words("no_verdicts"),)
    normal = batteries["batteries"] - batteries["defective"]
    kinds = batteries["kinds_by_truth"]["normal"]
    named = sum(kinds.get(f"{name}_defect", 0) for name in ("internal", "external", "composite"))
    return (
        words("say_escapes", defective=batteries["defective"], escapes=batteries["escapes"]),
        words(
            "say_overkills",
            normal=normal,
            passed=kinds.get("normal", 0),
            review=kinds.get("review", 0),
            named=named,
        ),
    )


def _data(evaluation: Evaluation, words: Words) -> tuple[Table, ...]:
    judged, figures = evaluation.judged, evaluation.figures
    pairs = judged_pairs(judged)
    rows = [
        (words("data_lots"), figures["lot"]),
        (words("data_part"), f"{figures['part']} ({figures['split'][:12]})")
        if figures["part"]
        else (words("data_part"), words("data_whole")),
        (words("data_batteries"), str(len(judged))),
        (words("data_pairs"), str(len(pairs))),
        (words("data_without_truth"), str(sum(b.battery.paired for b in judged) - len(pairs))),
        (words("data_ct"), str(sum(len(b.battery.ct) for b in judged))),
        (words("data_rgb"), str(sum(len(b.battery.rgb) for b in judged))),
        (
            words("data_failed"),
            str(sum(model["failed"] for model in figures["models"].values())),
        ),
    ]
    return (
        Table(words("data_title"), (words("item"), words("value")), tuple(rows), "lr"),
        _classes(evaluation, words),
    )


def _classes(evaluation: Evaluation, words: Words) -> Table:
    """Return the images and batteries of each class."""
    images: Counter[str] = Counter()
    batteries: dict[str, set[str]] = {}
    seen = ((slot, i) for slot in ("ct_cnn", "rgb_ae") for i in evaluation.images(slot))
    for slot, image in seen:
        if image.truth.name:
            key = f"rgb_{image.truth.name}" if slot == "rgb_ae" else image.truth.name
            images[key] += 1
            batteries.setdefault(key, set()).add(image.battery)
    table = class_table()
    names = [*table.ct, *(f"rgb_{name}" for name in ("normal", *table.rgb_defects))]
    rows = tuple(
        (
            words("class_rgb", name=words.defect(name.removeprefix("rgb_")))
            if name.startswith("rgb_")
            else words.defect(name),
            str(images[name]),
            str(len(batteries.get(name, ()))),
        )
        for name in names
        if (name.startswith("rgb_") and "rgb_ae" in evaluation.bundles)
        or (not name.startswith("rgb_") and "ct_cnn" in evaluation.bundles)
    )
    head = (words("class"), words("images"), words("batteries_with"))
    return Table(words("classes_title"), head, rows, "lrr")


def _batteries(evaluation: Evaluation, words: Words) -> tuple[Table, ...]:
    figures = evaluation.figures.get("batteries")
    if not figures:
        return ()
    rows = judged_pairs(evaluation.judged)
    return (
        _kinds(figures, words),
        _rates(figures, words),
        _list(words("escaped_title"), [r for r in rows if escaped(r)], words),
        _list(words("overkilled_title"), [r for r in rows if overkilled(r)], words),
    )


def _kinds(figures: dict[str, Any], words: Words) -> Table:
    by_truth = figures["kinds_by_truth"]
    shown = [k for k in KINDS if any(k in counts for counts in by_truth.values())]
    rows = tuple(
        (words(f"truth_{truth}"), *(str(counts.get(kind, 0)) for kind in shown))
        for truth, counts in by_truth.items()
        if counts
    )
    head = (words("truth"), *(words.station.kind(kind).text for kind in shown))
    return Table(words("kinds_title"), head, rows, "l" + "r" * len(shown))


def _rates(figures: dict[str, Any], words: Words) -> Table:
    names = ("escape_rate", "overkill_rate", "false_defect_rate", "f1")
    rows = tuple(
        (
            words(f"battery_{name}"),
            three(figures[name]) if name == "f1" else percent(figures[name]),
            interval(figures["intervals"][name], as_percent=name != "f1"),
        )
        for name in names
    )
    head = (words("figure"), words("value"), words("interval"))
    return Table(words("rates_title"), head, rows, "lrr", words("interval_note"))


def _list(title: str, rows: Sequence[JudgedBattery], words: Words) -> Table:
    head = (
        words("battery"),
        words("truth"),
        words("verdict"),
        words("fused"),
        words("ct_value"),
        words("rgb_value"),
        words("visibility"),
    )
    lines = []
    for row in rows:
        verdict = row.verdict
        lines.append(
            (
                row.key,
                words(f"truth_{row.truth}"),
                words.station.kind(kind_of(row)),
                number(verdict.fused_score if verdict else None),
                number(verdict.cnn_prob if verdict else None),
                number(verdict.ae_score if verdict else None),
                ", ".join(words(f"visibility_{v}") for v in sorted(row.visibilities)) or NONE,
            )
        )
    note = "" if lines else words("none")
    return Table(title, head, tuple(lines), "lllrrrl", note)


def _misjudged(item: Misjudged, words: Words) -> BatterySection:
    row = item.row
    sort = Label(words("tag_escaped"), "critical")
    if not escaped(row):
        sort = Label(words("tag_overkilled"), "warning")
    labels = (
        sort,
        Label(words("is_truth", truth=words(f"truth_{row.truth}")), "neutral"),
        words.station.kind(kind_of(row)),
    )
    reasons = row.verdict.reasons if row.verdict else []
    said = tuple(message.text(words.language) for message in reasons)
    pictures = tuple(_pair(thumbnail, words) for thumbnail in item.thumbnails)
    return BatterySection(row.key, labels, said, pictures)


def _pair(thumbnail: Thumbnail, words: Words) -> ImagePair:
    image = thumbnail.image
    caption = words(
        "thumbnail",
        file=image.ref.path.name,
        label=words.defect(image.truth.name),
        score=f"{image.score:.3f}",
        threshold=f"{image.threshold:.3f}",
    )
    return ImagePair(caption, thumbnail.plain, thumbnail.heat)


def _settings(evaluation: Evaluation, words: Words) -> tuple[Table, ...]:
    tables = []
    head = (words("item"), words("value"))
    for slot, bundle in evaluation.bundles.items():
        if bundle.threshold is not None:
            record = bundle.threshold.model_dump(mode="json")
            rows = [
                (k, f"{v:.6g}" if isinstance(v, float) else str(v))
                for k, v in record.items()
                if v is not None
            ]
            tables.append(
                Table(words("threshold_of", model=words.slot(slot)), head, tuple(rows), "lr")
            )
    if evaluation.figures.get("batteries"):
        policy = evaluation.policy
        own = dict(iter(getattr(policy, policy.method)))
        shown = {"method": policy.method, **own, **dict(iter(policy.aggregation))}
        tables.append(
            Table(words("policy_title"), head, tuple((k, str(v)) for k, v in shown.items()), "lr")
        )
    return tuple(tables)


def _provenance(models: dict[str, Any], words: Words) -> Table:
    head = tuple(
        words(f"model_{key}") for key in ("slot", "name", "run", "data", "created", "sha256")
    )
    rows = tuple(
        (
            words.slot(slot),
            model["name"],
            model["run"] or NONE,
            ", ".join(map(str, model["trained_on"] or [])) or NONE,
            model["created_at"],
            model["sha256"],
        )
        for slot, model in models.items()
    )
    return Table(words("provenance_title"), head, rows, "llllll")

"""From an evaluation to its page: headline, data, batteries, settings, provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from inspection.classes import class_table
from inspection.messages import Language
from inspection.report.blocks import (
    Block,
    Bullets,
    CaptionedPicture,
    Card,
    Cards,
    Document,
    Field,
    Fields,
    Heading,
    Label,
    Pictures,
    Soft,
    Text,
    Tile,
    Tiles,
    Tone,
)
from inspection.report.words import NONE, Words, moment, number
from inspection.results import Kind
from training.evaluation.batteries import escaped, judged_pairs, kind_of, overkilled
from training.evaluation.evaluate import Evaluation
from training.evaluation.judge import JudgedBattery
from training.report.model_figures import model_blocks
from training.report.thumbnails import Misjudged
from training.report.words import image_class, interval, percent, table_card

KINDS: tuple[Kind, ...] = (
    "normal",
    "review",
    "internal_defect",
    "external_defect",
    "composite_defect",
    "not_inspected",
)
GLOSSARY = ("escape", "overkill", "review", "f1", "auroc", "interval", "ece", "iou", "peak")


def evaluation_document(
    evaluation: Evaluation,
    misjudged: Sequence[Misjudged],
    charts: Mapping[str, bytes],
    language: Language,
    at: datetime,
) -> Document:
    """Return the page of an evaluation.

    Parameters
    ----------
    evaluation : figures and judged batteries
    misjudged : batteries with pictures, the worst first
    charts : PNG by file stem
    language : of the page
    at : when it was made
    """
    words = Words.of(language, "evaluation")
    figures = evaluation.figures
    demo = any(model["demo"] for model in figures["provenance"].values())
    statements = tuple(Text(statement) for statement in _statements(figures, words))
    blocks: list[Block] = [
        Text(words("made_at", time=moment(at)), "soft"),
        *([Text(words("demo_note"), "warning")] if demo else []),
        Tiles(tuple(_headline(figures, words))),
        Card((Heading(words("summary"), 4), *statements)),
        Heading(words("tested")),
        Cards(tuple(_data(evaluation, words))),
    ]
    if figures.get("batteries"):
        blocks += [Heading(words("battery_results")), *_batteries(evaluation, words)]
    if misjudged:
        blocks += [Heading(words("worst_title")), Text(words("worst_note"), "soft")]
        blocks += [_misjudged(item, words) for item in misjudged]
    blocks += model_blocks(evaluation, charts, words)
    blocks += [
        Heading(words("settings")),
        Cards(tuple(_settings(evaluation, words))),
        Heading(words("provenance")),
        _provenance(figures["provenance"], words),
        Heading(words("glossary")),
        Card((Fields(tuple(Field(words(f"term_{k}"), words(f"term_{k}_is")) for k in GLOSSARY)),)),
    ]
    return Document(
        language=language,
        kicker=words("kicker"),
        title=evaluation.data.name,
        subject=moment(at),
        blocks=tuple(blocks),
        footer=words("footer"),
    )


def _headline(figures: dict[str, Any], words: Words) -> Iterator[Tile]:
    batteries = figures.get("batteries")
    if batteries:
        normal = batteries["batteries"] - batteries["defective"]
        for name, whole in (("escape", batteries["defective"]), ("overkill", normal)):
            count = batteries[f"{name}s"]
            bounds = interval(batteries["intervals"][f"{name}_rate"], as_percent=True)
            label = words(f"tile_{name}", count=count, whole=whole, bounds=bounds)
            grave: Tone = "critical" if name == "escape" else "warning"
            yield Tile(label, percent(batteries[f"{name}_rate"]), grave if count else "success")
    ct = figures["models"].get("ct_cnn")
    if ct:
        bounds = interval(ct["intervals"]["macro_f1"])
        yield Tile(words("tile_ct", bounds=bounds), number(ct["macro_f1"]), "neutral")
    rgb = figures["models"].get("rgb_ae")
    if rgb:
        bounds = interval(rgb["intervals"]["views"].get("auroc"))
        yield Tile(words("tile_rgb", bounds=bounds), number(rgb["views"]["auroc"]), "neutral")


def _statements(figures: dict[str, Any], words: Words) -> Iterator[str]:
    batteries = figures.get("batteries")
    if not batteries:
        yield words("no_verdicts")
        return
    kinds = batteries["kinds_by_truth"]["normal"]
    named = sum(kinds.get(f"{name}_defect", 0) for name in ("internal", "external", "composite"))
    yield words("say_escapes", defective=batteries["defective"], escapes=batteries["escapes"])
    yield words(
        "say_overkills",
        normal=batteries["batteries"] - batteries["defective"],
        passed=kinds.get("normal", 0),
        review=kinds.get("review", 0),
        named=named,
    )


def _data(evaluation: Evaluation, words: Words) -> Iterator[Card]:
    """Yield what was judged, and the images and batteries of each class."""
    judged, figures = evaluation.judged, evaluation.figures
    pairs = judged_pairs(judged)
    part = words("data_whole")
    if figures["part"]:
        part = f"{figures['part']} ({figures['split'][:12]})"
    rows = {
        "lots": figures["lot"],
        "part": part,
        "batteries": str(len(judged)),
        "pairs": str(len(pairs)),
        "without_truth": str(sum(b.battery.paired for b in judged) - len(pairs)),
        "ct": str(sum(len(b.battery.ct) for b in judged)),
        "rgb": str(sum(len(b.battery.rgb) for b in judged)),
        "failed": str(sum(model["failed"] for model in figures["models"].values())),
    }
    head = (words("item"), words("value"))
    named = [(words(f"data_{key}"), value) for key, value in rows.items()]
    yield table_card(words("data_title"), head, named, "lr")

    counted = []
    table = class_table()
    classes = {"ct_cnn": table.ct, "rgb_ae": ("normal", *table.rgb_defects)}
    for slot in ("ct_cnn", "rgb_ae"):
        images: Counter[str] = Counter()
        batteries: dict[str, set[str]] = {}
        for image in evaluation.images(slot):
            if image.truth.name:
                images[image.truth.name] += 1
                batteries.setdefault(image.truth.name, set()).add(image.battery)
        for name in classes[slot] if slot in evaluation.bundles else ():
            title = image_class(name, words)
            title = words("class_rgb", name=title) if slot == "rgb_ae" else title
            counted.append((title, str(images[name]), str(len(batteries.get(name, ())))))
    names = (words("class"), words("images"), words("batteries_with"))
    yield table_card(words("classes_title"), names, counted, "lrr")


def _batteries(evaluation: Evaluation, words: Words) -> Iterator[Card]:
    figures = evaluation.figures["batteries"]
    by_truth = figures["kinds_by_truth"]
    shown = [k for k in KINDS if any(k in counts for counts in by_truth.values())]
    kinds = [
        (words(f"truth_{truth}"), *(str(counts.get(kind, 0)) for kind in shown))
        for truth, counts in by_truth.items()
        if counts
    ]
    head = [words("truth"), *(words.kind(kind).text for kind in shown)]
    yield table_card(words("kinds_title"), head, kinds, "l" + "r" * len(shown))

    rates = []
    for name in ("escape_rate", "overkill_rate", "false_defect_rate", "f1"):
        value = number(figures[name]) if name == "f1" else percent(figures[name])
        bounds = interval(figures["intervals"][name], as_percent=name != "f1")
        rates.append((words(f"battery_{name}"), value, bounds))
    head = [words("figure"), words("value"), words("interval")]
    yield table_card(words("rates_title"), head, rates, "lrr", words("interval_note"))

    rows = judged_pairs(evaluation.judged)
    yield _list(words("escaped_title"), [row for row in rows if escaped(row)], words)
    yield _list(words("overkilled_title"), [row for row in rows if overkilled(row)], words)


def _list(title: str, rows: Sequence[JudgedBattery], words: Words) -> Card:
    names = ("battery", "truth", "verdict", "fused", "ct_value", "rgb_value", "visibility")
    lines = []
    for row in rows:
        verdict = row.verdict
        lines.append(
            (
                row.key,
                words(f"truth_{row.truth}"),
                words.kind(kind_of(row)),
                number(verdict.fused_score if verdict else None),
                number(verdict.cnn_prob if verdict else None),
                number(verdict.ae_score if verdict else None),
                ", ".join(words(f"visibility_{v}") for v in sorted(row.visibilities)) or NONE,
            )
        )
    head = [words(name) for name in names]
    return table_card(title, head, lines, "lllrrrl", "" if lines else words("none"))


def _misjudged(item: Misjudged, words: Words) -> Card:
    row = item.row
    sort = Label(words("tag_overkilled"), "warning")
    if escaped(row):
        sort = Label(words("tag_escaped"), "critical")
    truth = Label(words("is_truth", truth=words(f"truth_{row.truth}")), "neutral")
    reasons = tuple(m.text(words.language) for m in (row.verdict.reasons if row.verdict else []))
    pictures = []
    for thumbnail in item.thumbnails:
        image = thumbnail.image
        caption = words(
            "thumbnail",
            file=image.ref.path.name,
            label=image_class(image.truth.name, words),
            score=number(image.score),
            threshold=number(image.threshold),
        )
        pictures.append(CaptionedPicture(caption, (thumbnail.plain, thumbnail.heat)))
    return Card(
        (
            Heading(row.key, 3, (sort, truth, words.kind(kind_of(row)))),
            *([Bullets(reasons)] if reasons else []),
            Pictures(tuple(pictures)),
        )
    )


def _settings(evaluation: Evaluation, words: Words) -> Iterator[Card]:
    head = (words("item"), words("value"))
    for slot, bundle in evaluation.bundles.items():
        if bundle.threshold is not None:
            record = bundle.threshold.model_dump(mode="json")
            rows = [
                (key, f"{value:.6g}" if isinstance(value, float) else str(value))
                for key, value in record.items()
                if value is not None
            ]
            title = words("threshold_of", model=words(f"slot_{slot}"))
            yield table_card(title, head, rows, "lr")
    if evaluation.figures.get("batteries"):
        policy = evaluation.policy
        own = dict(iter(getattr(policy, policy.method)))
        shown = {"method": policy.method, **own, **dict(iter(policy.aggregation))}
        rows = [(name, str(value)) for name, value in shown.items()]
        yield table_card(words("policy_title"), head, rows, "lr")


def _provenance(models: dict[str, Any], words: Words) -> Card:
    names = ("slot", "name", "run", "data", "created", "sha256")
    rows = [
        (
            words(f"slot_{slot}"),
            model["name"],
            model["run"] or NONE,
            ", ".join(map(str, model["trained_on"] or [])) or NONE,
            model["created_at"],
            Soft(model["sha256"]),
        )
        for slot, model in models.items()
    ]
    head = [words(f"model_{name}") for name in names]
    return table_card(words("provenance_title"), head, rows, "llllll")

"""From an evaluation to its page: headline, data, batteries, settings, provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from inspection.classes import class_table
from inspection.messages import Language
from inspection.report import blocks
from inspection.report.words import NONE, Words, moment, number
from training.evaluation.batteries import escaped, judged_pairs, kind_of, overkilled
from training.evaluation.evaluate import Evaluation
from training.report.model_figures import model_blocks
from training.report.thumbnails import Misjudged
from training.report.words import image_class, interval, percent, table_card

KINDS = ("normal", "review", "internal_defect", "external_defect", "composite_defect",
         "not_inspected")  # fmt: skip
GLOSSARY = ("escape", "overkill", "review", "f1", "auroc", "interval", "ece", "iou", "peak")


def evaluation_document(
    evaluation: Evaluation,
    misjudged: Sequence[Misjudged],
    charts: Mapping[str, bytes],
    language: Language,
    at: datetime,
) -> blocks.ReportPage:
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
    provenance = figures["provenance"]
    page: list[blocks.Block] = [blocks.Text(words("made_at", time=moment(at)), "soft")]
    if any(model["demo"] for model in provenance.values()):
        page.append(blocks.Text(words("demo_note"), "warning"))
    page += _summary(figures, words)
    page += [blocks.Heading(words("tested")), blocks.Cards(list(_data(evaluation, words)))]
    if figures.get("batteries"):
        page += [blocks.Heading(words("battery_results")), *_batteries(evaluation, words)]
    if misjudged:
        page += [blocks.Heading(words("worst_title")), blocks.Text(words("worst_note"), "soft")]
        page += [_misjudged(item, words) for item in misjudged]
    page += model_blocks(evaluation, charts, words)
    page += [blocks.Heading(words("settings")), blocks.Cards(list(_settings(evaluation, words)))]
    models = [
        (
            words(f"slot_{slot}"),
            model["name"],
            model["run"] or NONE,
            ", ".join(map(str, model["trained_on"] or [])) or NONE,
            model["created_at"],
            blocks.Soft(model["sha256"]),
        )
        for slot, model in provenance.items()
    ]
    head = [f"model_{key}" for key in ("slot", "name", "run", "data", "created", "sha256")]
    terms = [(words(f"term_{key}"), words(f"term_{key}_is")) for key in GLOSSARY]
    page += [
        blocks.Heading(words("provenance")),
        table_card(words("provenance_title"), head, models, words, left=head),
        blocks.Heading(words("glossary")),
        blocks.Card([blocks.Fields(terms)]),
    ]
    return blocks.ReportPage(
        language, words("kicker"), evaluation.data.name, moment(at), page, words("footer")
    )


def _summary(figures: dict[str, Any], words: Words) -> Iterator[blocks.Block]:
    """Yield the headline figures, and in sentences what they mean for the line."""
    tiles = []
    said = [words("no_verdicts")]
    found = figures.get("batteries")
    if found:
        defective, normal = found["defective"], found["batteries"] - found["defective"]
        rates: tuple[tuple[str, int, blocks.Tone], ...] = (
            ("escape", defective, "critical"),
            ("overkill", normal, "warning"),
        )
        for name, whole, grave in rates:
            count = found[f"{name}s"]
            bounds = interval(found["intervals"][f"{name}_rate"], as_percent=True)
            label = words(f"tile_{name}", count=count, whole=whole, bounds=bounds)
            tone = grave if count else "success"
            tiles.append(blocks.Tile(label, percent(found[f"{name}_rate"]), tone))
        # A good battery left to the operator costs time; one that is called defective is scrapped.
        kinds = found["kinds_by_truth"]["normal"]
        passed, review = kinds.get("normal", 0), kinds.get("review", 0)
        named = sum(
            kinds.get(f"{name}_defect", 0) for name in ("internal", "external", "composite")
        )
        said = [
            words("say_escapes", defective=defective, escapes=found["escapes"]),
            words("say_overkills", normal=normal, passed=passed, review=review, named=named),
        ]
    ct, rgb = figures["models"].get("ct_cnn"), figures["models"].get("rgb_ae")
    if ct:
        label = words("tile_ct", bounds=interval(ct["intervals"]["macro_f1"]))
        tiles.append(blocks.Tile(label, number(ct["macro_f1"]), "neutral"))
    if rgb:
        label = words("tile_rgb", bounds=interval(rgb["intervals"]["views"].get("auroc")))
        tiles.append(blocks.Tile(label, number(rgb["views"]["auroc"]), "neutral"))
    yield blocks.Tiles(tiles)
    sentences = [blocks.Text(sentence) for sentence in said]
    yield blocks.Card([blocks.Heading(words("summary"), 4), *sentences])


def _data(evaluation: Evaluation, words: Words) -> Iterator[blocks.Card]:
    """Yield what was judged, and the images and batteries of each class."""
    judged, figures = evaluation.judged, evaluation.figures
    pairs = judged_pairs(judged)
    part = f"{figures['part']} ({figures['split'][:12]})" if figures["part"] else ""
    facts = {
        "lots": figures["lot"],
        "part": part or words("data_whole"),
        "batteries": len(judged),
        "pairs": len(pairs),
        "without_truth": sum(b.battery.paired for b in judged) - len(pairs),
        "ct": sum(len(b.battery.ct) for b in judged),
        "rgb": sum(len(b.battery.rgb) for b in judged),
        "failed": sum(model["failed"] for model in figures["models"].values()),
    }
    rows = [(words(f"data_{key}"), str(value)) for key, value in facts.items()]
    yield table_card(words("data_title"), ("item", "value"), rows, words)

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
    yield table_card(words("classes_title"), ("class", "images", "batteries_with"), counted, words)


def _batteries(evaluation: Evaluation, words: Words) -> Iterator[blocks.Card]:
    figures = evaluation.figures["batteries"]
    by_truth = figures["kinds_by_truth"]
    shown = [k for k in KINDS if any(k in counts for counts in by_truth.values())]
    kinds = [
        (words(f"truth_{truth}"), *(str(counts.get(kind, 0)) for kind in shown))
        for truth, counts in by_truth.items()
        if counts
    ]
    head: tuple[str, ...] = ("truth", *(f"kind_{kind}" for kind in shown))
    yield table_card(words("kinds_title"), head, kinds, words)

    rates = []
    for name in ("escape_rate", "overkill_rate", "false_defect_rate", "f1"):
        value = number(figures[name]) if name == "f1" else percent(figures[name])
        bounds = interval(figures["intervals"][name], as_percent=name != "f1")
        rates.append((words(f"battery_{name}"), value, bounds))
    head, note = ("figure", "value", "interval"), words("interval_note")
    yield table_card(words("rates_title"), head, rates, words, note=note)

    head = ("battery", "truth", "verdict", "fused", "ct_value", "rgb_value", "visibility")
    for title, wrong in (("escaped_title", escaped), ("overkilled_title", overkilled)):
        rows = []
        for row in filter(wrong, judged_pairs(evaluation.judged)):
            made, seen = row.verdict, sorted(row.visibilities)
            rows.append(
                (
                    row.key,
                    words(f"truth_{row.truth}"),
                    words.kind(kind_of(row)),
                    number(made.fused_score if made else None),
                    number(made.cnn_prob if made else None),
                    number(made.ae_score if made else None),
                    ", ".join(words(f"visibility_{grade}") for grade in seen) or NONE,
                )
            )
        left, note = ("truth", "verdict", "visibility"), "" if rows else words("none")
        yield table_card(words(title), head, rows, words, left=left, note=note)


def _misjudged(item: Misjudged, words: Words) -> blocks.Card:
    row = item.row
    sort = blocks.Label(words("tag_overkilled"), "warning")
    if escaped(row):
        sort = blocks.Label(words("tag_escaped"), "critical")
    truth = blocks.Label(words("is_truth", truth=words(f"truth_{row.truth}")), "neutral")
    reasons = [m.text(words.language) for m in (row.verdict.reasons if row.verdict else [])]
    pictures = []
    for thumbnail in item.thumbnails:
        image = thumbnail.image
        caption = words(
            "thumbnail",
            file=image.ref.file_name,
            label=image_class(image.truth.name, words),
            score=number(image.score),
            threshold=number(image.threshold),
        )
        pictures.append(blocks.CaptionedPicture(caption, (thumbnail.plain, thumbnail.heat)))
    title = blocks.Heading(row.key, 3, (sort, truth, words.kind(kind_of(row))))
    said = [blocks.Bullets(reasons)] if reasons else []
    return blocks.Card([title, *said, blocks.Pictures(pictures)])


def _settings(evaluation: Evaluation, words: Words) -> Iterator[blocks.Card]:
    """Yield each model's threshold, and the policy that the verdicts were made by."""
    for slot, bundle in evaluation.bundles.items():
        if bundle.threshold is not None:
            rows = [
                (key, f"{value:.6g}" if isinstance(value, float) else str(value))
                for key, value in bundle.threshold.model_dump(mode="json").items()
                if value is not None
            ]
            title = words("threshold_of", model=words(f"slot_{slot}"))
            yield table_card(title, ("item", "value"), rows, words)
    if evaluation.figures.get("batteries"):
        policy = evaluation.policy
        own = dict(iter(getattr(policy, policy.method)))
        shown = {"method": policy.method, **own, **dict(iter(policy.aggregation))}
        rows = [(name, str(value)) for name, value in shown.items()]
        yield table_card(words("policy_title"), ("item", "value"), rows, words)

"""The card of one battery that is not plainly normal."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from inspection.classes import class_table
from inspection.report.blocks import (
    Block,
    Bullets,
    CaptionedPicture,
    Card,
    Columns,
    Field,
    Fields,
    Heading,
    Label,
    Pictures,
    Text,
)
from inspection.report.model import Entry
from inspection.report.pictures import read_picture
from inspection.report.tables import bodies, reasons
from inspection.report.words import Words, moment, number
from inspection.results import SYSTEMS, BatteryResult, ImageResult, SystemName

_PICTURE_ORDER = ("image", "overlay", "boxes")


def battery_card(entry: Entry, folder: Path, demo: Collection[SystemName], words: Words) -> Card:
    """Return everything about a battery.

    Parameters
    ----------
    entry : the battery
    folder : of the session, with the evidence pictures
    demo : systems that judged with demo models
    words : the language
    """
    summary, result = entry.summary, entry.result
    classes = [words.classes[name] for name in defect_types(entry) if name in words.classes]
    labels = [words.kind(entry.final_kind, summary.defect_type)]
    if classes and entry.final_kind != "normal":
        # The gravest; a battery that the operator calls normal has none.
        severity = max((words.severity(row) for row in classes), key=lambda s: s.tone == "critical")
        labels.append(Label(f"{words('severity')}: {severity.text}", severity.tone))
    return Card(
        (
            Heading(
                f"{words('battery')} {summary.battery_id}",
                3,
                tuple(labels),
                below=" · ".join(bodies(entry, words)),
                anchor=entry.anchor,
                room=70,
            ),
            *(Text(note, "note") for note in _notes(entry, words)),
            Columns((tuple(_verdict(entry, words)), tuple(_advice(entry, demo, words)))),
            # Below the columns and not inside: an operator's comment may be longer than a page.
            *_decision(entry, words),
            Heading(words("evidence"), 4, room=60),
            *(_pictures(image, folder, words) for image in (result.images if result else [])),
            *([] if result and result.images else [Text(words("evidence_none"), "soft")]),
        )
    )


def defect_types(entry: Entry) -> list[str]:
    """Return the classes whose cause and action apply, the internal one first.

    The exterior model does not tell pollution from damage: an exterior defect without its type
    stands for both.
    """
    kinds = {entry.station_kind, entry.final_kind}
    if not kinds & {"internal_defect", "external_defect", "composite_defect", "review"}:
        return []
    named = [entry.summary.defect_type]
    if entry.result is not None and entry.result.ensemble is not None and "review" not in kinds:
        named.append(entry.result.ensemble.cnn_defect_type)
    types = [name for name in dict.fromkeys(named) if name and not name.endswith("normal")]
    external = class_table().rgb_defects
    types.sort(key=lambda name: name in external)
    if kinds & {"external_defect", "composite_defect"} and not set(types) & set(external):
        types += external
    return types


def _notes(entry: Entry, words: Words) -> Iterator[str]:
    if entry.problem is not None:
        yield words("details_missing", problem=entry.problem.text(words.language))
    if entry.contradicts:
        yield words("not_judged")
    if entry.overridden:
        station, final = words.kind(entry.station_kind), words.kind(entry.final_kind)
        yield words("overridden_note", station=station.text, final=final.text)


def _verdict(entry: Entry, words: Words) -> Iterator[Block]:
    """Yield the scores, and what the verdict stands on."""
    summary = entry.summary
    yield Fields(
        (
            Field(words("defect_type"), words.defect(summary.defect_type)),
            Field(words("fused_score"), number(summary.fused_score)),
            Field(words("cnn_prob"), number(summary.cnn_prob)),
            Field(words("ae_score"), number(summary.ae_score)),
        )
    )
    runs = []
    for run in entry.result.runs if entry.result else []:
        line = words(
            "run_slices",
            first=run.first,
            last=run.last,
            length=run.length,
            defect=words.defect(run.defect_type),
            score=number(run.score),
        )
        # A plain lot does not say which axis its slices run along.
        runs.append(words("run_axis", axis=run.axis, slices=line) if run.axis else line)
    failed = []
    for image in entry.failed:
        why = image.error.text(words.language) if image.error else words("state_failed")
        # The sentence usually names the file; the full name stands before it all the same.
        failed.append(f"{image.image}: {why}")
    if entry.failed_count > len(entry.failed):
        failed.append(words("failed_more", count=entry.failed_count - len(entry.failed)))
    grounds = reasons(entry, words) or (words("no_reason"),)
    for title, lines in (("reasons", grounds), ("runs", runs), ("failed_images", failed)):
        if lines:
            yield Heading(words(title), 4)
            yield Bullets(tuple(lines))


def _advice(entry: Entry, demo: Collection[SystemName], words: Words) -> Iterator[Block]:
    """Yield likely causes and what to do, and what each system said."""
    types, result = defect_types(entry), entry.result
    for row in (words.classes[name] for name in types if name in words.classes):
        yield Heading(row.name[words.language], 4, (words.severity(row),))
        cause, action = row.cause[words.language], row.action[words.language]
        yield Fields((Field(words("cause"), cause), Field(words("action"), action)), 0.3)
    if {*class_table().rgb_defects} <= {*types}:
        yield Text(words("external_either"), "soft")
    fields = []
    for name in SYSTEMS:
        if result is not None and name in result.systems:
            title = words(f"system_{name}")
            title = words("system_demo", system=title) if name in demo else title
            fields.append(Field(title, _system_line(result, name, words)))
    if fields:
        yield Heading(words("systems"), 4)
        yield Fields(tuple(fields))


def _system_line(result: BatteryResult, name: SystemName, words: Words) -> str:
    state = result.systems[name]
    if state == "done" and name == "vlm" and result.vlm is not None:
        judgement = words(f"judgement_{result.vlm.prediction}")
        return f"{judgement}. {result.vlm.explanation}"
    if state == "done" and name == "vlg" and result.vlg is not None:
        if not result.vlg.bboxes:
            return words("vlg_nothing")
        defects = ", ".join(dict.fromkeys(words.defect(d) for d in result.vlg.defect_types))
        return words("vlg_found", count=len(result.vlg.bboxes), defects=defects)
    line = words(f"state_{state}")
    message = result.system_messages.get(name)
    # "Not installed" says it all; a failure needs its cause.
    return f"{line}: {message.text(words.language)}" if message and state == "failed" else line


def _decision(entry: Entry, words: Words) -> Iterator[Block]:
    decision = entry.decision
    yield Heading(words("decision"), 4)
    if decision is None:
        yield Text(words("decision_none"))
        return
    facts = {
        "decision": words(f"decision_{decision.action}"),
        "final_verdict": words.kind(decision.kind).text,
        "operator": decision.operator,
        "decided_at": moment(decision.decided_at),
    }
    yield Fields(tuple(Field(words(k), value) for k, value in facts.items()), in_line=True)
    said = {"reason": decision.reason, "comment": decision.comment}
    written = tuple(Field(words(key), value) for key, value in said.items() if value)
    if written:
        yield Fields(written, 0.12)


def _pictures(image: ImageResult, folder: Path, words: Words) -> Pictures:
    """Return an image's evidence under a title that says what was found on it."""
    kinds = [kind for kind in _PICTURE_ORDER if kind in image.evidence]
    if "overlay" not in kinds and "heatmap" in image.evidence:
        kinds.insert(1, "heatmap")
    if len(kinds) > 1 and "boxes" in kinds and not image.pred_boxes:
        kinds.remove("boxes")
    pictures = []
    for kind in kinds:
        relative = image.evidence[kind]
        found = read_picture(folder, relative)
        note = "" if found else words("picture_missing", name=relative)
        images = (found,) if found else ()
        pictures.append(CaptionedPicture(words(f"picture_{kind}"), images, note))
    if image.modality == "ct":
        parts = [words("ct_image", axis=image.axis or "", number=image.number)]
    else:
        parts = [words("rgb_image", number=image.number)]
    if image.modality == "ct" and image.pred_label:
        parts.append(words.defect(image.pred_label))
    elif image.is_anomaly is not None:
        parts.append(words("judgement_defect" if image.is_anomaly else "judgement_normal"))
    if image.pred_score is not None:
        score, threshold = number(image.pred_score, 4), number(image.threshold, 4)
        parts.append(words("image_score", score=score, threshold=threshold))
    return Pictures(tuple(pictures), " · ".join(parts))

"""The section of one battery that is not plainly normal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from inspection.classes import class_table
from inspection.report.model import Entry
from inspection.report.pictures import read_picture
from inspection.report.view import Advice, Field, Label, Picture, PictureRow, Section
from inspection.report.words import NONE, Words, moment, number
from inspection.results import SYSTEMS, BatteryResult, ImageResult, SliceRun, SystemName

_PICTURE_ORDER = ("image", "overlay", "boxes")


def compose_section(
    entry: Entry, anchor: str, folder: Path, demo: Collection[SystemName], words: Words
) -> Section:
    """Return a battery's section.

    Parameters
    ----------
    entry : the battery
    anchor : where links to it lead
    folder : of the session, with the evidence pictures
    demo : systems that judged with demo models
    words : the language
    """
    summary, result = entry.summary, entry.result
    types, external = defect_types(entry), class_table().rgb_defects
    advice = tuple(_advice(name, words) for name in types if name in words.classes)
    return Section(
        anchor=anchor,
        battery_id=summary.battery_id,
        ids=battery_ids(entry, words),
        station=words.kind(entry.station_kind, summary.defect_type),
        final=words.kind(entry.final_kind, summary.defect_type),
        severity=_severity(entry, advice),
        notes=_notes(entry, words),
        scores=(
            Field(words("defect_type"), words.defect(summary.defect_type)),
            Field(words("fused_score"), number(summary.fused_score)),
            Field(words("cnn_prob"), number(summary.cnn_prob)),
            Field(words("ae_score"), number(summary.ae_score)),
        ),
        reasons=reasons(entry, words) or (words("no_reason"),),
        advice=advice,
        advice_note=words("external_either") if {*external} <= {*types} else "",
        runs=_runs(result, words),
        systems=_systems(result, demo, words),
        failed_images=_failed_images(entry, words),
        decision=_decision(entry, words),
        picture_rows=_picture_rows(result, folder, words),
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


def battery_ids(entry: Entry, words: Words, between: str = " · ") -> str:
    """Return which CT and RGB body the battery is made of."""
    parts = (("ct_id", entry.summary.ct_id), ("rgb_id", entry.summary.rgb_id))
    return between.join(f"{words(key)} {value or NONE}" for key, value in parts)


def reasons(entry: Entry, words: Words) -> tuple[str, ...]:
    """Return the verdict's reasons in the report's language.

    Without the detailed result only the sentences in the station's language are left.
    """
    if entry.result is None:
        return tuple(entry.summary.reasons)
    return tuple(reason.text(words.language) for reason in entry.result.verdict.reasons)


def _notes(entry: Entry, words: Words) -> tuple[str, ...]:
    notes = []
    if entry.problem is not None:
        problem = entry.problem.text(words.language)
        notes.append(words("details_missing", problem=problem))
    if entry.contradicts:
        notes.append(words("not_judged"))
    if entry.overridden:
        station = words.kind(entry.station_kind).text
        final = words.kind(entry.final_kind).text
        notes.append(words("overridden_note", station=station, final=final))
    return tuple(notes)


def _severity(entry: Entry, advice: Sequence[Advice]) -> Label | None:
    """Return the gravest severity; a battery that the operator calls normal has none."""
    if entry.final_kind == "normal":
        return None
    return max((a.severity for a in advice), key=lambda s: s.tone == "critical", default=None)


def _advice(name: str, words: Words) -> Advice:
    row = words.classes[name]
    return Advice(
        name=row.name[words.language],
        severity=words.severity(row),
        cause=row.cause[words.language],
        action=row.action[words.language],
    )


def _runs(result: BatteryResult | None, words: Words) -> tuple[str, ...]:
    return tuple(_run_line(run, words) for run in (result.runs if result else []))


def _run_line(run: SliceRun, words: Words) -> str:
    slices = words(
        "run_slices",
        first=run.first,
        last=run.last,
        length=run.length,
        defect=words.defect(run.defect_type),
        score=number(run.score),
    )
    # A plain lot does not say which axis its slices run along.
    return words("run_axis", axis=run.axis, slices=slices) if run.axis else slices


def _systems(
    result: BatteryResult | None, demo: Collection[SystemName], words: Words
) -> tuple[Field, ...]:
    if result is None:
        return ()
    fields = []
    for name in SYSTEMS:
        if name in result.systems:
            title = words(f"system_{name}")
            if name in demo:
                title = words("system_demo", system=title)
            fields.append(Field(title, _system_line(result, name, words)))
    return tuple(fields)


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


def _failed_images(entry: Entry, words: Words) -> tuple[str, ...]:
    lines = []
    for image in entry.failed:
        why = image.error.text(words.language) if image.error else words("state_failed")
        # The sentence usually names the file; the full name stands before it all the same.
        lines.append(f"{image.image}: {why}")
    if entry.failed_count > len(entry.failed):
        lines.append(words("failed_more", count=entry.failed_count - len(entry.failed)))
    return tuple(lines)


def _decision(entry: Entry, words: Words) -> tuple[Field, ...]:
    decision = entry.decision
    if decision is None:
        return (Field(words("decision"), words("decision_none")),)
    fields = [
        Field(words("decision"), words(f"decision_{decision.action}")),
        Field(words("final_verdict"), words.kind(decision.kind).text),
        Field(words("operator"), decision.operator),
        Field(words("decided_at"), moment(decision.decided_at)),
    ]
    if decision.reason:
        fields.append(Field(words("reason"), decision.reason))
    if decision.comment:
        fields.append(Field(words("comment"), decision.comment))
    return tuple(fields)


def _picture_rows(
    result: BatteryResult | None, folder: Path, words: Words
) -> tuple[PictureRow, ...]:
    images = result.images if result else []
    return tuple(
        PictureRow(_image_title(image, words), _pictures(image, folder, words)) for image in images
    )


def _pictures(image: ImageResult, folder: Path, words: Words) -> tuple[Picture, ...]:
    kinds = [kind for kind in _PICTURE_ORDER if kind in image.evidence]
    if "overlay" not in kinds and "heatmap" in image.evidence:
        kinds.insert(1, "heatmap")
    if len(kinds) > 1 and "boxes" in kinds and not image.pred_boxes:
        kinds.remove("boxes")
    pictures = []
    for kind in kinds:
        relative = image.evidence[kind]
        jpeg = read_picture(folder, relative)
        note = "" if jpeg else words("picture_missing", name=relative)
        pictures.append(Picture(words(f"picture_{kind}"), jpeg, note))
    return tuple(pictures)


def _image_title(image: ImageResult, words: Words) -> str:
    if image.modality == "ct":
        title = words("ct_image", axis=image.axis or "", number=image.number)
    else:
        title = words("rgb_image", number=image.number)
    parts = [title]
    if image.modality == "ct" and image.pred_label:
        parts.append(words.defect(image.pred_label))
    elif image.is_anomaly is not None:
        parts.append(words("judgement_defect" if image.is_anomaly else "judgement_normal"))
    if image.pred_score is not None:
        score, threshold = number(image.pred_score, 4), number(image.threshold, 4)
        parts.append(words("image_score", score=score, threshold=threshold))
    return " · ".join(parts)

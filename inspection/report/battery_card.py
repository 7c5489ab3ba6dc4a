"""The card of one battery that is not plainly normal."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from inspection.classes import class_table
from inspection.report import blocks
from inspection.report.model import Entry
from inspection.report.pictures import read_picture
from inspection.report.tables import bodies, decision_told, person_told, reasons, region_told, sizes
from inspection.report.words import Words, moment, number
from inspection.results import SYSTEMS, ImageResult, SystemName

_PICTURE_ORDER = ("image", "overlay", "boxes")


def battery_card(
    entry: Entry, folder: Path, demo: Collection[SystemName], words: Words
) -> blocks.Card:
    """Return everything about a battery.

    Parameters
    ----------
    entry : the battery
    folder : of the session, with the evidence pictures
    demo : systems that judged with demo models
    words : the language
    """
    summary, decision = entry.summary, entry.decision
    rows = [words.classes[name] for name in defect_types(entry) if name in words.classes]
    labels = [words.kind(entry.final_kind, entry.final_type)]
    if rows and entry.final_kind != "normal":
        # The gravest; a battery that the operator calls normal has none.
        severity = max(map(words.severity, rows), key=lambda label: label.tone == "critical")
        labels.append(blocks.Label(f"{words('severity')}: {severity.text}", severity.tone))
    title, below = f"{words('battery')} {summary.battery_id}", " · ".join(bodies(entry, words))
    card: list[blocks.Block] = [blocks.Heading(title, 3, labels, below, entry.anchor, room=70)]

    notes = []
    if entry.problem is not None:
        notes.append(words("details_missing", problem=entry.problem.text(words.language)))
    if entry.contradicts:
        notes.append(words("not_judged"))
    if entry.overridden:
        station, final = words.kind(entry.station_kind), words.kind(entry.final_kind)
        notes.append(words("overridden_note", station=station.text, final=final.text))
    card += [blocks.Text(note, "note") for note in notes]
    card.append(
        blocks.SideBySide([list(_grounds(entry, words)), list(_advice(entry, demo, words))])
    )

    # Below the columns and not inside: an operator's comment may be longer than a page.
    card.append(blocks.Heading(words("decision"), 4))
    if decision is None:
        card.append(blocks.Text(words("decision_none")))
    else:
        facts = {
            "decision": words(f"decision_{decision.action}"),
            "final_verdict": words.kind(decision.kind).text,
            "operator": person_told(decision.operator, decision.role, words),
            "decided_at": moment(decision.decided_at),
        }
        if decision.defect_type is not None:
            facts["defect_type"] = words.defect(decision.defect_type)
        if decision.second is not None:
            facts["second"] = person_told(decision.second.name, decision.second.role, words)
        said = {
            "reason": decision.reason,
            "comment": decision.comment,
            "region": region_told(decision, words),
        }
        written = [(words(key), value) for key, value in said.items() if value]
        card.append(blocks.Fields([(words(k), v) for k, v in facts.items()], in_line=True))
        card += [blocks.Fields(written, 0.12)] if written else []
        if decision.shown is not None and decision.shown != summary.digest:
            card.append(blocks.Text(words("shown_changed"), "note"))
    if summary.earlier:
        card.append(blocks.Heading(words("earlier"), 4))
        card.append(blocks.Bullets([decision_told(one, words) for one in summary.earlier]))

    card.append(blocks.Heading(words("evidence"), 4, room=60))
    images = entry.result.images if entry.result else []
    card += [_pictures(image, folder, words) for image in images]
    card += [] if images else [blocks.Text(words("evidence_none"), "soft")]
    return blocks.Card(card)


def defect_types(entry: Entry) -> list[str]:
    """Return the classes whose cause and action apply, the internal one first.

    The exterior model does not tell pollution from damage: an exterior defect without its type
    stands for both.
    """
    kinds = {entry.station_kind, entry.final_kind}
    if not kinds & {"internal_defect", "external_defect", "composite_defect", "review"}:
        return []
    named = [entry.final_type, entry.summary.defect_type]
    if entry.result is not None and entry.result.ensemble is not None and "review" not in kinds:
        named.append(entry.result.ensemble.cnn_defect_type)
    external = class_table().rgb_defects
    types = [name for name in dict.fromkeys(named) if name and class_table().is_defect(name)]
    types.sort(key=lambda name: name in external)
    if kinds & {"external_defect", "composite_defect"} and not set(types) & set(external):
        types += external
    return types


def _grounds(entry: Entry, words: Words) -> Iterator[blocks.Block]:
    """Yield the scores, and what the verdict stands on."""
    summary = entry.summary
    scores = [(words("defect_type"), words.defect(summary.defect_type))]
    for name in ("fused_score", "cnn_prob", "ae_score"):
        scores.append((words(name), number(getattr(summary, name))))
    if summary.ct_ae_score is not None:
        scores.append((words("ct_ae_score"), number(summary.ct_ae_score)))
    if entry.result is not None and entry.result.grey is not None:
        scores.append((words("grey_window"), entry.result.grey.told.text(words.language)))
    if entry.result is not None and entry.result.volume is not None:
        scores.append((words("volume"), entry.result.volume.told.text(words.language)))
    yield blocks.Fields(scores)
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
        said = [*([image.error] if image.error else []), *image.gate]
        why = " ".join(one.text(words.language) for one in said) or words("state_failed")
        # The sentence usually names the file; the full name stands before it all the same.
        failed.append(f"{image.image}: {why}")
    if entry.failed_count > len(entry.failed):
        failed.append(words("failed_more", count=entry.failed_count - len(entry.failed)))
    grounds = reasons(entry, words) or (words("no_reason"),)
    parts = {
        "reasons": grounds,
        "runs": runs,
        "defect_sizes": sizes(entry, words),
        "failed_images": failed,
    }
    for title, lines in parts.items():
        if lines:
            yield blocks.Heading(words(title), 4)
            yield blocks.Bullets(lines)


def _advice(entry: Entry, demo: Collection[SystemName], words: Words) -> Iterator[blocks.Block]:
    """Yield likely causes and what to do, and what each system said."""
    types, result = defect_types(entry), entry.result
    for row in (words.classes[name] for name in types if name in words.classes):
        yield blocks.Heading(row.name[words.language], 4, [words.severity(row)])
        cause, action = row.cause[words.language], row.action[words.language]
        yield blocks.Fields([(words("cause"), cause), (words("action"), action)], 0.3)
    if {*class_table().rgb_defects} <= {*types}:
        yield blocks.Text(words("external_either"), "soft")
    said = []
    for name in SYSTEMS:
        if result is None or name not in result.systems:
            continue
        state, message = result.systems[name], result.system_messages.get(name)
        line = words(f"state_{state}")
        if state == "failed" and message:
            # "Not installed" says it all; a failure needs its cause.
            line = f"{line}: {message.text(words.language)}"
        elif state == "done" and name == "vlm" and result.vlm is not None:
            line = f"{words(f'judgement_{result.vlm.prediction}')}. {result.vlm.explanation}"
        elif state == "done" and name == "vlg" and result.vlg is not None:
            found = ", ".join(dict.fromkeys(words.defect(d) for d in result.vlg.defect_types))
            line = words("vlg_nothing")
            if result.vlg.bboxes:
                line = words("vlg_found", count=len(result.vlg.bboxes), defects=found)
            spots = [spot for image in result.vlg.images for spot in image.alternatives]
            seconds = dict.fromkeys(other.defect_type for spot in spots for other in spot)
            if others := ", ".join(map(words.defect, seconds)):
                line = words("vlg_alternatives", found=line, others=others)
        title = words(f"system_{name}")
        said.append((words("system_demo", system=title) if name in demo else title, line))
    if said:
        yield blocks.Heading(words("systems"), 4)
        yield blocks.Fields(said)


def _pictures(image: ImageResult, folder: Path, words: Words) -> blocks.Pictures:
    """Return an image's evidence under a title that says what was found on it."""
    kinds = [kind for kind in _PICTURE_ORDER if kind in image.evidence]
    if "overlay" not in kinds and "heatmap" in image.evidence:
        kinds.insert(1, "heatmap")
    if len(kinds) > 1 and "boxes" in kinds and not image.pred_boxes:
        kinds.remove("boxes")
    pictures = []
    for kind in kinds:
        found = read_picture(folder, image.evidence[kind])
        note = "" if found else words("picture_missing", name=image.evidence[kind])
        images = [found] if found else []
        pictures.append(blocks.CaptionedPicture(words(f"picture_{kind}"), images, note))
    parts = [words.image(image.modality, image.axis, image.number)]
    if image.modality == "ct" and image.pred_label:
        parts.append(words.defect(image.pred_label))
    elif image.is_anomaly is not None:
        parts.append(words("judgement_defect" if image.is_anomaly else "judgement_normal"))
    if image.pred_score is not None:
        score, threshold = number(image.pred_score, 4), number(image.threshold, 4)
        parts.append(words("image_score", score=score, threshold=threshold))
    return blocks.Pictures(pictures, " · ".join(parts))

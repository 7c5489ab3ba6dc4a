"""The report's comparison of the three systems: figures, agreement, and batteries in columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inspection.agreement.battery import Agreement, BatteryComparison, ImageComparison
from inspection.agreement.cells import Cell
from inspection.comparison.session import SessionComparison, SourceImages
from inspection.images.grey import GreyWindow
from inspection.images.stack_grey import window_of
from inspection.report import blocks
from inspection.report.blocks import Label, Tone
from inspection.report.comparison_tables import (
    agreement_table,
    figures_tables,
    judgement_words,
    pair_words,
)
from inspection.report.model import Entry
from inspection.report.pictures import drawn_pictures
from inspection.report.words import Words, number
from inspection.results import BatteryResult, SystemName

SECTIONS_SHOWN = 60
"""Batteries shown in columns, those in conflict first; the data files have all."""
BATTERIES_PICTURED, IMAGES_PICTURED = 20, 2
"""Bounds the file: batteries with pictures, and images of each."""
_TONES: dict[Agreement, Tone] = {
    "agree": "success",
    "conflict": "critical",
    "open": "neutral",
}
_JUDGEMENT_TONES: dict[str, Tone] = {
    "normal": "success",
    "defect": "critical",
    "review": "review",
}


def comparison_chapter(
    entries: Sequence[Entry], compared: SessionComparison, sources: SourceImages, words: Words
) -> Iterator[blocks.Block]:
    """Yield the systems side by side: over the session, then battery by battery.

    Parameters
    ----------
    entries : the batteries of the report
    compared : the systems over them
    sources : the lot's images
    words : the language
    """
    yield blocks.Heading(words("comparison"), anchor="comparison", new_page=True)
    remarks = [remark.text(words.language) for remark in compared.remarks]
    tables = [*figures_tables([compared], words), agreement_table(compared, words)]
    yield blocks.Card([*([blocks.Bullets(remarks)] if remarks else []), *tables])
    yield blocks.Heading(words("comparison_sections"))
    found = []
    for entry in entries:
        battery, result = entry.comparison, entry.result
        if battery is None or result is None or not battery.compared:
            continue
        cells = [*battery.cells.values(), *(c for i in battery.images for c in i.cells.values())]
        # Where all called it normal there is nothing to see.
        if battery.conflict or any(cell.judgement == "defect" for cell in cells):
            found.append((battery, result))
    # The contradictions first: only so many batteries are shown.
    found.sort(key=lambda pair: not pair[0].conflict)
    for place, (battery, result) in enumerate(found[:SECTIONS_SHOWN]):
        pictured = sources if place < BATTERIES_PICTURED else None
        yield _battery(battery, result, compared.systems, pictured, words)
    if not found:
        yield blocks.Text(words("comparison_sections_none"), "soft")
    elif len(found) > SECTIONS_SHOWN:
        more = len(found) - SECTIONS_SHOWN
        yield blocks.Text(words("comparison_sections_more", count=more), "soft")


def _battery(
    battery: BatteryComparison,
    result: BatteryResult,
    systems: Sequence[SystemName],
    sources: SourceImages | None,
    words: Words,
) -> blocks.Card:
    """Return a battery with a column a system, and its images below; no sources, no pictures."""
    label = Label(words(f"comparison_is_{battery.judgement}"), _TONES[battery.judgement])
    if battery.conflict:
        label = Label(words("comparison_is_conflict"), _TONES["conflict"])
    title = f"{words('comparison')}: {battery.battery_id}"
    card: list[blocks.Block] = [blocks.Heading(title, 3, [label], room=50)]
    facts = []
    chosen = next(iter(result.chosen.values()), None)
    if chosen is not None:
        seed = f" ({chosen.seed})" if chosen.seed is not None else ""
        facts.append(
            (words("comparison_chosen"), words(f"comparison_chosen_{chosen.method}") + seed)
        )
    for name, steps in result.memory_steps.items():
        title = words("comparison_memory_steps", system=words(f"system_{name}"))
        facts.append((title, " ".join(step.text(words.language) for step in steps)))
    if battery.defect_type == "conflict":
        facts.append((words("defect_type"), words("comparison_types_conflict")))
    card += [blocks.Fields(facts, 0.28)] if facts else []
    card.append(blocks.SideBySide([list(_said(battery.cells[name], words)) for name in systems]))

    # The images that tell most have pictures: in conflict with boxes, then either, then none.
    boxes = {i.image: any(cell.boxes for cell in i.cells.values()) for i in battery.images}
    marked = [image for image in battery.images if image.conflict or boxes[image.image]]
    marked.sort(key=lambda image: -(image.conflict + boxes[image.image]))
    pictured = [image.image for image in marked[:IMAGES_PICTURED]]
    if sources is None:
        card.append(blocks.Text(words("comparison_pictures_left_out"), "soft"))
    elif pictured and not sources.refs:
        card.append(blocks.Text(words("comparison_no_source"), "soft"))
    for image in battery.images:
        drawn = sources if image.image in pictured and sources and sources.refs else None
        window = window_of(result.grey) if image.modality == "ct" else None
        card += _image(image, systems, drawn, window, words)
    return blocks.Card(card)


def _image(
    image: ImageComparison,
    systems: Sequence[SystemName],
    sources: SourceImages | None,
    window: GreyWindow | None,
    words: Words,
) -> Iterator[blocks.Block]:
    """Yield an image with a column a system, and pictures where the lot's images are given."""
    label = Label(words(f"comparison_is_{image.judgement}"), _TONES[image.judgement])
    if image.judgement != "conflict" and image.defect_type == "conflict":
        label = Label(words("comparison_types_conflict"), "critical")
    overlaps = " · ".join(
        f"{words('comparison_iou')} {number(found.best, 2)} ({pair_words(pair, words)})"
        for pair, found in image.overlaps.items()
    )
    room = 60 if sources else 20
    title = f"{words.image(image.modality, image.axis, image.number)} · {image.image}"
    yield blocks.Heading(title, 4, [label], overlaps, room=room)
    cells = [image.cells[name] for name in systems]
    if sources is not None:
        ref = sources.refs.get(image.image)
        drawn = drawn_pictures(ref, [cell.boxes for cell in cells], window) if ref else None
        missing = blocks.CaptionedPicture("", [], words("picture_missing", name=image.image))
        pictures = [blocks.CaptionedPicture("", [picture]) for picture in drawn or []]
        columns = [[blocks.Pictures([one])] for one in pictures or [missing] * len(cells)]
        yield blocks.SideBySide(columns)
    yield blocks.SideBySide([list(_said(cell, words)) for cell in cells])


def _said(cell: Cell, words: Words) -> Iterator[blocks.Block]:
    """Yield what one system says; its explanation is text as a model wrote it."""
    if cell.judgement is None:
        label = Label(words(f"comparison_cell_{cell.state}"), "warning")
    else:
        label = Label(judgement_words(cell.judgement, words), _JUDGEMENT_TONES[cell.judgement])
    yield blocks.Text(words(f"system_{cell.system}"), labels=[label])
    facts = []
    if cell.defect_type is not None:
        facts.append(words.defect(cell.defect_type))
    if cell.confidence is not None:
        facts.append(words("comparison_confidence", value=number(cell.confidence, 2)))
    if cell.boxes:
        facts.append(words("comparison_boxes", count=len(cell.boxes)))
    if cell.seconds is not None and cell.state == "done":
        facts.append(words("seconds", seconds=number(cell.seconds, 2)))
    if facts:
        yield blocks.Text(" · ".join(facts), "soft")
    if cell.reason is not None:
        yield blocks.Text(cell.reason.text(words.language), "soft")
    if cell.explanation:
        yield blocks.Text(cell.explanation)

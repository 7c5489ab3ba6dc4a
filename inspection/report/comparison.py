"""The report's comparison of the three systems: figures, agreement, and batteries in columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inspection.agreement.battery import Agreement, BatteryComparison, Cell, ImageComparison
from inspection.comparison.session import SourceImages
from inspection.report.comparison_tables import (
    agreement_table,
    figures_tables,
    judgement_words,
    pair_words,
)
from inspection.report.drawn import drawn_pictures
from inspection.report.model import Entry, Report
from inspection.report.pictures import Jpeg
from inspection.report.view import (
    ComparedRow,
    ComparedSection,
    ComparisonView,
    Field,
    Label,
    Picture,
    SystemWord,
    Tone,
)
from inspection.report.words import Words, number
from inspection.results import BatteryResult, SystemName

SECTIONS_SHOWN = 60
"""Batteries shown in columns, those in conflict first; the data files have all."""
BATTERIES_PICTURED, IMAGES_PICTURED = 20, 2
"""Bounds the file: batteries with pictures, and images of each."""
_TONES: dict[Agreement, Tone] = {"agree": "success", "conflict": "critical", "open": "neutral"}
_JUDGEMENT_TONES: dict[str, Tone] = {"normal": "success", "defect": "critical", "review": "review"}


def compose_comparison(report: Report, words: Words) -> ComparisonView | None:
    """Return the systems side by side, None where the VLM and the VLG took no part."""
    compared = report.comparison
    if compared is None:
        return None
    found = [entry for entry in report.entries if entry.comparison and _telling(entry.comparison)]
    found.sort(key=lambda entry: entry.comparison is None or not entry.comparison.conflict)
    more = len(found) - SECTIONS_SHOWN
    systems = compared.systems
    note = words("comparison_sections_more", count=more) if more > 0 else ""
    return ComparisonView(
        remarks=tuple(remark.text(words.language) for remark in compared.remarks),
        tables=(*figures_tables([compared], words), agreement_table(compared, words)),
        sections=tuple(_sections(found[:SECTIONS_SHOWN], systems, report.sources, words)),
        note=note if found else words("comparison_sections_none"),
    )


def _telling(battery: BatteryComparison) -> bool:
    """True where there is more to see than that all called it normal."""
    cells = [*battery.cells.values(), *(c for i in battery.images for c in i.cells.values())]
    return battery.compared and (battery.conflict or any(c.judgement == "defect" for c in cells))


def _sections(
    entries: Sequence[Entry],
    systems: Sequence[SystemName],
    sources: SourceImages,
    words: Words,
) -> Iterator[ComparedSection]:
    for place, entry in enumerate(entries):
        battery, result = entry.comparison, entry.result
        if battery is None or result is None:
            continue
        pictured: list[str] = []
        note = words("comparison_pictures_left_out")
        if place < BATTERIES_PICTURED:
            pictured = _most_telling(battery)
            note = words("comparison_no_source") if pictured and not sources.refs else ""
        yield ComparedSection(
            battery_id=battery.battery_id,
            label=_battery_label(battery, words),
            facts=tuple(_facts(result, battery, words)),
            columns=tuple(_word(battery.cells[name], words) for name in systems),
            rows=tuple(
                _row(image, systems, sources if image.image in pictured else None, words)
                for image in battery.images
            ),
            note=note,
        )


def _most_telling(battery: BatteryComparison) -> list[str]:
    """Return the images that are pictured: those in conflict that have boxes before the others."""
    boxes = {i.image: any(cell.boxes for cell in i.cells.values()) for i in battery.images}
    marked = [image for image in battery.images if image.conflict or boxes[image.image]]
    marked.sort(key=lambda image: -(image.conflict + boxes[image.image]))
    return [image.image for image in marked[:IMAGES_PICTURED]]


def _facts(result: BatteryResult, battery: BatteryComparison, words: Words) -> Iterator[Field]:
    chosen = next(iter(result.chosen.values()), None)
    if chosen is not None:
        how = words(f"comparison_chosen_{chosen.method}")
        seed = f" ({chosen.seed})" if chosen.seed is not None else ""
        yield Field(words("comparison_chosen"), how + seed)
    for name, steps in result.memory_steps.items():
        label = words("comparison_memory_steps", system=words(f"system_{name}"))
        yield Field(label, " ".join(step.text(words.language) for step in steps))
    if battery.defect_type == "conflict":
        yield Field(words("defect_type"), words("comparison_types_conflict"))


def _row(
    image: ImageComparison,
    systems: Sequence[SystemName],
    sources: SourceImages | None,
    words: Words,
) -> ComparedRow:
    cells = [image.cells[name] for name in systems]
    pictures: Sequence[Picture | None] = [None] * len(cells)
    if sources is not None and sources.refs:
        pictures = _pictures(image, cells, sources, words)
    overlaps = " · ".join(
        f"{words('comparison_iou')} {number(found.best, 2)} ({pair_words(pair, words)})"
        for pair, found in image.overlaps.items()
    )
    return ComparedRow(
        title=f"{_title(image, words)} · {image.image}",
        label=_label(image.judgement, image.defect_type, words),
        overlaps=overlaps,
        columns=tuple(
            _word(cell, words, picture) for cell, picture in zip(cells, pictures, strict=True)
        ),
    )


def _pictures(
    image: ImageComparison, cells: Sequence[Cell], sources: SourceImages, words: Words
) -> list[Picture | None]:
    ref = sources.refs.get(image.image)
    drawn: Sequence[Jpeg] | None = drawn_pictures(ref, [c.boxes for c in cells]) if ref else None
    if drawn is None:
        note = words("picture_missing", name=image.image)
        return [Picture(words("picture_boxes"), None, note) for _ in cells]
    return [Picture(words(f"system_{c.system}"), j, "") for c, j in zip(cells, drawn, strict=True)]


def _word(cell: Cell, words: Words, picture: Picture | None = None) -> SystemWord:
    facts = []
    if cell.defect_type is not None:
        facts.append(words.defect(cell.defect_type))
    if cell.confidence is not None:
        facts.append(words("comparison_confidence", value=number(cell.confidence, 2)))
    if cell.boxes:
        facts.append(words("comparison_boxes", count=len(cell.boxes)))
    if cell.seconds is not None and cell.state == "done":
        facts.append(words("seconds", seconds=number(cell.seconds, 2)))
    lines = [" · ".join(facts)] if facts else []
    if cell.reason is not None:
        lines.append(cell.reason.text(words.language))
    if cell.judgement is None:
        label = Label(words(f"comparison_cell_{cell.state}"), "warning")
    else:
        label = Label(judgement_words(cell.judgement, words), _JUDGEMENT_TONES[cell.judgement])
    return SystemWord(
        words(f"system_{cell.system}"), label, tuple(lines), cell.explanation, picture
    )


def _battery_label(battery: BatteryComparison, words: Words) -> Label:
    if battery.conflict:
        return Label(words("comparison_is_conflict"), _TONES["conflict"])
    return Label(words(f"comparison_is_{battery.judgement}"), _TONES[battery.judgement])


def _label(judgement: Agreement, defect_type: Agreement, words: Words) -> Label:
    if judgement != "conflict" and defect_type == "conflict":
        return Label(words("comparison_types_conflict"), "critical")
    return Label(words(f"comparison_is_{judgement}"), _TONES[judgement])


def _title(image: ImageComparison, words: Words) -> str:
    if image.modality == "ct":
        return words("ct_image", axis=image.axis or "", number=image.number)
    return words("rgb_image", number=image.number)

"""``trainer labels``: to labelling tools and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inspection.commands import JsonOption, LanguageOption, SiteOption
from inspection.records import BatteryType

if TYPE_CHECKING:
    from training.labels.exchange import Exchanged

labels_app = typer.Typer(rich_markup_mode=None)
FormOption = Annotated[Literal["coco", "yolo"], typer.Option("--form")]
OutOption = Annotated[Path, typer.Option("--out", metavar="PATH")]
SHOWN = 20


@labels_app.command("export")
def export_labels(
    lot: Path,
    form: FormOption,
    out: OutOption,
    boxes: Annotated[bool, typer.Option("--boxes")] = False,
    as_json: JsonOption = False,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Write the labels of a lot for a labelling tool."""
    from training.labels.exchange import export_labels as export
    from training.progress import progress_bar

    with progress_bar("labels") as advance:
        done = export(lot, out, form, boxes=boxes, progress=advance)
    return _tell(done, out, as_json=as_json)


@labels_app.command("import")
def import_labels(
    source: Path,
    form: FormOption,
    images: Annotated[Path, typer.Option("--images", metavar="LOT")],
    out: OutOption,
    unmarked: Annotated[Literal["skip", "normal"], typer.Option("--unmarked")] = "skip",
    battery_type: Annotated[BatteryType | None, typer.Option("--type")] = None,
    as_json: JsonOption = False,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Write what a labelling tool says of a lot's images as a labelled lot."""
    from training.labels.exchange import import_labels as bring_over

    done = bring_over(source, images, out, form, unmarked=unmarked, battery_type=battery_type)
    return _tell(done, out, as_json=as_json)


def _tell(done: Exchanged, out: Path, *, as_json: bool) -> int:
    from rich.console import Console

    from inspection.console import system_language
    from inspection.messages import Message

    language = system_language()
    if as_json:
        document = {"out": str(out), **done.document(language)}
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return 0
    console = Console()
    for name, count in sorted(done.images.items()):
        console.print(f"{name}: {count}", highlight=False, markup=False)
    for name, reason in done.left_out[:SHOWN]:
        told = f"{name}: {reason.text_with_hint(language)}"
        console.print(told, highlight=False, markup=False)
    if len(done.left_out) > SHOWN:
        more = Message(code="labels_more", params={"count": len(done.left_out) - SHOWN})
        console.print(more.text(language), highlight=False)
    if done.unmarked:
        skipped = Message(code="labels_unmarked", params={"count": done.unmarked})
        console.print(skipped.text(language), highlight=False)
    typer.echo(str(out))
    return 0

"""Options that several commands of the trainer have."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="FILE")]
DataOption = Annotated[list[Path] | None, typer.Option("--data", metavar="LOT")]
NormalOption = Annotated[str | None, typer.Option("--normal", metavar="NAME")]
OutFolderOption = Annotated[Path | None, typer.Option("--out", metavar="FOLDER")]
PartOption = Annotated[str, typer.Option("--part", metavar="train|val|test")]
SplitOption = Annotated[Path | None, typer.Option("--split", metavar="FOLDER")]

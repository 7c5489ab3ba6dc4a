"""A report's blocks as one HTML file that needs nothing else."""

from __future__ import annotations

import base64

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from inspection.paths import resource_path
from inspection.report.blocks import Block, Cell, CodedImage, ReportPage


def html_file(document: ReportPage) -> bytes:
    """Return the report as UTF-8 HTML: pictures inside, no script, nothing loaded from outside."""
    environment = Environment(
        loader=FileSystemLoader(resource_path("report")),
        # What people and models write is text, never markup.
        autoescape=True,
        # A misspelt field fails here instead of missing on the page.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def kind(thing: Block | Cell) -> str:
        return type(thing).__name__

    def data_uri(image: CodedImage) -> str:
        return f"data:image/{image.kind};base64,{base64.b64encode(image.data).decode('ascii')}"

    template = environment.get_template("report.html.j2")
    return template.render(document=document, kind=kind, data_uri=data_uri).encode("utf-8")

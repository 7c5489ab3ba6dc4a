"""The report as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from dataclasses import fields

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from inspection.paths import resource_path
from inspection.report.pictures import Jpeg
from inspection.report.view import ReportView
from inspection.report.words import Words


def html_report(view: ReportView, words: Words) -> bytes:
    """Return the report as UTF-8 HTML: pictures inside, no script, nothing loaded from outside."""
    environment = Environment(
        loader=FileSystemLoader(resource_path("report")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html.j2")
    content = {field.name: getattr(view, field.name) for field in fields(view)}
    return template.render(content, words=words, data_uri=_data_uri).encode("utf-8")


def _data_uri(jpeg: Jpeg) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.data).decode("ascii")

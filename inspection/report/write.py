"""Write a session's report in the asked formats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Literal, get_args

from inspection.atomic import write_atomic
from inspection.errors import ReportError
from inspection.messages import Language
from inspection.report.comparison_files import comparison_csv, comparison_json, figures_csv
from inspection.report.content import session_document
from inspection.report.data_files import audit_json, gate_json, models_json, result_json
from inspection.report.html import html_file
from inspection.report.model import (
    Progress,
    read_report,
    read_results,
    selected,
)
from inspection.report.pdf import pdf_file
from inspection.report.tables import (
    AUDIT_COLUMNS,
    BATTERY_COLUMNS,
    GATE_COLUMNS,
    MODEL_COLUMNS,
    SUMMARY_COLUMNS,
    columns_csv,
)
from inspection.report.words import Words
from inspection.session.store import open_to_read

Format = Literal["pdf", "html", "csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
_LAID_OUT = frozenset({"pdf", "html"})


def write_report(
    session_folder: Path,
    formats: Sequence[Format],
    out: Path,
    language: Language,
    battery_ids: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the report of a session; the session itself is only read.

    Parameters
    ----------
    session_folder : holds ``session.json``
    formats : any of ``pdf`` (``report.pdf``), ``html`` (``report.html``), ``csv``
        (``summary.csv``, ``batteries.csv``, ``models.csv``) and ``json`` (``result.json``,
        ``models.json``). Where the VLM or the VLG took part, ``csv`` has ``comparison.csv`` and
        ``comparison_figures.csv`` too, and ``json`` has ``comparison.json``
    out : folder of the files, made where it is missing; files of the same name are replaced
    language : of every word in the report, whatever the station's language was
    battery_ids : only these batteries; None takes all
    progress : called with (steps done, steps in all)

    Returns
    -------
    list of Path
        The files written, in the order of ``formats``.

    Raises
    ------
    ReportError
        If the format or a battery is unknown, there is no session, or ``out`` is not writable.
    SessionError
        If the session cannot be read.
    """
    for name in formats:
        if name not in FORMATS:
            known = ", ".join(FORMATS)
            raise ReportError("report_format_unknown", format=name, known=known)
    store = open_to_read(session_folder)
    batteries = len(selected(store.record, battery_ids))
    make_folder(out)
    wanted = list(dict.fromkeys(formats))
    laid_out = bool(_LAID_OUT & set(wanted))
    # Batteries are read and, for a page, composed; then every format is written.
    total, steps = batteries * (2 if laid_out else 1) + len(wanted), count(1)

    def step() -> None:
        done = next(steps)
        if progress is not None:
            progress(done, total)

    report = read_report(store, battery_ids, step)
    words = Words.of(language)
    document = session_document(report, words, step) if laid_out else None
    compared = [report.comparison] if report.comparison is not None else []

    def contents(name: Format) -> Iterator[tuple[str, bytes]]:
        # One file at a time, so that one is in memory.
        if name == "csv":
            yield "summary.csv", columns_csv(SUMMARY_COLUMNS, [report], words)
            yield "batteries.csv", columns_csv(BATTERY_COLUMNS, report.entries, words)
            yield "audit.csv", columns_csv(AUDIT_COLUMNS, report.audit, words)
            yield "models.csv", columns_csv(MODEL_COLUMNS, report.session.models, words)
            yield "gate.csv", columns_csv(GATE_COLUMNS, report.gate, words)
            if compared:
                yield "comparison.csv", comparison_csv(compared)
                yield "comparison_figures.csv", figures_csv(compared)
        elif name == "json":
            yield "result.json", result_json(store.record, read_results(store, battery_ids))
            yield "audit.json", audit_json(report, words)
            yield "models.json", models_json(report.session, words)
            yield "gate.json", gate_json(report)
            if compared:
                yield "comparison.json", comparison_json(compared, None, language)
        elif document is not None:
            yield f"report.{name}", (pdf_file if name == "pdf" else html_file)(document)

    written = []
    for name in wanted:
        for file_name, content in contents(name):
            written.append(write_file(out / file_name, content))
        step()
    return written


def make_folder(out: Path) -> None:
    """Make the folder of a report.

    Raises
    ------
    ReportError
        If it cannot be made.
    """
    with _written_to(out):
        out.mkdir(parents=True, exist_ok=True)


def write_file(path: Path, content: bytes) -> Path:
    """Write one file of a report and return its path.

    Raises
    ------
    ReportError
        If it cannot be written.
    """
    with _written_to(path.parent):
        write_atomic(path, content)
    return path


@contextmanager
def _written_to(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise ReportError("report_unwritable", folder=str(folder), problem=problem) from error

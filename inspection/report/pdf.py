"""The report as a PDF: A4, the bundled Korean font embedded."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from typing import Any

from reportlab.lib.colors import HexColor, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    KeepTogether,
    PageBreak,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
)

from inspection.report.pdf_comparison import comparison_flowables
from inspection.report.pdf_sections import (
    GRID,
    WIDTH,
    Flowable,
    field_table,
    section_flowables,
)
from inspection.report.pdf_text import (
    BODY,
    BULLET,
    CELL,
    CELL_RIGHT,
    FIGURE,
    FINE,
    HEADER_CELL,
    HEADER_RIGHT,
    HEADING,
    KICKER,
    LINE,
    REGULAR,
    RIGHT,
    SMALL,
    SOFT,
    STRONG,
    SUBHEADING,
    TITLE,
    TONES,
    label_markup,
    load_fonts,
    markup,
    paragraph,
    printable,
)
from inspection.report.view import BatteryRow, Figure, ModelRow, ReportView
from inspection.report.words import Words

MARGIN = 16 * mm
_FRAME_PADDING = 6
"""Points that reportlab's own frame adds inside the margins."""
_TOTAL_PAGES = "total-pages"


def pdf_report(view: ReportView, words: Words) -> bytes:
    """Return the report as a PDF."""
    load_fonts()
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=MARGIN - _FRAME_PADDING,
        rightMargin=MARGIN - _FRAME_PADDING,
        topMargin=15 * mm,
        bottomMargin=19 * mm,
        title=f"{words('title')} – {view.lot_name}",
        author=view.footer,
        subject=view.run_id,
        lang=view.language,
    )
    story = [
        *_cover(view, words),
        *_table_of_all(view, words),
        *_sections(view, words),
        *comparison_flowables(view.comparison, words),
    ]
    footer = partial(_footer, view=view, words=words)
    document.build(story, onFirstPage=footer, onLaterPages=footer, canvasmaker=_CountingCanvas)
    return buffer.getvalue()


class _CountingCanvas(Canvas):  # type: ignore[misc]
    """Fills in the number of pages, which is known only at the end."""

    def save(self) -> None:
        """Define the form that every footer refers to, then write the file."""
        total = self.getPageNumber() - 1
        self.beginForm(_TOTAL_PAGES)
        self.setFont(REGULAR, 7.2)
        self.setFillColor(SOFT)
        self.drawString(0, 0, str(total))
        self.endForm()
        super().save()


def _footer(canvas: Canvas, document: Any, *, view: ReportView, words: Words) -> None:
    canvas.saveState()
    bottom = 10 * mm
    canvas.setStrokeColor(LINE)
    canvas.setLineWidth(0.5)
    canvas.line(MARGIN, bottom + 11, A4[0] - MARGIN, bottom + 11)
    canvas.setFont(REGULAR, 7.2)
    canvas.setFillColor(SOFT)
    left = printable(f"{view.lot_name} · {view.run_id} · {view.footer}")
    canvas.drawString(MARGIN, bottom, _shortened(left, canvas, 140 * mm))
    total_at = A4[0] - MARGIN - 12
    canvas.drawRightString(total_at, bottom, words("page", page=canvas.getPageNumber()))
    canvas.translate(total_at, bottom)
    canvas.doForm(_TOTAL_PAGES)
    canvas.restoreState()


def _shortened(text: str, canvas: Canvas, width: float) -> str:
    """Return a one-line text cut to ``width`` points."""
    text = text.replace("\n", " ")
    if canvas.stringWidth(text, REGULAR, 7.2) <= width:
        return text
    while canvas.stringWidth(text + "…", REGULAR, 7.2) > width:
        text = text[:-1]
    return text + "…"


# -- cover ---------------------------------------------------------------------------------------


def _cover(view: ReportView, words: Words) -> list[Flowable]:
    run = f"{markup(words('run'))} {markup(view.run_id)}&nbsp;&nbsp; {label_markup(view.status)}"
    return [
        paragraph(words("title"), KICKER),
        paragraph(view.lot_name, TITLE),
        Paragraph(run, BODY),
        Spacer(0, 8),
        *(_warning(text) for text in view.warnings),
        _figures(view.figures),
        *_open_items(view, words),
        Spacer(0, 10),
        *_counts_and_details(view, words),
        *_models(view, words),
        *_findings(view, words),
    ]


def _warning(text: str) -> Flowable:
    ink, ground = TONES["warning"]
    return Table(
        [[Paragraph(markup(text, bold=True), STRONG.clone("warning", textColor=HexColor(ink)))]],
        colWidths=[WIDTH],
        style=[
            ("BACKGROUND", (0, 0), (-1, -1), HexColor(ground)),
            ("LINEBEFORE", (0, 0), (0, -1), 3, HexColor(ink)),
            ("LEFTPADDING", (0, 0), (-1, -1), 9),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
        ],
        spaceAfter=5,
        splitInRow=1,
    )


def _figures(figures: Sequence[Figure]) -> Flowable:
    """Return the headline numbers as coloured tiles."""
    cells = []
    style: list[tuple[Any, ...]] = [
        ("LEFTPADDING", (0, 0), (-1, -1), 8),
        ("TOPPADDING", (0, 0), (-1, -1), 3),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
        ("INNERGRID", (0, 0), (-1, -1), 5, white),
    ]
    for column, figure in enumerate(figures):
        ink, ground = TONES[figure.tone]
        style.append(("BACKGROUND", (column, 0), (column, 0), HexColor(ground)))
        number = Paragraph(f'<font color="{ink}">{markup(figure.value)}</font>', FIGURE)
        name = Paragraph(f'<font color="{ink}">{markup(figure.label)}</font>', SMALL)
        cells.append([number, name])
    widths = [WIDTH / len(cells)] * len(cells)
    return Table([cells], colWidths=widths, style=style, spaceBefore=4, spaceAfter=2)


def _open_items(view: ReportView, words: Words) -> list[Flowable]:
    heading = paragraph(words("open_items"), HEADING)
    if not view.open_items:
        return [heading, paragraph(words("open_none"))]
    rows = [
        [
            Paragraph(label_markup(item.label), BODY),
            paragraph(str(item.count), RIGHT),
            paragraph(item.batteries, SMALL),
        ]
        for item in view.open_items
    ]
    widths = [WIDTH * 0.3, WIDTH * 0.07, WIDTH * 0.63]
    return [heading, Table(rows, colWidths=widths, style=_PLAIN, splitInRow=1)]


_PLAIN = [
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
    ("LEFTPADDING", (0, 0), (-1, -1), 2),
    ("RIGHTPADDING", (0, 0), (-1, -1), 4),
    ("TOPPADDING", (0, 0), (-1, -1), 2),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
]


def _counts_and_details(view: ReportView, words: Words) -> list[Flowable]:
    gap = 6 * mm
    left, right = WIDTH * 0.46, WIDTH * 0.54 - gap
    header = [
        paragraph(words("verdict_column"), HEADER_CELL),
        paragraph(words("station_count"), HEADER_RIGHT),
        paragraph(words("final_count"), HEADER_RIGHT),
    ]
    rows = [
        [
            Paragraph(label_markup(row.label), BODY),
            paragraph(str(row.station), RIGHT),
            paragraph(str(row.final), RIGHT),
        ]
        for row in view.counts
    ]
    counts = Table([header, *rows], colWidths=[left * 0.44, left * 0.26, left * 0.3], style=GRID)
    summary = [
        paragraph(words("verdicts"), HEADING),
        counts,
        paragraph(words("count_note"), SMALL),
        paragraph(words("decisions"), SUBHEADING),
        field_table(view.decisions, left),
    ]
    session = [
        paragraph(words("session_details"), HEADING),
        field_table(view.details, right, label_share=0.3),
    ]
    style = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 0),
    ]
    columns = Table([[summary, "", session]], colWidths=[left, gap, right], style=style)
    columns.splitInRow = 1
    return [columns]


def _models(view: ReportView, words: Words) -> list[Flowable]:
    flowables: list[Flowable] = [paragraph(words("models"), HEADING)]
    if view.models:
        names = ("slot", "name", "thresholds", "trained", "sha256")
        header = [paragraph(words(f"model_{name}"), HEADER_CELL) for name in names]
        rows = [_model_row(model, words) for model in view.models]
        widths = [WIDTH * share for share in (0.1, 0.2, 0.24, 0.16, 0.3)]
        flowables.append(Table([header, *rows], colWidths=widths, style=GRID, repeatRows=1))
    else:
        flowables.append(paragraph(words("models_none")))
    if view.policy:
        policy = field_table(view.policy, WIDTH, label_share=0.28)
        flowables.append(KeepTogether([paragraph(words("policy"), SUBHEADING), policy]))
    return flowables


def _model_row(model: ModelRow, words: Words) -> list[Flowable]:
    name = [paragraph(model.name)]
    if model.demo:
        ink, _ = TONES["warning"]
        mark = f'<font color="{ink}">{markup(words("model_demo"), bold=True)}</font>'
        name.append(Paragraph(mark, STRONG.clone("demo", fontSize=7.2, leading=10)))
    if model.note:
        name.append(paragraph(model.note, SMALL))
    return [
        paragraph(model.slot),
        name,
        paragraph(model.thresholds, SMALL),
        paragraph(model.trained_at, SMALL),
        paragraph(model.sha256, SMALL),
    ]


def _findings(view: ReportView, words: Words) -> list[Flowable]:
    if not view.findings:
        return []
    lines = [Paragraph(markup(line), BULLET, bulletText="•") for line in view.findings]
    return [paragraph(words("findings"), HEADING), *lines]


# -- batteries -----------------------------------------------------------------------------------


def _table_of_all(view: ReportView, words: Words) -> list[Flowable]:
    left = ("battery", "bodies", "station_verdict", "defect_type")
    right = ("fused_short", "cnn_short", "ae_short")
    header = [
        paragraph("#", HEADER_RIGHT),
        *(paragraph(words(key), HEADER_CELL) for key in left),
        *(paragraph(words(key), HEADER_RIGHT) for key in right),
        *(paragraph(words(key), HEADER_CELL) for key in ("decision", "final")),
    ]
    shares = (0.035, 0.08, 0.175, 0.155, 0.11, 0.06, 0.06, 0.06, 0.11, 0.155)
    table = Table(
        [header, *(_battery_row(row) for row in view.rows)],
        colWidths=[WIDTH * share for share in shares],
        style=GRID,
        repeatRows=1,
        splitInRow=1,
    )
    return [PageBreak(), paragraph(words("all_batteries"), HEADING), table]


def _battery_row(row: BatteryRow) -> list[Flowable]:
    name = markup(row.battery_id, bold=True)
    if row.anchor:
        name = f'<a href="#{row.anchor}" color="#234f9d">{name}</a>'
    return [
        paragraph(str(row.number), CELL_RIGHT),
        Paragraph(name, STRONG),
        paragraph(row.ids, FINE),
        Paragraph(label_markup(row.station), CELL),
        paragraph(row.defect_type, CELL),
        *(paragraph(score, CELL_RIGHT) for score in (row.fused, row.cnn, row.ae)),
        paragraph(row.decision, CELL),
        Paragraph(label_markup(row.final), CELL),
    ]


def _sections(view: ReportView, words: Words) -> list[Flowable]:
    flowables: list[Flowable] = [PageBreak(), paragraph(words("sections"), HEADING)]
    if not view.sections:
        return [*flowables, paragraph(words("sections_none"))]
    for section in view.sections:
        flowables += section_flowables(section, words)
    return flowables

"""A report's blocks as a PDF: A4, the bundled Korean font embedded."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import SimpleDocTemplate

from inspection.messages import Message
from inspection.report import blocks, pdf_text
from inspection.report.pdf_blocks import WIDTH, laid_out
from inspection.report.pdf_text import load_fonts, paragraph, printable

MARGIN = 16 * mm
_FRAME_PADDING = 6
"""Points that reportlab's own frame adds inside the margins."""
_TOTAL_PAGES = "total-pages"


def pdf_file(document: blocks.ReportPage) -> bytes:
    """Return the report as a PDF."""
    # Before the first paragraph: reportlab measures text as soon as a paragraph is made.
    load_fonts()
    buffer = io.BytesIO()
    template = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=MARGIN - _FRAME_PADDING,
        rightMargin=MARGIN - _FRAME_PADDING,
        topMargin=15 * mm,
        bottomMargin=19 * mm,
        title=f"{document.kicker} – {document.title}",
        author=document.footer,
        subject=document.subject,
        lang=document.language,
    )
    story = [paragraph(document.kicker, pdf_text.KICKER), paragraph(document.title, pdf_text.TITLE)]
    story += laid_out(document.blocks, WIDTH)
    footer = partial(_draw_footer, document=document)
    template.build(story, onFirstPage=footer, onLaterPages=footer, canvasmaker=_CountingCanvas)
    return buffer.getvalue()


class _CountingCanvas(Canvas):  # type: ignore[misc]
    """Fills in the number of pages, which is known only at the end."""

    def save(self) -> None:
        """Define the form that every footer refers to, then write the file."""
        total = self.getPageNumber() - 1
        self.beginForm(_TOTAL_PAGES)
        self.setFont(pdf_text.REGULAR, 7.2)
        self.setFillColor(pdf_text.SOFT)
        self.drawString(0, 0, str(total))
        self.endForm()
        super().save()


def _draw_footer(canvas: Canvas, template: Any, *, document: blocks.ReportPage) -> None:
    canvas.saveState()
    bottom = 10 * mm
    canvas.setStrokeColor(pdf_text.LINE)
    canvas.setLineWidth(0.5)
    canvas.line(MARGIN, bottom + 11, A4[0] - MARGIN, bottom + 11)
    canvas.setFont(pdf_text.REGULAR, 7.2)
    canvas.setFillColor(pdf_text.SOFT)
    left = printable(f"{document.title} · {document.subject} · {document.footer}")
    line = left = left.replace("\n", " ")
    while canvas.stringWidth(line, pdf_text.REGULAR, 7.2) > 140 * mm:
        left = left[:-1]
        line = left + "…"
    canvas.drawString(MARGIN, bottom, line)
    total_at = A4[0] - MARGIN - 12
    page = Message(code="report_page", params={"page": canvas.getPageNumber()})
    canvas.drawRightString(total_at, bottom, page.text(document.language))
    canvas.translate(total_at, bottom)
    canvas.doForm(_TOTAL_PAGES)
    canvas.restoreState()

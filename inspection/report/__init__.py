"""Session to PDF, HTML, CSV and JSON."""

from inspection.report.write import FORMATS, Format, write_report

__all__ = ["FORMATS", "Format", "write_report"]

"""Session to PDF, HTML, CSV and JSON."""

"""The evaluation as pictures, one HTML file and JSON."""

"""Batteries and systems become results: once, for the command line and for the window."""

"""The station: command line and window. Qt only in the window's modules; no model code."""

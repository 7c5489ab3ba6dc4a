"""Training a VLM on labelled lots."""

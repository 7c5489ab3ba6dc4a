"""Training a VLG on labelled lots."""

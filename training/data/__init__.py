"""Labelled lots: reading, splitting, checking, caching, transforming."""

"""A file becomes upright pixels and model input; a heat-map becomes boxes and evidence."""

from inspection.images.decoding import load_frame, load_stored

__all__ = ["load_frame", "load_stored"]

"""A file becomes upright pixels and model input; a heat-map becomes boxes and evidence."""

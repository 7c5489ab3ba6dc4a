"""The gate of a model: what it has seen, and how far from that a picture may be."""

"""The grounding model: boxes for phrases."""

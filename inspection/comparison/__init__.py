"""Three systems on the same images, and two sessions of one lot, in figures."""

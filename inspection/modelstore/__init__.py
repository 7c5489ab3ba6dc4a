"""Which models are installed, where they come from, and whether they are whole."""

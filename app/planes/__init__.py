"""What the three planes of a volume show, without Qt."""

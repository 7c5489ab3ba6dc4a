"""The lot on screen: what is shown of it, the run over it, and its session on the disk."""

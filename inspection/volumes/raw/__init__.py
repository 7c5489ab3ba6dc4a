"""Voxels that lie one behind the other in a file, which a header describes."""

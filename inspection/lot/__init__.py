"""A folder on the disk becomes a lot of paired batteries; what is left out has a reason."""

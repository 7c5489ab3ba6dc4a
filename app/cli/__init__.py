"""The commands of ``station``, one file each; none but ``window`` imports Qt."""

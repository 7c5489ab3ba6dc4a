"""The docks of the window, one file each."""

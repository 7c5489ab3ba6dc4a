"""The commands of ``trainer``, a file each; every one imports what it needs when it runs."""

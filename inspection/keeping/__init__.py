"""What is kept, where and for how long: room on the disk, retention, backups, sealed zips."""

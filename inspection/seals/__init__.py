"""What makes a change noticed: the keys, chains of signed lines, the log of the station."""

"""Who is at the station, and their word on the batteries."""

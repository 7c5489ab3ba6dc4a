"""Who works at the station, and what each may do."""

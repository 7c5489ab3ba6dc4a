"""What `benchmarks/faults.py` does to the station, a part a kind of fault."""

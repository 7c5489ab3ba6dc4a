"""Training and evaluation. Imports the station's models and preprocess; never imported by it."""

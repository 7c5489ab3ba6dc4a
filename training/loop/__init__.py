"""One training loop: epochs, checkpoints, processes, precision, logs."""

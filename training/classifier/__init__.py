"""Training the classifier of CT slices."""

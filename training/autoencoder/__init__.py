"""Training the autoencoder of views and slices."""

"""The classifier of CT slices and the autoencoder of views, fused into one verdict."""

"""Model definitions and predictors."""

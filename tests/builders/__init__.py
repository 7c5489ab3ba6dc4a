"""What tests are made of: small models, lots, sessions and lanes whose right answers are known."""

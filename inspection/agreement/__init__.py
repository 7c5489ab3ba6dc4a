"""What the three systems say of one battery, in one form. Pure."""

"""Models: the versions there are, which one serves, promotion and roll-back."""

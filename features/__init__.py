"""Feast definitions and the only door to the feature store."""

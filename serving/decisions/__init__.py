"""Decisions: how the stored record is made, rendered, read and found again."""

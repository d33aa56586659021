"""Outcomes: what the customer answered, recorded once."""

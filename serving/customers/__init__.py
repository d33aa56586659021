"""Customers: the single customer view and the consents ledger."""

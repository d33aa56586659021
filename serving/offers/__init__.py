"""Offers: the catalogue over HTTP, checked before it is saved."""

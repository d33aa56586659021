"""Texts of a campaign's result page and of charts."""

RESULTS: dict[str, tuple[str, str]] = {}

"""Texts of the list of campaigns and of the wizard."""

CAMPAIGNS: dict[str, tuple[str, str]] = {}

"""Texts of signing in."""

SIGN_IN: dict[str, tuple[str, str]] = {}

"""Fixtures every test may use: real databases and a real Redis."""

pytest_plugins = ["tests.databases", "tests.journeys.service"]

"""Fixtures every test may use: real databases and a real Redis."""

import pytest

pytest_plugins = ["tests.databases", "tests.journeys.service"]


def pytest_configure(config: pytest.Config) -> None:
    """Import the heavy libraries before the threads of many short-lived services do, where tests run side by side.

    A service that is closed while it imports them leaves the next one a library that is half there.
    """
    if hasattr(config, "workerinput"):
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import lightgbm  # noqa: F401
            import mlflow.genai  # noqa: F401

            from features.feast_store import import_feast

            import_feast()

"""One thread at a time imports Feast, MLflow or LightGBM: they share libraries, which a second one could see half."""

import threading

ONE_AT_A_TIME = threading.Lock()
"""Held by a thread of the service as long as it may import one of them for the first time."""

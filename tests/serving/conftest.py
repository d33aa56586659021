"""A running application over a real SQLite event log and a real Redis, for the tests of the HTTP API."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.embedded_redis import embedded_redis
from serving.settings import Settings

OFFERS: list[dict[str, Any]] = [
    {"offer_id": "card", "title_en": "Card", "title_zh": "信用卡", "family": "card", "talk_track_zh": "您好"},
    {"offer_id": "loan", "title_en": "Loan", "title_zh": "贷款", "family": "loan", "disclosure": "APR 9 %"},
    {"offer_id": "fund", "title_en": "Fund", "title_zh": "基金", "family": "fund"},
    {"offer_id": "travel", "title_en": "Travel cover", "title_zh": "旅行险", "family": "travel"},
    {
        "offer_id": "fix",
        "title_en": "Card controls",
        "title_zh": "卡片管理",
        "kind": "service",
        "intents": ["card_declined"],
    },
]


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a redis-server of these tests' own."""
    with embedded_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def empty_api(tmp_path: Path, redis_url: str) -> Iterator[TestClient]:
    """A client of a service that knows nothing yet."""
    settings = Settings(home=tmp_path / "home", redis_url=redis_url)
    with TestClient(create_app(settings), headers={"accept-language": "en"}) as client:
        yield client


@pytest.fixture
def api(empty_api: TestClient) -> TestClient:
    """A client of a service with a small catalogue."""
    assert empty_api.post("/v1/offers", json={"offers": OFFERS}).status_code == 201
    assert empty_api.post("/v1/policy", json={"exploration_share": 0}).status_code == 201
    return empty_api

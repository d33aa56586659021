"""Answers that are put together as plain values: written as JSON at once, without a model in between."""

from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Response


def json_response(body: Any, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return `body`, whose shape the route declares as its `response_model`, as a JSON answer."""
    return Response(orjson.dumps(body), status.value, media_type="application/json")

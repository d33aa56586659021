"""The one table from errors to HTTP answers, all of them RFC 9457 problem documents."""

import re
from collections.abc import Mapping
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from recsys.domain import errors

STATUS_BY_ERROR: dict[type[errors.NboError], HTTPStatus] = {
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.IdempotencyKeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Refused: HTTPStatus.FORBIDDEN,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NotSignedIn: HTTPStatus.UNAUTHORIZED,
    errors.NboError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""An error is answered as its nearest ancestor in this table."""


def status_of(error: type[errors.NboError]) -> HTTPStatus:
    """Return the HTTP status that answers this type of error."""
    return next(STATUS_BY_ERROR[ancestor] for ancestor in error.__mro__ if ancestor in STATUS_BY_ERROR)


def problem(
    status: HTTPStatus, name: str, detail: str, more: Mapping[str, object] | None = None, retry_after: int | None = None
) -> Response:
    """Return a problem document; `name` becomes the `type` "urn:nbo:problem:<name>"."""
    body = {"type": f"urn:nbo:problem:{name}", "title": status.phrase, "status": status.value, "detail": detail}
    headers = {"Retry-After": str(retry_after)} if retry_after is not None else None
    content = orjson.dumps({**body, **(more or {})})
    return Response(content, status.value, headers, "application/problem+json")


def problem_of(error: errors.NboError) -> Response:
    """Return the problem document of one of our own errors, with its facts that are no user input."""
    status = status_of(type(error))
    more: dict[str, object] = {}
    if isinstance(error, errors.RuleError):
        more = {"line": error.line, "column": error.column}
    elif isinstance(error, errors.CatalogueInvalid):
        more = {"problems": [offer_problem(one) for one in error.problems]}
    elif isinstance(error, errors.CampaignInvalid):
        more = {"problems": [{"field": field, "reason": reason} for field, reason in error.problems]}
    elif isinstance(error, errors.OfferNotAllowed):
        more = {"code": error.code}
    elif isinstance(error, errors.CustomerNotFound) and error.known:
        more = {"known": list(error.known)}
    elif isinstance(error, errors.AlreadyAnswered):
        more = {"first": error.first}
    retry_after = error.retry_after_seconds if isinstance(error, errors.Unavailable) else None
    response = problem(status, _name(type(error)), str(error), more, retry_after)
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Basic realm="nbo", charset="UTF-8"'
    return response


def install(app: FastAPI) -> None:
    """Register the handlers that turn every error into a problem document."""
    app.add_exception_handler(errors.NboError, _on_own_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_defect)


async def _on_own_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, errors.NboError)
    return problem_of(error)


async def _on_invalid_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [
        {
            "field": ".".join(str(part) for part in one["loc"] if isinstance(part, int) or _is_plain(part)),
            "reason": one["msg"] if one["type"] != "extra_forbidden" else "This field is not known.",
        }
        for one in error.errors()[:20]
    ]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "Some fields cannot be used.", {"errors": found})


async def _on_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    response = problem(status, status.phrase.lower().replace(" ", "-"), _HTTP_DETAILS.get(status, status.description))
    response.headers.update(error.headers or {})
    return response


async def _on_defect(_: Request, __: Exception) -> Response:
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "defect", "Something failed that should not; it is in the service's log."
    )


_HTTP_DETAILS = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method.",
}


def offer_problem(one: errors.OfferInvalid) -> dict[str, object]:
    """Return the facts of one offer that cannot be saved."""
    return {"offer_id": one.offer_id, "field": one.field, "reason": one.reason, "line": one.line, "column": one.column}


def _is_plain(part: object) -> bool:
    return isinstance(part, str) and re.fullmatch(r"[a-z_]{1,40}", part) is not None


def _name(error: type[errors.NboError]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", error.__name__).lower()

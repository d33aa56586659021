"""What every console page needs to be safe: writes only from our own pages, and errors said as a page."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from recsys.domain.errors import NboError, Refused
from serving.consoles.page import answer
from serving.consoles.wording import speaker
from serving.dependencies import language_of
from serving.errors import status_of

REFUSED_WORDS = ("embed_refused", "embed_refused_more")


def same_origin(request: Request) -> None:
    """Refuse a write that a browser sent from another site's page (403)."""
    if request.method in ("GET", "HEAD"):
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_foreign_site = site is not None and site not in ("same-origin", "none")
    is_foreign_origin = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if is_foreign_site or is_foreign_origin:
        raise HTTPException(HTTPStatus.FORBIDDEN)


class PageRoute(APIRoute):
    """A route whose errors are pages in the reader's language, not problem documents."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_as_page(request: Request) -> Response:
            try:
                return await handle(request)
            except NboError as error:
                words = REFUSED_WORDS if isinstance(error, Refused) else None
                return problem_page(request, status_of(type(error)), words)
            except RequestValidationError:
                return problem_page(request, HTTPStatus.UNPROCESSABLE_ENTITY)
            except HTTPException as error:
                return problem_page(request, HTTPStatus(error.status_code))

        return handle_as_page


def problem_page(request: Request, status: HTTPStatus, words: tuple[str, str] | None = None) -> Response:
    """Return the page that says what went wrong and what to do next."""
    say = speaker(language_of(request))
    heading, detail = words or {
        HTTPStatus.NOT_FOUND: ("not_found", "not_found_more"),
        HTTPStatus.SERVICE_UNAVAILABLE: ("unavailable", "unavailable_more"),
        HTTPStatus.FORBIDDEN: ("problem", "refused_origin"),
    }.get(status, ("problem", "unavailable_more"))
    return answer(request, "problem.html", {"heading": say(heading), "detail": say(detail)}, status)

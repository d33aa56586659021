"""What every console page needs to be safe: writes only from our own pages, and errors said as a page."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from recsys.domain.errors import EmbedTokenRefused, NboError, NotPermitted, NotSignedIn
from serving.consoles.page import answer
from serving.consoles.wording import speaker
from serving.dependencies import language_of
from serving.errors import status_of


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
            except NotSignedIn:
                return sign_in_first(request)
            except EmbedTokenRefused:
                return problem_page(request, HTTPStatus.FORBIDDEN, ("embed_refused", "embed_refused_more"))
            except NotPermitted:
                return problem_page(request, HTTPStatus.FORBIDDEN, ("not_permitted", "not_permitted_more"))
            except NboError as error:
                return problem_page(request, status_of(type(error)))
            except RequestValidationError:
                return problem_page(request, HTTPStatus.UNPROCESSABLE_ENTITY)
            except HTTPException as error:
                return problem_page(request, HTTPStatus(error.status_code))

        return handle_as_page


def sign_in_first(request: Request) -> Response:
    """Send a browser to the sign-in page, from which it comes back here; a fragment's page as a whole."""
    here = quote(request.scope["raw_path"])
    address = f"/sign-in?next={here}"
    if "hx-request" in request.headers:
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": "/sign-in"})
    return RedirectResponse(address if request.method == "GET" else "/sign-in", HTTPStatus.SEE_OTHER)


def problem_page(request: Request, status: HTTPStatus, texts: tuple[str, str] | None = None) -> Response:
    """Return the page that says what went wrong and what to do next: in `texts`, else by the status."""
    say = speaker(language_of(request))
    heading, detail = texts or {
        HTTPStatus.NOT_FOUND: ("not_found", "not_found_more"),
        HTTPStatus.SERVICE_UNAVAILABLE: ("unavailable", "unavailable_more"),
        HTTPStatus.FORBIDDEN: ("problem", "refused_origin"),
    }.get(status, ("problem", "unavailable_more"))
    return answer(request, "problem.html", {"heading": say(heading), "detail": say(detail)}, status)

"""/sign-in and /sign-out: who works here, and the console each role begins with."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from recsys.domain.errors import NotSignedIn
from serving.access import DEMO_PEOPLE, SESSION_COOKIE, SESSION_SECONDS
from serving.consoles.page import answer, consoles_of
from serving.consoles.safety import PageRoute, same_origin
from serving.dependencies import ServicesOf, person

router = APIRouter(route_class=PageRoute, dependencies=[Depends(same_origin)])


@router.get("/")
async def start(request: Request) -> Response:
    """Go to the first console of whoever is signed in."""
    return RedirectResponse("/" + next(iter(consoles_of(await person(request))), "docs"))


@router.get("/sign-in")
def show_sign_in(request: Request, next: str = "/") -> Response:
    """Ask who works here; in the demo everybody can be chosen."""
    return _sign_in_page(request, next)


@router.post("/sign-in")
def sign_in(
    request: Request,
    services: ServicesOf,
    name: Annotated[str, Form(max_length=100)],
    password: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form(max_length=4000)] = "/",
) -> Response:
    """Begin a session and go where the person wanted to."""
    try:
        asking = services.access.sign_in(name, password)
    except NotSignedIn:
        return _sign_in_page(request, next, name, HTTPStatus.UNAUTHORIZED)
    response = RedirectResponse(_here(next), HTTPStatus.SEE_OTHER)
    session, is_https = services.access.session_of(asking), request.url.scheme == "https"
    response.set_cookie(
        SESSION_COOKIE, session, max_age=SESSION_SECONDS, httponly=True, samesite="lax", secure=is_https
    )
    return response


@router.post("/sign-out")
def sign_out(next: Annotated[str, Form(max_length=4000)] = "/sign-in") -> Response:
    """End the session; in the demo one is everyone again."""
    response = RedirectResponse(_here(next), HTTPStatus.SEE_OTHER)
    response.delete_cookie(SESSION_COOKIE)
    return response


def _sign_in_page(
    request: Request, wanted: str, refused: str | None = None, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    found = request.app.state.services.access.person(request.cookies.get(SESSION_COOKIE), None)
    values = {"next": _here(wanted), "people": DEMO_PEOPLE, "refused": refused, "person": found}
    return answer(request, "sign_in.html", values, status)


def _here(address: str) -> str:
    """Return an address if it is one of ours, else the start page: nobody is sent elsewhere by a link."""
    is_ours = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if is_ours else "/"

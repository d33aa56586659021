"""The consoles' addresses: the three pages, the start page and the static files."""

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

from serving.consoles import (
    agent_routes,
    catalogue_routes,
    science_controls,
    science_decisions,
    science_monitoring,
    science_routes,
    sign_in_routes,
)

router = APIRouter(include_in_schema=False)
router.include_router(agent_routes.router)
router.include_router(catalogue_routes.router)
router.include_router(science_routes.router)
router.include_router(science_monitoring.router)
router.include_router(science_decisions.router)
router.include_router(science_controls.router)
router.include_router(sign_in_routes.router)


@router.get("/marketing")
def marketing() -> RedirectResponse:
    """Go to the catalogue."""
    return RedirectResponse("/marketing/catalogue")


@router.get("/docs")
def api_reference() -> HTMLResponse:
    """Show the HTTP API's reference, from files of our own server."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Next best offer – HTTP API",
        swagger_js_url="/static/vendor/swagger-ui-bundle.js",
        swagger_css_url="/static/vendor/swagger-ui.css",
        swagger_favicon_url="/static/icon.svg",
    )


def mount_static(app: FastAPI) -> None:
    """Serve our own files and the vendored ones (see `serving.consoles.vendor`) below /static."""
    folder = Path(__file__).parent / "static"
    (folder / "vendor").mkdir(exist_ok=True)
    app.mount("/static", StaticFiles(directory=folder), name="static")

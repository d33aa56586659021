"""The consoles' addresses: the three pages, the start page and the static files."""

import os
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware

from serving.consoles import (
    agent_routes,
    campaign_routes,
    catalogue_routes,
    embed_routes,
    levers_routes,
    result_routes,
    rule_routes,
    science_controls,
    science_decisions,
    science_monitoring,
    science_routes,
    sign_in_routes,
    vocabulary_routes,
    wizard_routes,
)
from serving.consoles.page import STATIC

router = APIRouter(include_in_schema=False)
router.include_router(agent_routes.router)
router.include_router(embed_routes.router)
router.include_router(wizard_routes.router)
router.include_router(campaign_routes.router)
router.include_router(levers_routes.router)  # before the catalogue's, which takes every address below its own
router.include_router(catalogue_routes.router)
router.include_router(result_routes.router)
router.include_router(rule_routes.router)
router.include_router(vocabulary_routes.router)
router.include_router(science_routes.router)
router.include_router(science_monitoring.router)
router.include_router(science_decisions.router)
router.include_router(science_controls.router)
router.include_router(sign_in_routes.router)


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


class KeptFiles(StaticFiles):
    """Files that browsers keep for good where the address has the content's digest, else ask for again."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Any, status_code: int = 200
    ) -> Response:
        """Return the file, or 304."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        is_versioned = scope["query_string"].startswith(b"v=")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_versioned else "no-cache"
        return response


def mount_static(app: FastAPI) -> None:
    """Serve our own files and the vendored ones (see `serving.consoles.vendor`) below /static, compressed."""
    (STATIC / "vendor").mkdir(exist_ok=True)
    app.mount("/static", GZipMiddleware(KeptFiles(directory=STATIC), compresslevel=6), name="static")

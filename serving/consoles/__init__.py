"""The pages people work in: agents, marketers and scientists, in English and Chinese."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI


def mount(app: "FastAPI") -> None:
    """Add the pages and their static files to the application."""
    from serving.consoles.fragments import SharedFragments
    from serving.consoles.routes import mount_static, router

    app.state.shared_fragments = SharedFragments()
    app.include_router(router)
    mount_static(app)

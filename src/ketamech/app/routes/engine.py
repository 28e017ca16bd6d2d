"""Routes of the compiled model and its tables, with which the story simulates in the browser."""

from __future__ import annotations

from fastapi import APIRouter, Response

from ketamech.app.app_state import AppState
from ketamech.app.browser.engine_files import ENGINE_FILES, engine_file
from ketamech.app.responses import NotFound
from ketamech.core import InputError

MEDIA_TYPES = {"json": "application/json", "wasm": "application/wasm", "bin": "application/octet-stream"}


def routes(app_state: AppState) -> APIRouter:
    """One route for each file; 404 where the module is not packaged and cannot be built."""
    router = APIRouter(prefix="/engine", include_in_schema=False)

    def add(name: str) -> None:
        media_type = MEDIA_TYPES[name.rsplit(".", 1)[1]]

        @router.get(f"/{name}")
        async def file() -> Response:
            content = await app_state.compute(lambda: app_state.cache.get(("engine", name), read))
            return Response(content, media_type=media_type, headers={"cache-control": "no-cache"})

        def read() -> bytes:
            try:
                return engine_file(app_state, name)
            except InputError as error:
                raise NotFound(error.what) from None

    for name in ENGINE_FILES:
        add(name)
    return router

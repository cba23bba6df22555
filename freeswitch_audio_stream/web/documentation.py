"""``/docs`` and ``/redoc`` without the internet: pages, scripts and styles all come from the server itself.

The scripts are those that the package fastapi-offline ships. A Content-Security-Policy has the browser refuse whatever
is not the server's own, so a new version of a script that fetches something elsewhere shows in the tests, and leaks
nothing meanwhile. All URLs are relative: a proxy may serve the application under any prefix.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.responses import HTMLResponse, Response

_ASSETS = "docs-assets"
_SWAGGER_SCRIPT, _SWAGGER_STYLE, _REDOC_SCRIPT, _ICON, _LOGO = (
    "swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js", "favicon.png", "logo.svg")
_TYPES = {_SWAGGER_SCRIPT: "text/javascript", _SWAGGER_STYLE: "text/css", _REDOC_SCRIPT: "text/javascript",
          _ICON: "image/png"}
_FOREIGN_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
_EMPTY_IMAGE = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
_POLICY = {"Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' "
                                      "'unsafe-inline'; img-src 'self' data:; worker-src 'self' blob:",
           "X-Content-Type-Options": "nosniff"}
_CACHED = {"Cache-Control": "max-age=86400"}


def add_documentation(app: FastAPI) -> None:
    """Serve ``/docs`` (Swagger UI) and ``/redoc`` (Redoc) of an application that was made without FastAPI's own pages.

    Reads the scripts, 3 MB, into memory, once for the life of the process: to serve them blocks nothing.
    """
    app.state.documentation = _load()
    app.add_route("/docs", _swagger, include_in_schema=False)
    app.add_route("/redoc", _redoc, include_in_schema=False)
    app.add_route(f"/{_ASSETS}/{{name}}", _asset, include_in_schema=False)


@cache  # an application that is made again, as at each load into FreeSWITCH, would leave its copy to the garbage
def _load() -> dict[str, tuple[bytes, str]]:
    spec = find_spec("fastapi_offline")  # found, not imported: its application is not ours
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("No module named 'fastapi_offline'", name="fastapi_offline")
    folder = Path(spec.origin).parent / "static"
    assets = {name: ((folder / name).read_bytes(), kind) for name, kind in _TYPES.items()}
    script, kind = assets[_REDOC_SCRIPT]
    assets[_REDOC_SCRIPT] = script.replace(_FOREIGN_LOGO, f"{_ASSETS}/{_LOGO}".encode()), kind
    assets[_LOGO] = _EMPTY_IMAGE, "image/svg+xml"
    return assets


# Functions of the module, which find the application by the request: Starlette may remember functions for ever.


async def _swagger(request: Request) -> Response:
    # Without a validator: Swagger's would be asked about this server, on the internet.
    page = get_swagger_ui_html(
        openapi_url="openapi.json", title=request.app.title, swagger_js_url=f"{_ASSETS}/{_SWAGGER_SCRIPT}",
        swagger_css_url=f"{_ASSETS}/{_SWAGGER_STYLE}", swagger_favicon_url=f"{_ASSETS}/{_ICON}",
        swagger_ui_parameters={"validatorUrl": None})
    return _page(page)


async def _redoc(request: Request) -> Response:
    page = get_redoc_html(
        openapi_url="openapi.json", title=request.app.title, redoc_js_url=f"{_ASSETS}/{_REDOC_SCRIPT}",
        redoc_favicon_url=f"{_ASSETS}/{_ICON}", with_google_fonts=False)
    return _page(page)


def _page(page: HTMLResponse) -> Response:
    page.headers.update(_POLICY)
    return page


async def _asset(request: Request) -> Response:
    assets: dict[str, tuple[bytes, str]] = request.app.state.documentation
    found: Any = assets.get(request.path_params["name"])
    if found is None:
        return Response(status_code=404)
    content, kind = found
    return Response(content, media_type=kind, headers=_CACHED)

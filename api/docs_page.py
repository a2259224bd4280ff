"""The documentation as a page: Swagger UI from the installed package, and nothing from anywhere else."""

from html import escape

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from swagger_ui_bundle import swagger_ui_path

from api.errors import Refused

router = APIRouter(prefix="/docs", include_in_schema=False)
FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Data Analysis Assistant: REST API</title>
<link rel="stylesheet" href="{root}/docs/swagger-ui.css">
<link rel="icon" href="{root}/docs/favicon-32x32.png">
</head>
<body data-document="{root}/openapi.json">
<div id="swagger-ui"></div>
<script src="{root}/docs/swagger-ui-bundle.js"></script>
<script src="{root}/docs/start.js"></script>
</body>
</html>
"""
# A validator elsewhere would be asked for a badge.
START = """SwaggerUIBundle({
  url: document.body.dataset.document,
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
"""


@router.get("")
def page(request: Request) -> HTMLResponse:
    """The page."""
    root = escape(request.scope.get("root_path", ""))
    return HTMLResponse(PAGE.format(root=root), headers={"Content-Security-Policy": POLICY})


@router.get("/{name}")
def file(name: str) -> Response:
    """One of the page's files."""
    if name == "start.js":
        return Response(START, media_type="text/javascript")
    if name not in FILES:
        raise Refused(404)
    return FileResponse(swagger_ui_path / name, headers={"Cache-Control": "max-age=86400"})

"""The door of every request, before its body is read: from which page, by whom, how often, how much.

A page of another site that a browser shows can send requests here, but cannot hide that it did: the browser
names the page in Origin and Sec-Fetch-Site. No CORS header is ever sent, so it cannot read answers either.
"""

import logging
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.context import Context
from api.errors import Refused, problem, refusal
from api.limits import bounded, too_large

logger = logging.getLogger(__name__)
READING = ("GET", "HEAD", "OPTIONS")
OPEN = ("/health", "/health/live", "/health/ready", "/openapi.json", "/docs")
UPLOADS = ("/datasets", "/chats/import")
RESUMABLE = "/uploads"
JSON_BYTES = 1_000_000
MULTIPART_BYTES = 100_000
"""What surrounds a file in its body."""
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Gate:
    """ASGI middleware. What passes has the person's id in the scope; what fails unforeseen becomes a 500."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def private(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        try:
            most = self._admit(scope)
            await self._app(scope, bounded(receive, most), private)
        except Exception as error:
            refused = refusal(error)
            if refused.status_code == 500:
                logger.exception("a request failed: %s %s", scope["method"], scope["path"])
            if started:
                raise
            await problem(refused)(scope, receive, private)

    def _admit(self, scope: Scope) -> int:
        """Most bytes the body may have. Raises Refused and SettingsError."""
        headers = Headers(scope=scope)
        if scope["method"] not in READING and from_another_page(headers):
            raise Refused(
                403,
                "A page of another site may not send this.",
                "Send it from this server's own page, or from a program.",
            )
        path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
        if path in OPEN or path.startswith("/docs/"):
            return JSON_BYTES
        most = JSON_BYTES
        if path == RESUMABLE or path.startswith(f"{RESUMABLE}/"):
            self._context.admit_upload(scope)
            return self._context.upload_bytes
        self._context.admit(scope)
        if scope["method"] == "POST" and path in UPLOADS:
            most = self._context.upload_bytes + MULTIPART_BYTES
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:18]) > most:
            raise too_large(most)
        return most


def from_another_page(headers: Headers) -> bool:
    """Whether a browser says that another site's page sent this."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return True
    host = headers.get("host", "").lower()
    return not all(_is_of(host, origin.lower()) for origin in headers.getlist("origin"))


def _is_of(host: str, origin: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    port = DEFAULT_PORTS.get(parts.scheme, "")
    return bool(parts.netloc) and parts.netloc.removesuffix(port) == host.removesuffix(port)

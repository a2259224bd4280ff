"""Media types: what a request's body has to be, and what its Accept has to admit."""

from collections.abc import Callable

from fastapi import Request

from api.errors import Refused

JSON = "application/json"
MULTIPART = "multipart/form-data"
ZIP = "application/zip"
BYTES = "application/octet-stream"
EVENTS = "text/event-stream"


def sends(media_type: str) -> Callable[[Request], None]:
    """A dependency: a body is of this media type. Raises Refused (415)."""

    def check(request: Request) -> None:
        given = request.headers.get("content-type")
        has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
        if has_body and (given or "").partition(";")[0].strip().lower() != media_type:
            raise Refused(415, f"The body has to be {media_type}, not {given or 'without a Content-Type'}.")

    return check


def returns(*media_types: str) -> Callable[[Request], None]:
    """A dependency: Accept admits one of these media types. Raises Refused (406)."""

    def check(request: Request) -> None:
        if not any(admits(request.headers.getlist("accept"), media_type) for media_type in media_types):
            raise Refused(
                406, f"The answer is {' or '.join(media_types)}, which the header Accept does not admit."
            )

    return check


def admits(accept: list[str], media_type: str) -> bool:
    """Whether the values of Accept admit a media type; none at all admit everything."""
    ranges = [part.strip().lower() for value in accept for part in value.split(",") if part.strip()]
    fitting = ("*/*", f"{media_type.partition('/')[0]}/*", media_type)
    return not ranges or any(
        part.partition(";")[0].strip() in fitting and not _excluded(part) for part in ranges
    )


def _excluded(media_range: str) -> bool:
    for parameter in media_range.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return value.strip().strip("0.") == ""
    return False

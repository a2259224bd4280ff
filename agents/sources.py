"""Files that the server itself brings in: from folders and addresses that its settings name.

Neither is on by default. A path counts by where it leads once every link is followed. A URL's server is asked
for by the address that was checked, so a name cannot lead elsewhere a moment later; addresses of this machine
and of private networks are refused unless the server is named in the setting.
"""

import fnmatch
import http.client
import io
import ipaddress
import os
import socket
import ssl
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from agents.settings import Settings
from analysis.errors import IngestError

TIMEOUT_SECONDS = 30.0
MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
SCHEMES = ("http", "https")


class Cancelled(Exception):
    """Somebody no longer wants it."""


@dataclass(frozen=True)
class Source:
    """A file to read."""

    name: str
    stream: BinaryIO
    size: int | None
    """None where it is not said."""


class Followed(io.RawIOBase):
    """A source that tells how far it is, and ends with Cancelled once that is wanted."""

    def __init__(self, source: Source, say: Callable[[float], None], cancelled: Callable[[], bool]) -> None:
        self._source = source
        self._say = say
        self._cancelled = cancelled
        self._count = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises IngestError when they do not come."""
        if self._cancelled():
            raise Cancelled
        try:
            data = self._source.stream.read(size)
        except (OSError, http.client.HTTPException) as error:
            raise IngestError(f"{self._source.name} broke off: {_reason(error)}. Try again.") from error
        self._count += len(data)
        if self._source.size:
            self._say(min(self._count / self._source.size, 1.0))
            if not data and self._count < self._source.size:
                raise IngestError(f"{self._source.name} broke off in the middle. Try again.")
        return data


@contextmanager
def open_source(source: str, settings: Settings, *, check_only: bool = False) -> Iterator[Source]:
    """A path or URL, opened; with `check_only` only looked at as far as that takes no network.

    Raises IngestError where it is not allowed or cannot be opened.
    """
    text = source.strip()
    if urlsplit(text).scheme in SCHEMES:
        url = _allowed_url(text, settings.upload_urls)
        if check_only:
            yield Source(_url_name(url), io.BytesIO(), None)
            return
        with _open_url(url, settings.upload_urls) as found:
            yield found
        return
    with _open_path(text, settings.upload_folders) as found:
        yield found


def allowed(settings: Settings) -> str:
    """What a person may type, in words; nothing where neither is allowed."""
    ways = []
    if settings.upload_folders:
        ways.append(f"a path below {', '.join(settings.upload_folders.split(os.pathsep))}")
    if settings.upload_urls:
        hosts = settings.upload_urls
        ways.append("a URL" if hosts.lower() == "true" else f"a URL of {hosts}")
    return " or ".join(ways)


@contextmanager
def _open_path(text: str, setting: str) -> Iterator[Source]:
    folders = [Path(folder).resolve() for folder in setting.split(os.pathsep) if folder.strip()]
    if not folders:
        raise IngestError("Files of the server cannot be brought in. Set UPLOAD_FOLDERS to allow it.")
    refused = IngestError(f"There is no file {text} below {', '.join(map(str, folders))} that can be read.")
    path = Path(text)
    path = path if path.is_absolute() else folders[0] / path
    try:
        resolved = path.resolve(strict=True)
        if not any(resolved.is_relative_to(folder) for folder in folders):
            raise refused
        # Not a pipe, which would never open, and no link that came there just now.
        handle = os.open(resolved, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError, RuntimeError):
        raise refused from None
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode) or not os.path.samestat(about, path.resolve().stat()):
        os.close(handle)
        raise refused
    with os.fdopen(handle, "rb") as file:
        yield Source(resolved.name, file, about.st_size)


@contextmanager
def _open_url(url: SplitResult, setting: str) -> Iterator[Source]:
    for _ in range(MOST_REDIRECTS + 1):
        connection = _connect(url, setting)
        try:
            path = (url.path or "/") + (f"?{url.query}" if url.query else "")
            connection.request("GET", path, headers={"Accept": "*/*", "Accept-Encoding": "identity"})
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            raise IngestError(f"{url.hostname} does not answer: {_reason(error)}. Try again.") from error
        try:
            if answer.status in REDIRECTS and (place := answer.getheader("Location")):
                url = _allowed_url(urljoin(url.geturl(), place), setting)
                continue
            if answer.status != 200:
                raise IngestError(f"{url.hostname} answers {answer.status} {answer.reason}. Check the URL.")
            yield Source(_url_name(url), cast(BinaryIO, answer), answer.length)
            return
        finally:
            connection.close()
    raise IngestError(f"{url.hostname} redirects more than {MOST_REDIRECTS} times.")


def _allowed_url(text: str, setting: str) -> SplitResult:
    if not setting or setting.lower() == "false":
        raise IngestError("Files of other servers cannot be brought in. Set UPLOAD_URLS to allow it.")
    try:
        url = urlsplit(text)
        host, _ = (url.hostname or "").lower(), url.port
    except ValueError:
        raise IngestError("This is no URL that can be read.") from None
    if url.scheme not in SCHEMES or not host or url.username or url.password:
        raise IngestError("The URL has to begin with http:// or https://, and hold no password.")
    if not _is_named(host, setting) and not any(fnmatch.fnmatch(host, p) for p in _patterns(setting)):
        raise IngestError(f"Files of {host} cannot be brought in. UPLOAD_URLS names the servers allowed.")
    return url


def _connect(url: SplitResult, setting: str) -> http.client.HTTPConnection:
    """A connection to an address of the URL's server that may be asked."""
    host = (url.hostname or "").lower()
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise IngestError(f"There is no server {host}: {_reason(error)}. Check the URL.") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not _is_named(host, setting) and not all(_is_public(address) for address in addresses):
        raise IngestError(f"{host} is on a private network. Name it in UPLOAD_URLS to allow it.")

    def connect(*_: Any, **__: Any) -> socket.socket:
        return socket.create_connection((addresses[0], port), TIMEOUT_SECONDS)

    connection: http.client.HTTPConnection
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(
            host, port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    connection._create_connection = connect  # type: ignore[attr-defined]
    return connection


def _patterns(setting: str) -> list[str]:
    return ["*"] if setting.lower() == "true" else [p.strip().lower() for p in setting.split(",")]


def _is_named(host: str, setting: str) -> bool:
    return host in (pattern for pattern in _patterns(setting) if "*" not in pattern)


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or found
    return mapped.is_global and not mapped.is_multicast


def _url_name(url: SplitResult) -> str:
    return PurePosixPath(unquote(url.path)).name or str(url.hostname)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or error or type(error).__name__)

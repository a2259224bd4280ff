"""Files with sessions and events in them, made once and copied for each measurement.

ADK's own services take 6 to 11 ms for an event, so theirs are filled by SQL in their own schema.
"""

import json
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from google.adk.events.event import Event

from benchmarks import events
from benchmarks.services import APP, DATABASE, MEMORY, SQLITE, USER, Adk, Contender, opened

OWN_ROUNDS = 3
"""How many more turns of ours are measured: a ratio of milliseconds is demanded of it alone."""
Sessions = Mapping[str, Sequence[Event]]


@dataclass(frozen=True)
class Sizes:
    """How much is stored and how often each thing is measured."""

    small: int = 10
    middle: int = 1_000
    large: int = 10_000
    listed: int = 10_000
    rounds: int = 10
    reads: int = 5
    processes: int = 5
    turns: int = 5
    seconds: float = 3.0
    crowds: int = 3
    """0: one crowd, of ours only."""


class Templates:
    """Filled files of every service under `folder`."""

    def __init__(self, folder: Path, names: Sequence[str], sizes: Sizes) -> None:
        self.names = names
        self.sizes = sizes
        self._folder = folder
        self._stored = events.take(sizes.large)
        self._json = [events.to_json(event) for event in self._stored]
        self._copies = 0
        starts = range(max(sizes.rounds, OWN_ROUNDS * sizes.turns + 1))
        self.content: dict[str, Sessions] = {
            "empty": {},
            "small": {f"s{number}": self._stored[: sizes.small] for number in starts},
            "middle": {"s0": self._stored[: sizes.middle]},
            "large": {"s0": self._stored},
            "listed": {f"s{number}": () for number in range(sizes.listed)},
        }

    async def fill(self) -> None:
        """Makes every file."""
        for name in self.names:
            for kind, sessions in self.content.items():
                if name != MEMORY:
                    await self._fill(name, self._template(name, kind), sessions)

    def copy(self, name: str, kind: str) -> Path:
        """A file of its own with the content of a kind."""
        self._copies += 1
        path = self._folder / f"{self._copies}.sqlite3"
        if name != MEMORY:
            shutil.copy(self._template(name, kind), path)
        return path

    async def open(self, name: str, kind: str) -> Contender:
        """A contender on its own copy."""
        contender = opened(name, self.copy(name, kind))
        if name == MEMORY and isinstance(contender, Adk):
            await _fill_memory(contender, self.content[kind])
        return contender

    def bytes_per_event(self, name: str) -> float:
        """The size of the closed file, per event."""
        return self._template(name, "large").stat().st_size / self.sizes.large

    def _template(self, name: str, kind: str) -> Path:
        return self._folder / f"{name}-{kind}.sqlite3"

    async def _fill(self, name: str, path: Path, sessions: Sessions) -> None:
        contender = opened(name, path)
        if name in (SQLITE, DATABASE):
            await contender.create("s0")
            await contender.close()
            self._fill_adk(name, path, sessions)
            return
        for session_id, stored in sessions.items():
            await contender.create(session_id)
            for event in stored:
                await contender.append(session_id, contender.prepare(event))
        await contender.close()

    def _fill_adk(self, name: str, path: Path, sessions: Sessions) -> None:
        connection = sqlite3.connect(path)
        with connection:
            connection.executemany(
                "INSERT INTO sessions (app_name, user_id, id, state, create_time, update_time)"
                " SELECT app_name, user_id, ?, state, create_time, update_time FROM sessions WHERE id = 's0'",
                [(session_id,) for session_id in sessions if session_id != "s0"],
            )
            for session_id, stored in sessions.items():
                rows = [_row(name, session_id, event, self._json[at]) for at, event in enumerate(stored)]
                connection.executemany(
                    "INSERT INTO events (id, app_name, user_id, session_id, invocation_id, timestamp,"
                    " event_data) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    rows,
                )
                if rows:
                    connection.execute(
                        "UPDATE sessions SET update_time = ? WHERE id = ?", (rows[-1][5], session_id)
                    )
        connection.close()


def _row(
    name: str, session_id: str, event: Event, data: str
) -> tuple[str, str, str, str, str, float | str, str]:
    moment: float | str = event.timestamp
    if name == DATABASE:
        moment = f"{datetime.fromtimestamp(event.timestamp, UTC):%Y-%m-%d %H:%M:%S.%f}"
        data = json.dumps(json.loads(data))
    return event.id, APP, USER, session_id, event.invocation_id, moment, data


async def _fill_memory(contender: Adk, sessions: Sessions) -> None:
    service = contender.service
    for session_id, stored in sessions.items():
        await contender.create(session_id)
        kept = service.sessions[APP][USER][session_id]  # type: ignore[attr-defined]
        kept.events.extend(stored)


async def verify(templates: Templates) -> None:
    """Raises AssertionError unless every service reads back what was stored."""
    for name in templates.names:
        contender = await templates.open(name, "large")
        found = await contender.read("s0")
        await contender.close()
        if found != templates.sizes.large:
            raise AssertionError(f"{name} reads {found} events")

"""Stores a running turn while it grows, beside the stream and never behind it.

Anything new is stored at once if half a second has passed since the last time, a step or a result in any
case; so a killed server loses at most half a second of text, also when the model falls silent.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from storage.errors import StorageError
from storage.turns import TurnRecord

logger = logging.getLogger(__name__)
SAVE_SECONDS = 0.5


class Saver:
    """Saves one turn's record; made and used on the event loop."""

    def __init__(self, record: TurnRecord, save: Callable[[TurnRecord], None]) -> None:
        self._record = record
        self._save = save
        self._changed = asyncio.Event()
        self._urgent = asyncio.Event()
        self._closed = False
        self._task = asyncio.create_task(self._run())

    def changed(self, *, urgent: bool) -> None:
        """The record has grown; `urgent` when by more than text."""
        self._changed.set()
        if urgent:
            self._urgent.set()

    async def close(self) -> None:
        """Ends when no save is under way, so that no older record can be stored after the last one."""
        self._closed = True
        self.changed(urgent=True)
        await asyncio.shield(self._task)

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            if self._closed:
                return
            self._changed.clear()
            self._urgent.clear()
            copy = replace(self._record, parts=[dict(part) for part in self._record.parts])
            try:
                await asyncio.to_thread(self._save, copy)
            except StorageError as error:
                logger.warning("a running turn was not stored: %s", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._urgent.wait(), SAVE_SECONDS)

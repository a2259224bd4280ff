"""The front door: `streamlit run app.py` serves the page and the API, and opens and closes all they need.

The lifespan belongs to the server, not to a browser tab, so a turn outlives the page that asked for it. What
cannot be opened does not stop the server: the page says what is wrong, and tries again at every visit.
"""

# ruff: noqa: E402
import gc

# Nothing that an import makes is garbage, and looking through it again and again is a quarter of the start.
gc.disable()

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

import streamlit as st
from starlette.routing import Mount

from agents.assistant import close_current, current, end_turns, start
from agents.settings import SettingsError
from api.app import create_api
from storage.errors import StorageError
from ui.configuration import read_settings

gc.freeze()
gc.enable()
LOCAL_ADDRESSES = ("localhost", "127.0.0.1", "::1")


def end_turns_at(number: signal.Signals) -> None:
    """A server that is told to end waits for its requests first, also for those that follow an answer."""
    before = signal.getsignal(number)

    def handle(received: int, frame: FrameType | None) -> None:
        threading.Thread(target=end_turns, daemon=True).start()
        if callable(before):
            before(received, frame)

    signal.signal(number, handle)


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    try:
        await asyncio.to_thread(start, read_settings())
    except (StorageError, SettingsError) as error:
        logging.getLogger("assistant").error("%s", error)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            end_turns_at(number)
    yield
    await asyncio.to_thread(close_current)


api = create_api(
    lambda: current(read_settings),
    read_settings,
    local=st.get_option("server.address") in LOCAL_ADDRESSES,
)
app = st.App("ui/main.py", lifespan=lifespan, routes=[Mount("/api", app=api)])

"""The front door: `streamlit run app.py` serves the page and opens and closes everything it needs.

The lifespan belongs to the server, not to a browser tab, so a turn outlives the page that asked for it. What
cannot be opened does not stop the server: the page says what is wrong, and tries again at every visit.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

from agents.assistant import close_current, start
from agents.settings import SettingsError
from storage.errors import StorageError
from ui.configuration import read_settings


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    try:
        await asyncio.to_thread(start, read_settings())
    except (StorageError, SettingsError) as error:
        logging.getLogger("assistant").error("%s", error)
    yield
    await asyncio.to_thread(close_current)


app = st.App("ui/main.py", lifespan=lifespan)

"""The front door: `streamlit run app.py` serves the page and opens and closes everything it needs.

The lifespan belongs to the server, not to a browser tab, so a turn outlives the page that asked for
it. Opening happens in a thread: the server answers at once while the model libraries import.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

from agents.assistant import start
from agents.settings import Settings


def read_settings() -> Settings:
    """Environment over .env over Streamlit secrets over defaults."""
    secrets = dict(st.secrets) if st.secrets.load_if_toml_exists() else {}
    return Settings.load(secrets)


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    assistant = await asyncio.to_thread(start, read_settings())
    yield
    await asyncio.to_thread(assistant.close)


app = st.App("ui/main.py", lifespan=lifespan)

"""Both databases find the same words in the same text."""

from google.adk.events.event import Event
from google.genai import types

from storage.keys import SessionKey
from storage.sessions import DatabaseSessionService

APP = "app"
ASKED = "Mean of unit_price in orders.csv, Café Zürich at 3.14, 2024-01-05, me@x.org"
WORDS = (
    "unit_price", "price", "orders.csv", "csv", "café", "cafe", "CAFÉ", "zurich", "3.14", "14",
    "2024-01-05", "me@x.org", "x.org", "unit_pr",
)  # fmt: skip


def said(text: str) -> Event:
    return Event(author="user", content=types.Content(role="user", parts=[types.Part(text=text)]))


async def test_both_databases_find_the_same_words(service: DatabaseSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id="u", session_id="s")
    await service.append_event(session, said(ASKED))
    await service.create_session(app_name=APP, user_id="u", session_id="t")
    service._conversations.rename(SessionKey(APP, "u", "t"), "revenue_total by region.csv")
    found = {w: [c.key.session_id for c in (await service.list_sessions_page(APP, "u", query=w)).items]
             for w in (*WORDS, "revenue_total", "region.csv", "total", "region_x", "_", "'")}  # fmt: skip
    titled = {w: ["t"] for w in ("revenue_total", "region.csv", "total")}
    assert found == {w: ["s"] for w in WORDS} | titled | {"csv": ["t", "s"], "region_x": [], "_": [], "'": []}

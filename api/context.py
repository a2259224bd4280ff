"""What every request works with: the settings, the open assistant, and the person who asks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from starlette.datastructures import Headers
from starlette.types import Scope

from agents.assistant import APP_NAME, Assistant
from agents.settings import Settings, SettingsError
from api.errors import Refused
from api.limits import Limiter
from api.people import People, people
from storage.conversations import Conversation
from storage.errors import SessionExpired
from storage.keys import SessionKey

PERSON = "api.person"
CONVERSATION = "api.conversation"
TICKET = "upload-ticket"
SENDING = ("PATCH", "HEAD")
"""Methods that bring an upload on; a big one takes hundreds of them."""
VERIFYING = 8
BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="`API_TOKEN`, or a token of `API_TOKENS`. On localhost without either, none is needed.",
)


class Context:
    """One per API. Settings are read at the first request that needs them, and again until that works."""

    def __init__(
        self, assistant: Callable[[], Assistant], settings: Callable[[], Settings], *, local: bool
    ) -> None:
        self.assistant = assistant
        self._settings = settings
        self._local = local

    @cached_property
    def settings(self) -> Settings:
        """Raises SettingsError."""
        return self._settings()

    @cached_property
    def people(self) -> People:
        """Raises SettingsError."""
        return people(self.settings, local=self._local)

    @cached_property
    def limiter(self) -> Limiter:
        """Raises SettingsError."""
        return Limiter(self.settings.api_requests_per_minute)

    @cached_property
    def verifying(self) -> ThreadPoolExecutor:
        """Threads for verified answers, which take minutes; those that serve requests are few."""
        return ThreadPoolExecutor(VERIFYING, thread_name_prefix="api-verifying")

    @property
    def upload_bytes(self) -> int:
        """Most bytes of an uploaded file."""
        return self.settings.upload_limit_mb * 1_000_000

    def admit(self, scope: Scope, *, counts: bool = True) -> None:
        """Notes the person in the scope. Raises Refused (401, 403, 429)."""
        try:
            scope[PERSON] = person = self.people.identify(scope)
        except Refused:
            # Who guesses tokens is as slow as who has one.
            self._count(f"address {(scope.get('client') or ('',))[0]}")
            raise
        if counts:
            self._count(f"person {person}")

    def admit_upload(self, scope: Scope) -> None:
        """`admit` for uploads, which a page may send with a ticket. Raises Refused (401, 403, 429)."""
        ticket = Headers(scope=scope).get(TICKET)
        if ticket is None:
            self.admit(scope, counts=scope["method"] not in SENDING)
            return
        key = self.assistant().store.tickets.holder(ticket)
        if key is None:
            self._count(f"address {(scope.get('client') or ('',))[0]}")
            raise Refused(401, "This page may no longer send files.", "Reload the page and try again.")
        scope[PERSON], scope[CONVERSATION] = key.user_id, key

    def knows(self, scope: Scope) -> bool:
        """Whether somebody asks who may see details; for what is open to everyone."""
        try:
            self.people.identify(scope)
        except (Refused, SettingsError):
            return False
        return True

    def _count(self, who: str) -> None:
        seconds = self.limiter.take(who)
        if seconds:
            raise Refused(
                429,
                f"More than {self.settings.api_requests_per_minute} requests in a minute.",
                f"Wait {seconds} s, or raise API_REQUESTS_PER_MINUTE.",
                headers={"Retry-After": str(seconds)},
            )


@dataclass(frozen=True)
class Asker:
    """The person who asks, with the open assistant."""

    user_id: str
    assistant: Assistant
    context: Context
    conversation: SessionKey | None = None
    """The only one that a page's ticket is for."""

    def key(self, chat_id: str) -> SessionKey:
        """The full name of a chat of this person's, which may not exist."""
        return SessionKey(APP_NAME, self.user_id, chat_id)

    def chat(self, chat_id: str) -> Conversation:
        """A chat of this person's. Raises Refused (404)."""
        found = self.assistant.conversation(self.user_id, chat_id)
        if found is None:
            raise Refused(404, "You have no chat with this id.", "List yours with GET /chats.")
        return found

    def open_chat(self, chat_id: str) -> SessionKey:
        """The name of a chat that can be changed. Raises Refused (404) and SessionExpired."""
        found = self.chat(chat_id)
        if found.status == "expired":
            raise SessionExpired("This chat has expired. Renew it to go on.")
        return found.key


def context_of(request: Request) -> Context:
    """The API's context."""
    found: Context = request.app.state.context
    return found


def _asker(request: Request, _: Annotated[object, Security(BEARER)]) -> Asker:
    context = context_of(request)
    scope = request.scope
    return Asker(str(scope[PERSON]), context.assistant(), context, scope.get(CONVERSATION))


InContext = Annotated[Context, Depends(context_of)]
Me = Annotated[Asker, Depends(_asker)]

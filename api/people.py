"""Who asks: the person of a bearer token; where no token is set, the person at this machine.

Without a token, a request has to come from this machine, to a name of this machine, and through no proxy: a
page elsewhere whose name points here is somebody else's, and so is what a proxy lets in.
"""

import hmac
import ipaddress
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from agents.people import local_person
from agents.settings import Settings, SettingsError
from api.errors import Refused

SET_TOKEN = "Set API_TOKEN, start the app again, and send the header Authorization: Bearer <token>."
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


@dataclass(frozen=True)
class People:
    """Tokens and whose they are."""

    tokens: tuple[tuple[bytes, str], ...]
    local: bool
    """Whether the server listens on localhost only."""

    def identify(self, scope: Scope) -> str:
        """The id of the person who asks. Raises Refused (401, 403)."""
        headers = Headers(scope=scope)
        if self.tokens:
            return self._holder(headers)
        if not self.local:
            raise _unknown("This server takes requests from other machines, so it needs a token.", SET_TOKEN)
        if not is_here(scope, headers):
            raise Refused(
                403,
                "Without a token, requests are taken from this machine under the name localhost only.",
                SET_TOKEN,
            )
        return local_person()

    def _holder(self, headers: Headers) -> str:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unknown("This needs a token.")
        given, holder = token.strip().encode("latin-1"), ""
        for known, person in self.tokens:
            if hmac.compare_digest(known, given):
                holder = person
        if not holder:
            raise _unknown("This token is not known.")
        return holder


def people(settings: Settings, *, local: bool) -> People:
    """Reads API_TOKEN and API_TOKENS. Raises SettingsError that holds no token."""
    found: list[tuple[str, str]] = []
    if settings.api_token is not None:
        found.append((settings.api_token.get_secret_value(), local_person()))
    if settings.api_tokens is not None:
        for entry in settings.api_tokens.get_secret_value().split(","):
            name, _, token = entry.partition(":")
            if not name.strip() or not token.strip():
                raise SettingsError("API_TOKENS cannot be used: it has to be name:token,name:token.")
            found.append((token.strip(), name.strip()))
    tokens = [token for token, _ in found]
    if len(set(tokens)) < len(tokens):
        raise SettingsError("API_TOKENS cannot be used: two people have the same token.")
    return People(tuple((token.encode(), person) for token, person in found), local)


def is_here(scope: Scope, headers: Headers) -> bool:
    """Whether a request was sent on this machine, to this machine."""
    client = scope.get("client")
    host = headers.get("host", "").lower()
    name = host.partition("]")[0].strip("[") if host.startswith("[") else host.partition(":")[0]
    return (
        client is not None
        and _is_loopback(client[0])
        and (name == "localhost" or _is_loopback(name))
        and not any(header in headers for header in FORWARDED)
    )


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def _unknown(message: str, action: str = "") -> Refused:
    return Refused(401, message, action, headers={"WWW-Authenticate": "Bearer"})

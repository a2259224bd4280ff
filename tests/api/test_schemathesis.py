"""Schemathesis sends what the OpenAPI document allows and what it does not, and checks every answer."""

import base64
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings, strategies
from pydantic import SecretStr
from schemathesis import AuthContext, Case, HookContext
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.applications import Starlette
from starlette.routing import Mount

from agents.assistant import Assistant
from agents.settings import Settings
from api.app import create_api
from tests.api.conftest import Served, ask, upload

TOKEN = "schemathesis-token"
EXAMPLES = 15
# Numbers of one person's requests are tested elsewhere.
SETTINGS = Settings(api_token=SecretStr(TOKEN), api_requests_per_minute=1_000_000)
# What a file holds, no schema says.
FILES = [("POST", "/datasets"), ("POST", "/chats/import")]
opened: list[Served] = []
known: dict[str, str] = {}


def assistant() -> Assistant:
    return opened[0].assistant


app = Starlette(routes=[Mount("/api", app=create_api(assistant, lambda: SETTINGS, local=False))])
# A chat that one request lets expire is refused to the next, which is as right as any other conflict.
ACCEPTED = ["2xx", "3xx", "401", "403", "404", "409", "410", "429", "5xx"]
schema = schemathesis.openapi.from_asgi(
    "/api/openapi.json",
    app,
    config=schemathesis.Config.from_dict(
        {"checks": {"positive_data_acceptance": {"expected-statuses": ACCEPTED}}}
    ),
)
cursor = base64.urlsafe_b64encode(b"[1.5, 1]").decode()
OPERATIONS = [
    operation["operationId"] for path in schema.raw_schema["paths"].values() for operation in path.values()
]
checked: set[str] = set()
schemathesis.openapi.format("cursor", strategies.just(cursor))


@schema.auth()
class Token:
    """A valid token, where a test does not want to do without."""

    def get(self, case: Case[Any], context: AuthContext) -> str:
        return TOKEN

    def set(self, case: Case[Any], data: str, context: AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


def with_known(values: Any) -> Any:
    """Every other id that could be one becomes one that is."""
    if not isinstance(values, dict):
        return values
    return {
        name: known[name]
        if name in known and isinstance(value, str) and 0 < len(value) < 128 and len(value) % 2
        else value
        for name, value in values.items()
    }


@schema.hook
def map_path_parameters(context: HookContext, path_parameters: Any) -> Any:
    """Reads and changes what there is; deletes only what there is not."""
    deletes = context.operation is not None and context.operation.method == "delete"
    return path_parameters if deletes else with_known(path_parameters)


@schema.hook
def filter_path_parameters(context: HookContext, path_parameters: Any) -> bool:
    """Leaves out line breaks: with one in it, no path is one of the API's."""
    given = [unquote(value) for value in (path_parameters or {}).values() if isinstance(value, str)]
    return not any("\n" in value for value in given)


@schema.hook
def map_body(context: HookContext, body: Any) -> Any:
    return with_known(body)


@schema.hook
def filter_body(context: HookContext, body: Any) -> bool:
    """Leaves out names of metadata that are refused, for which OpenAPI 3.0 has no words."""
    metadata = body.get("metadata") if isinstance(body, dict) else None
    names = metadata if isinstance(metadata, dict) else {}
    return all(0 < len(name) <= 100 and "\0" not in name for name in names)


@pytest.fixture(scope="module", autouse=True)
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An open assistant, with a chat that has data."""
    opened.append(Served(tmp_path_factory.mktemp("home"), api_token=SecretStr(TOKEN)))
    client = opened[0].client(TOKEN)
    uploaded = upload(client)
    answered = ask(client, "total revenue by region", uploaded["chat_id"])
    known.update(chat_id=uploaded["chat_id"], dataset_id=uploaded["dataset"]["id"])
    assert answered["results"], answered["turn"]
    known.update(result_id=answered["results"][0]["id"])
    yield
    opened.pop().close()


def checks(operation_id: str) -> Callable[..., None]:
    """The test of one operation."""

    @schema.include(operation_id=operation_id).parametrize()
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    def test(case: Case[Any]) -> None:
        checked.add(operation_id)
        files = (case.method, case.operation.path) in FILES
        case.call_and_validate(excluded_checks=[positive_data_acceptance] if files else [])

    made: Callable[..., None] = test
    return made


# A test of its own for each, since pytest-xdist runs one name only once.
for name in OPERATIONS:
    globals()[f"test_{name}"] = checks(name)


def test_none_was_left_out() -> None:
    assert checked == set(OPERATIONS) and len(OPERATIONS) >= 28

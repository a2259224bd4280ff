"""The OpenAPI document, the page that shows it, and the README's table."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount

from agents.assistant import Assistant
from agents.settings import Settings
from api.app import create_api
from api.openapi import older
from storage.errors import StoreUnavailable
from tests.api.conftest import Client, Served
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
METHODS = ("get", "post", "patch", "delete")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One for all: nothing here changes what is stored."""
    made = Served(tmp_path_factory.mktemp("home"))
    yield made.client()
    made.close()


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def test_every_operation_is_in_the_readmes_table(document: dict[str, Any]) -> None:
    table = README.split("## REST API")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([A-Z]+(?:, [A-Z]+)*) (/[^`]*)`", table, re.MULTILINE)
    told = {f"{method} {path}" for methods, path in rows for method in methods.split(", ")}
    assert told == set(operations(document))


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    found = operations(document)
    names = [operation["operationId"] for operation in found.values()]
    assert len(set(names)) == len(names) >= 28 and all(re.fullmatch("[a-z][A-Za-z]+", name) for name in names)
    tags = {tag["name"] for tag in document["tags"]}
    for name, operation in found.items():
        assert operation["summary"] and operation["description"], name
        assert set(operation["tags"]) <= tags and len(operation["tags"]) == 1, name
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (name, parameter["name"])


def test_every_error_has_the_one_shape(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        statuses = set(operation["responses"])
        health = name.startswith("GET /health")
        if not health:
            assert {"401", "403", "406", "422", "429", "503"} <= statuses, name
            assert operation["security"] == [{"token": []}], name
        if "{" in name:
            assert "404" in statuses, name
        if "requestBody" in operation:
            assert {"413", "415"} <= statuses, name
        for status in statuses - {"200", "201", "202", "204"}:
            content = operation["responses"][status]["content"]["application/json"]
            shape = "Health" if health else "Problem"
            assert content["schema"] == {"$ref": f"#/components/schemas/{shape}"}, (name, status)
        if not health:
            for status in ("429", "503"):
                assert "Retry-After" in operation["responses"][status]["headers"], name


def test_tokens_are_a_bearer_scheme(document: dict[str, Any]) -> None:
    scheme = document["components"]["securitySchemes"]["token"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert document["servers"] == [{"url": "/api"}] and document["openapi"] == "3.0.3"


def test_nothing_of_version_3_1_is_left(document: dict[str, Any]) -> None:
    def look(node: Any, where: str) -> None:
        if isinstance(node, list):
            for item in node:
                look(item, where)
        if isinstance(node, dict):
            assert node.get("type") != "null" and not isinstance(node.get("type"), list), where
            names = {"const", "prefixItems", "patternProperties", "propertyNames", "contentMediaType"}
            assert where.endswith("/properties") or not names & set(node), where
            assert "$ref" not in node or len(node) == 1, where
            assert not isinstance(node.get("examples"), list), where
            for name, value in node.items():
                look(value, f"{where}/{name}")

    look(document, "")


def test_older_words() -> None:
    assert older({"anyOf": [{"type": "integer"}, {"type": "null"}], "title": "A"}) == {
        "type": "integer", "title": "A", "nullable": True,
    }  # fmt: skip
    assert older({"anyOf": [{"$ref": "#/x"}, {"type": "null"}]}) == {
        "allOf": [{"$ref": "#/x"}],
        "nullable": True,
    }
    assert older({"properties": {"const": {"const": 1}}}) == {"properties": {"const": {"enum": [1]}}}
    assert older({"examples": ["a", "b"]}) == {"example": "a"}


def test_the_page_needs_nothing_from_elsewhere(client: Client) -> None:
    page = client.get("docs")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "http" not in policy
    addresses = re.findall(r'(?:href|src|data-document)="([^"]+)"', page.text)
    assert len(addresses) >= 5
    for address in addresses:
        assert address.startswith("/api/")
        assert client.get(address.removeprefix("/api/")).status_code == 200, address
    assert "<script>" not in page.text and "validatorUrl: null" in client.get("docs/start.js").text
    for path in ("redoc", "docs/oauth2-redirect"):
        assert client.get(path).status_code == 404


def test_the_page_needs_neither_a_token_nor_an_open_store() -> None:
    def closed() -> Assistant:
        raise StoreUnavailable("Not now.")

    def settings() -> Settings:
        return Settings(api_token=SecretStr("right-token"))

    client = Client(Starlette(routes=[Mount("/api", app=create_api(closed, settings, local=False))]))
    for path in ("docs", "docs/start.js", "docs/swagger-ui.css", "openapi.json"):
        assert client.get(path).status_code == 200
    assert client.get("chats").status_code == 401

"""The OpenAPI document, in version 3.0: what the docs page and most generators of clients read.

FastAPI writes 3.1, whose schemas say a few things in another way; they are put into 3.0's words here.
"""

from typing import Any

from fastapi import FastAPI

VERSION = "3.0.3"


def publish(app: FastAPI) -> None:
    """Makes the app serve its document in version 3.0."""
    written = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None or app.openapi_schema["openapi"] != VERSION:
            app.openapi_schema = {**older(written()), "openapi": VERSION}
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def older(node: Any) -> Any:
    """A part of a document in 3.0's words."""
    if isinstance(node, list):
        return [older(item) for item in node]
    if not isinstance(node, dict):
        return node
    made: dict[str, Any] = {
        str(name): _named(value) if name == "properties" else older(value) for name, value in node.items()
    }
    made.pop("propertyNames", None)
    if patterns := made.pop("patternProperties", None):
        made["additionalProperties"] = next(iter(patterns.values()))
    if "const" in made:
        made["enum"] = [made.pop("const")]
    if isinstance(made.get("examples"), list):
        made["example"] = made.pop("examples")[0]
    if made.pop("contentMediaType", None):
        made["format"] = "binary"
    if "anyOf" in made:
        made = _nullable(made)
    if "$ref" in made and len(made) > 1:
        made = {"allOf": [{"$ref": made.pop("$ref")}], **made}
    return made


def _named(properties: dict[str, Any]) -> dict[str, Any]:
    return {name: older(schema) for name, schema in properties.items()}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    options = [option for option in schema["anyOf"] if option != {"type": "null"}]
    if len(options) == len(schema["anyOf"]):
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    if len(options) > 1:
        return {**rest, "anyOf": options, "nullable": True}
    return {**options[0], **rest, "nullable": True}

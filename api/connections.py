"""Connections to other engines, which the settings name: what tables they have, and attaching one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field, StringConstraints

from api.context import Asker, Me
from api.errors import Refused, problems
from api.fields import WHOLE, Identifier
from api.media import JSON, returns, sends
from api.schemas import DatasetView, Uploaded

router = APIRouter(
    prefix="/connections",
    tags=["connections"],
    dependencies=[Depends(returns(JSON))],
    responses=problems(401, 403, 406, 422, 429, 503),
)
ConnectionName = Annotated[
    Identifier, Path(description="The name of a connection in the settings.", examples=["warehouse"])
]
SchemaName = Annotated[str, StringConstraints(max_length=128, pattern=WHOLE)]


class ConnectionView(BaseModel):
    """A configured connection; its address and password are never shown."""

    name: str
    engine: str = Field(
        description="PostgreSQL, MySQL, SQLite, DuckDB, BigQuery, Snowflake, Databricks, Spark."
    )


class ConnectionList(BaseModel):
    """All connections."""

    items: list[ConnectionView]


class TableView(BaseModel):
    """A table or view of a connection."""

    schema_name: str
    name: str


class TableList(BaseModel):
    """The tables of one schema, and which schemas there are."""

    schemas: list[str]
    items: list[TableView]


class TableChoice(BaseModel):
    """A table to attach."""

    table: Identifier
    schema_name: SchemaName = ""
    chat_id: Identifier | None = Field(
        default=None, description="The chat to attach it to; without one, a chat is made."
    )


@router.get("", operation_id="listConnections", summary="List connections")
def list_connections(me: Me) -> ConnectionList:
    """Those that the settings name, for everybody who may ask."""
    found = me.assistant.connections()
    return ConnectionList(items=[ConnectionView(name=info.name, engine=info.engine) for info in found])


@router.get("/{name}/tables", operation_id="listTables", summary="List tables", responses=problems(404))
def list_tables(
    me: Me,
    name: ConnectionName,
    schema_name: Annotated[SchemaName, Query(description="Empty takes the first schema.")] = "",
) -> TableList:
    """The tables of one schema, at most 2,000."""
    _require(me, name)
    schemas = me.assistant.schemas(name)
    chosen = schema_name or next(iter(schemas), "")
    tables = me.assistant.tables(name, chosen) if chosen in schemas else []
    return TableList(schemas=schemas, items=[TableView(schema_name=chosen, name=table) for table in tables])


@router.post(
    "/{name}/datasets",
    operation_id="attachTable",
    summary="Attach a table",
    status_code=201,
    dependencies=[Depends(sends(JSON))],
    responses=problems(404, 410, 413, 415),
)
def attach_table(me: Me, name: ConnectionName, choice: TableChoice) -> Uploaded:
    """Makes a table a chat's current dataset. It is only read, and its rows stay where they are."""
    _require(me, name)
    made = choice.chat_id is None
    key = me.assistant.new_session(me.user_id) if choice.chat_id is None else me.open_chat(choice.chat_id)
    try:
        dataset = me.assistant.attach_table(key, name, choice.table, choice.schema_name)
    except Exception:
        if made:
            me.assistant.delete_session(key)
        raise
    view = DatasetView.of(dataset)
    return Uploaded(chat_id=key.session_id, dataset=view, datasets=[view])


def _require(me: Asker, name: str) -> None:
    if name not in {info.name for info in me.assistant.connections()}:
        raise Refused(404, "There is no connection of this name.", "List them with GET /connections.")

"""The JSON of chats, turns, results and datasets."""

import dataclasses
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.requests import Mode, Status
from storage.conversations import Conversation
from storage.datasets import ColumnInfo, Dataset
from storage.results import Result
from storage.turns import TurnRecord

LAST_MOMENT = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
TurnStatus = Literal["running", "completed", "stopped", "failed", "interrupted"]


def moment(seconds: float) -> datetime:
    """Unix seconds as a time; what lies beyond the year 9999 is its end."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), LAST_MOMENT), UTC)


class Column(BaseModel):
    """One column, with what one scan of all rows found."""

    name: str
    type: str = Field(description="DuckDB's type name.")
    kind: str = Field(description="integer, number, text, date, datetime, time, boolean or other.")
    missing: int
    distinct: int
    min: Any = None
    max: Any = None
    mean: float | None
    values: list[Any] = Field(description="The most frequent values, where there are few different ones.")
    original_name: str = Field(description="The name in the file.")

    @classmethod
    def of(cls, column: ColumnInfo) -> "Column":
        """From the store's."""
        return cls.model_validate(dataclasses.asdict(column))


class DatasetView(BaseModel):
    """One version of an uploaded table."""

    id: str
    name: str = Field(description="How questions and queries call it.")
    version: int
    sha256: str = Field(description="Of the file's bytes.")
    file_name: str
    rows: int
    columns: list[Column]
    byte_size: int
    notes: list[str] = Field(description="What was decided while reading.")
    rejected_rows: int
    state: str = Field(description="converting (rows and columns are estimates), ready or failed.")
    error: str = Field(description="Why it failed.")
    part: str = Field(description="The sheet, member or table in the file.")
    created_at: datetime

    @classmethod
    def of(cls, dataset: Dataset) -> "DatasetView":
        """From the store's."""
        fields = {name: getattr(dataset, name) for name in cls.model_fields}
        columns = [Column.of(column) for column in dataset.columns]
        return cls.model_validate(fields | {"columns": columns, "created_at": moment(dataset.created_at)})


class DatasetList(BaseModel):
    """Datasets, oldest first; in a chat the last one is the one that questions are about."""

    items: list[DatasetView]

    @classmethod
    def of(cls, datasets: list[Dataset]) -> "DatasetList":
        """From the store's."""
        return cls(items=[DatasetView.of(dataset) for dataset in datasets])


class Uploaded(BaseModel):
    """An uploaded file's datasets and the chat that has them."""

    chat_id: str
    dataset: DatasetView = Field(description="The first, which questions are about.")
    datasets: list[DatasetView] = Field(description="All tables of the file.")


class UploadView(BaseModel):
    """A file that is sent in pieces, and what becomes of it."""

    id: str
    file_name: str
    size: int
    offset: int = Field(description="Bytes that are there.")
    state: str = Field(description="sending, reading, asking, converting, done or failed.")
    progress: float = Field(description="Of reading or converting: a part between 0 and 1.")
    message: str = Field(description="What is being done.")
    error: str = Field(description="Why it failed.")
    tables: list[str] = Field(description="Tables in the file, where it has several.")
    chat_id: str | None = Field(description="The chat that has the datasets; null until it is made.")
    datasets: list[DatasetView]


class Part(BaseModel):
    """A piece of an answer, in the order in which it came.

    kind text: text. kind step: tool, label, status (running, done, failed), detail. kind result: id; of code
    besides run, which outputs of one run share, failed if it did, and version_of when it was edited.
    """

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"example": {"kind": "text", "text": "Total revenue is 1,234.50."}}
    )

    kind: str


class TurnError(BaseModel):
    """Why an answer failed."""

    model_config = ConfigDict(extra="ignore")

    kind: str
    message: str
    action: str = ""


class Turn(BaseModel):
    """One question and its answer."""

    id: str
    question: str
    status: TurnStatus
    mode: str
    model: str = Field(description="What answered.")
    parts: list[Part]
    result_ids: list[str] = Field(description="The results that the answer rests on.")
    error: TurnError | None
    tokens: int
    started_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, record: TurnRecord) -> "Turn":
        """From the store's, also while it grows."""
        parts = [dict(part) for part in list(record.parts)]
        return cls(
            id=record.id,
            question=record.question,
            status=record.status,  # type: ignore[arg-type]  # checked when validated
            mode=record.mode,
            model=record.model,
            parts=[Part.model_validate(part) for part in parts],
            result_ids=[part["id"] for part in parts if part["kind"] == "result"],
            error=None if record.error is None else TurnError.model_validate(record.error),
            tokens=record.tokens,
            started_at=moment(record.started_at),
            finished_at=None if record.finished_at is None else moment(record.finished_at),
        )


class Chat(BaseModel):
    """A chat's life-cycle fields."""

    id: str
    title: str
    status: Status
    mode: Mode
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    turn_count: int
    total_tokens: int
    metadata: dict[str, Any]
    parent_chat_id: str | None = Field(description="The chat that this one was made from.")

    @classmethod
    def of(cls, conversation: Conversation) -> "Chat":
        """From the store's."""
        return cls.model_validate(_fields(conversation))


class ChatDetail(Chat):
    """A chat with its datasets and turns, oldest first."""

    datasets: list[DatasetView]
    turns: list[Turn]

    @classmethod
    def whole(
        cls, conversation: Conversation, datasets: list[Dataset], turns: list[TurnRecord]
    ) -> "ChatDetail":
        """From the store's."""
        return cls.model_validate(
            _fields(conversation)
            | {
                "datasets": [DatasetView.of(dataset) for dataset in datasets],
                "turns": [Turn.of(turn) for turn in turns],
            }
        )


def _fields(conversation: Conversation) -> dict[str, Any]:
    expires_at = conversation.expires_at
    return {
        "id": conversation.key.session_id,
        "title": conversation.title,
        "status": conversation.status,
        "mode": conversation.mode,
        "created_at": moment(conversation.created_at),
        "updated_at": moment(conversation.updated_at),
        "expires_at": None if expires_at is None else moment(expires_at),
        "turn_count": conversation.turn_count,
        "total_tokens": conversation.total_tokens,
        "metadata": conversation.metadata,
        "parent_chat_id": conversation.parent_session_id,
    }


class ChatList(BaseModel):
    """One page of chats, last changed first."""

    items: list[Chat]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class Stopping(BaseModel):
    """What a stop found."""

    stopping: bool = Field(description="Whether an answer was being made; it ends within some seconds.")


class Input(BaseModel):
    """The exact data that a result was computed from."""

    dataset: str
    version: int
    sha256: str


class ResultView(BaseModel):
    """What was computed, from what, by which code."""

    id: str
    chat_id: str
    kind: str = Field(description="value, table, figure, model, image, text or file.")
    title: str
    tool: str
    arguments: dict[str, Any]
    language: str = Field(description="sql or python.")
    code: str
    code_sha256: str
    inputs: list[Input]
    output: dict[str, Any] = Field(
        description="table: columns and rows; figure: Plotly's JSON, with alt, its text; png: a picture in"
        " base64, with alt; text; name, size and mime of a file that code wrote. printed: what code printed."
        " failure of code that failed: type, message, line, trace, suggestions."
    )
    parents: list[str]
    engine: dict[str, str]
    rows_used: int | None
    rows_total: int | None
    notes: list[str] = Field(description="What a reader must know: rows left out and why, ties, limits.")
    facts: dict[str, Any]
    status: str = Field(description="ok or failed.")
    duration: float = Field(description="Seconds.")
    created_at: datetime

    @classmethod
    def of(cls, result: Result) -> "ResultView":
        """From the store's."""
        fields = {name: getattr(result, name) for name in cls.model_fields if name != "chat_id"}
        return cls.model_validate(
            fields
            | {
                "chat_id": result.key.session_id,
                "inputs": [dataclasses.asdict(ref) for ref in result.inputs],
                "created_at": moment(result.created_at),
            }
        )


class Answer(BaseModel):
    """A turn with its results."""

    chat_id: str
    turn: Turn
    results: list[ResultView]

"""What requests hold: types are not guessed, and a misspelt name is an error."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.fields import LONGEST_HOURS, MOST_DATASETS, Cursor, Identifier, Metadata, Question, Search, Title

Mode = Literal["direct", "code"]
Status = Literal["active", "paused", "completed", "expired"]


class Sent(BaseModel):
    """The body of a request."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ChatFilter(BaseModel):
    """Which chats to list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=100, description="Most chats on a page.")
    cursor: Cursor | None = Field(
        default=None,
        description="The next_cursor of the page before.",
        json_schema_extra={"format": "cursor"},
    )
    query: Search = Field(default="", description="Words of titles and messages; all have to occur.")
    status: Status | None = Field(default=None, description="Only chats of this status.")


class NewChat(Sent):
    """A chat to make."""

    model_config = ConfigDict(json_schema_extra={"example": {"title": "Sales 2026", "mode": "direct"}})

    title: Title | None = Field(default=None, description="Without one, the first question gives it.")
    mode: Mode = Field(default="direct", description="direct: one agent answers; code: specialist agents.")
    dataset_ids: list[Identifier] = Field(
        default_factory=list,
        max_length=MOST_DATASETS,
        description="Datasets to attach, the current one last.",
    )


class ChatChange(Sent):
    """What to change in a chat; what is absent or null stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"title": "Revenue by region", "metadata": {"team": "sales"}}}
    )

    title: Title | None = None
    mode: Mode | None = None
    status: Literal["active", "paused", "completed"] | None = Field(
        default=None, description="paused or completed (in the archive); active reopens it."
    )
    metadata: Metadata | None = Field(default=None, description="Values to set by name; null removes a name.")
    expires_in_hours: Annotated[float, Field(ge=0, le=LONGEST_HOURS, allow_inf_nan=False)] | None = Field(
        default=None, description="Idle hours after which the chat expires; 0 is at once, null never."
    )


class NewQuestion(Sent):
    """A question to answer."""

    model_config = ConfigDict(json_schema_extra={"example": {"question": "total revenue by region"}})

    question: Question
    chat_id: Identifier | None = Field(default=None, description="Without one, a chat is made.")
    stream: bool = Field(default=False, description="Answer with events instead of waiting for the end.")
    wait_seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = Field(
        default=None,
        description="Longest wait for the end of the answer, in seconds; as an answer takes at most"
        " TURN_TIMEOUT_SECONDS, so does the wait. Then the turn is returned as it is, with status 202.",
    )

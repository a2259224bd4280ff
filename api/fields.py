"""What text a request may hold: no NUL, no half characters, nothing of unbounded length."""

import math
from typing import Annotated, Any

from fastapi import Path
from pydantic import AfterValidator, Field, StringConstraints

LONGEST_QUESTION = 10_000
LONGEST_TITLE = 200
LONGEST_VALUE = 1_000
MOST_VALUES = 50
MOST_DATASETS = 20
LONGEST_HOURS = 87_600.0
WHOLE = r"^[^\x00]*$"
SOMETHING = r"^[^\x00]*[^\s\x00][^\x00]*$"


def _something(text: str) -> str:
    if not text.strip():
        raise ValueError("it has to hold more than spaces")
    return text


def _bounded(text: str) -> str:
    if len(text) > LONGEST_VALUE:
        raise ValueError(f"it has to have at most {LONGEST_VALUE} characters")
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it has to be a finite number")
    return value


Question = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_QUESTION, pattern=SOMETHING),
    AfterValidator(_something),
]
Title = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_TITLE, pattern=SOMETHING),
    AfterValidator(_something),
]
Search = Annotated[str, StringConstraints(max_length=LONGEST_VALUE, pattern=WHOLE)]
# What the one before returned; a length or pattern in the document would invite others.
Cursor = Annotated[str, AfterValidator(_bounded)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00]+$")]
MetadataName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00]+$"),
]
MetadataText = Annotated[str, StringConstraints(max_length=LONGEST_VALUE, pattern=WHOLE)]
MetadataNumber = Annotated[int, Field(ge=-(2**53), le=2**53)]
MetadataValue = MetadataText | bool | MetadataNumber | Annotated[float, AfterValidator(_finite)] | None
Metadata = Annotated[dict[MetadataName, MetadataValue], Field(max_length=MOST_VALUES)]

ChatId = Annotated[
    Identifier, Path(description="A chat's id.", examples=["0b7c5d5e-5a3e-4b0e-9a0f-2f6f6f1b7f55"])
]
DatasetId = Annotated[
    Identifier, Path(description="A dataset's id.", examples=["9f2d0f0c6b0e4a54b8d9d1f6a3c8e7b1"])
]
UploadId = Annotated[
    Identifier, Path(description="An upload's id.", examples=["6f1c2b9a0d8e4f7fb3a5c4d3e2f1a0b9"])
]
ResultId = Annotated[
    Identifier, Path(description="A result's id.", examples=["c1a2f7b09d0f4d7a8f3e6b5c4d3e2f1a"])
]
ThreadId = Annotated[Identifier, Path(description="A run's thread id.", examples=["thread-1"])]

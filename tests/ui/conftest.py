"""An app whose data is in a folder of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.assistant import Assistant, start
from agents.settings import Settings


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Assistant]:
    opened = start(Settings(home=tmp_path / "home"))
    yield opened
    opened.close()

"""For every test: no key from outside, and no connection beyond this machine."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "samples" / "orders.csv"
LOCAL = ("127.0.0.1", "::1", "localhost")
OUTSIDE = ("GOOGLE_", "GEMINI_", "OPENAI_", "MODEL", "ASSISTANT_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def no_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Clears keys and proxies, and refuses connections that are not to loopback."""
    for name in list(os.environ):
        if name.upper().startswith(OUTSIDE):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "home"))
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in LOCAL:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield


@pytest.fixture(scope="session")
def orders() -> pd.DataFrame:
    """The sample as pandas reads it, independent of our reading."""
    return pd.read_csv(SAMPLE, parse_dates=["order_date"])

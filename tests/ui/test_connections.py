"""The page offers tables of configured connections, says what fails, and copies rows here."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from agents.assistant import close_current
from tests.conftest import ROOT
from tests.engines import shop


def test_a_table_is_chosen_attached_and_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.into_sqlite(tmp_path / "shop.db", shop.parquet(tmp_path))
    lines = f"shop=sqlite:///{tmp_path}/shop.db\nbroken=postgresql://me:secret@127.0.0.1:9/db"
    monkeypatch.setenv("CONNECTIONS", lines)
    page = AppTest.from_file(str(ROOT / "ui" / "main.py"), default_timeout=60)
    try:
        page.run()
        _choose(page, "Connection", "broken")
        (error,) = page.error
        assert "cannot be reached" in error.value and "secret" not in error.value
        _choose(page, "Connection", "shop")
        _choose(page, "Table", "orders")
        _press(page, "Use this table")
        assert any("orders" in heading.value and "shop" in heading.value for heading in page.markdown)
        _press(page, "Copy")
        assert not page.exception and not page.error
        assert any("A copy of orders" in note.value for note in page.markdown)
    finally:
        close_current()


def _choose(page: AppTest, label: str, value: str) -> None:
    next(box for box in page.selectbox if box.label == label).select(value).run()


def _press(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click().run()

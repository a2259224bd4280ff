"""What a person does with whole conversations, and a database that goes away and comes back."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.browser.test_journey import ask, open_sample
from tests.servers.gemini import GeminiServer, Slow, text
from tests.servers.postgres import postgres

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(480)]
BACK_AFTER_SECONDS = 10


def test_rename_search_export_import_duplicate_archive_delete(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve()
    open_sample(page, server)
    ask(page, "total revenue by region")
    page.get_by_role("button", name="Manage").click()
    title = page.get_by_label("Title")
    title.fill("Regions of the north")
    title.press("Enter")
    entry = page.get_by_role("button", name="Regions of the north", exact=True)
    expect(entry).to_have_count(1)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export").click()
    file = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(file)
    assert file.name == "regions-of-the-north.zip"
    with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as content:
        assert {"manifest.json", "events.jsonl", "results.jsonl"} <= set(content.namelist())
    page.keyboard.press("Escape")

    search = page.get_by_label("Search conversations")
    search.fill("revenue")
    search.press("Enter")
    expect(entry).to_have_count(1)
    search.fill("nowhere")
    search.press("Enter")
    expect(page.get_by_text("Nothing found.")).to_be_visible()
    search.fill("")
    search.press("Enter")
    expect(entry).to_have_count(1)

    page.get_by_role("button", name="Manage").click()
    page.get_by_role("button", name="Duplicate").click()
    expect(page.get_by_role("button", name="Regions of the north (copy)")).to_have_count(1)
    expect(page.get_by_text("Show code")).to_have_count(1)

    page.get_by_role("button", name="Import").click()
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(file)
    page.get_by_role("button", name="Import it").click()
    expect(page.get_by_role("button", name="Regions of the north", exact=True)).to_have_count(2)
    expect(page.get_by_text("182,137.85").first).to_be_visible()

    page.get_by_role("button", name="Manage").click()
    page.get_by_role("button", name="Archive", exact=True).click()
    expect(page.get_by_role("button", name="Regions of the north", exact=True)).to_have_count(1)
    page.get_by_role("button", name="Archived").click()
    expect(page.get_by_role("button", name="Back from the archive")).to_be_visible()
    expect(page.get_by_role("button", name="Regions of the north", exact=True)).to_have_count(1)
    page.get_by_role("button", name="Manage").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("The archive is empty.")).to_be_visible()


def test_a_database_that_is_away_is_said_waited_for_and_loses_nothing(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    words = [[text(f"word{i} ")] for i in range(40)]
    gemini = GeminiServer(Slow(words, 0.1), [[text("The second answer.")]])
    with postgres(tmp_path / "postgres") as database:
        server = serve(DATABASE_URL=database.url(), GOOGLE_API_KEY="k", GOOGLE_GEMINI_BASE_URL=gemini.url)
        open_sample(page, server)
        box = page.get_by_test_id("stChatInputTextArea")
        box.fill("tell me a story")
        box.press("Enter")
        expect(page.get_by_text("word3")).to_be_visible()
        database.stop()
        expect(page.get_by_text("cannot be reached").first).to_be_visible()
        page.reload()
        expect(page.get_by_text("cannot be reached").first).to_be_visible()
        expect(page.get_by_text("Ask your data")).to_have_count(0)
        page.wait_for_timeout(BACK_AFTER_SECONDS * 1000)
        database.start()
        expect(page.get_by_text("word39")).to_be_visible()
        expect(page.get_by_text("cannot be reached")).to_have_count(0)
        expect(box).to_be_enabled()
        box.fill("and then?")
        box.press("Enter")
        expect(page.get_by_text("The second answer.")).to_be_visible()
        server.stop()
    gemini.close()

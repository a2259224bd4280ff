"""Files on their way in, as a person sees it: progress, cancel, a reload in the middle, reading options."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(480)]
SLOW_BYTES = 6_000_000
"""A second, where the line is slow."""
PIECE_BYTES = 16 * 1024 * 1024
BIG = b"city,amount\n" + b"".join(b"Town %d,%d.25\n" % (i % 7, i) for i in range(1_500_000))
PRICES = b"item;price\n" + b"a;1,50\nb;2,25\n" * 20 + b"c;1;2;3\n"


def slow(page: Page, bytes_a_second: int) -> None:
    """Makes the browser's line slow; -1 makes it fast again."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    speed = {"offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": bytes_a_second}
    session.send("Network.emulateNetworkConditions", speed)


def choose(page: Page, *files: Path) -> None:
    page.locator('input[type="file"]').first.set_input_files(list(files))


def test_a_big_file_is_followed_cancelled_resumed_and_asked(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve()
    big = tmp_path / "big.csv"
    big.write_bytes(BIG)
    page.goto(server.url)
    expect(page.get_by_role("button", name="Load the sample")).to_be_visible()
    slow(page, SLOW_BYTES)

    choose(page, big)
    bar = page.get_by_role("progressbar", name="Uploading big.csv")
    expect(bar).to_be_visible()
    expect(page.get_by_text("MB/s")).to_be_visible()
    page.get_by_role("button", name="Cancel big.csv").click()
    expect(bar).to_have_count(0)
    expect(page.get_by_text("big.csv", exact=True)).to_have_count(0)

    choose(page, big)
    data = server.home / "uploads"
    expect(bar).to_be_visible()
    page.wait_for_function(
        "least => [...document.querySelectorAll('*')].some(e => e.shadowRoot"
        " && +e.shadowRoot.querySelector('.bar')?.getAttribute('aria-valuenow') > least)",
        arg=100 * PIECE_BYTES / len(BIG),
    )
    page.reload()
    expect(page.get_by_text("Choose the file again to go on.")).to_be_visible()
    (there,) = data.glob("*/data")
    assert there.stat().st_size >= PIECE_BYTES
    slow(page, -1)
    choose(page, big)
    expect(page.get_by_text("1,500,000 rows · 2 columns")).to_be_visible()
    box = page.get_by_test_id("stChatInputTextArea")
    expect(box).to_be_enabled()
    box.fill("total amount")
    box.press("Enter")
    frame = pd.read_csv(big)
    expect(page.get_by_test_id("stMetricValue")).to_have_text(f"{frame['amount'].sum():,.0f}")
    assert not list(data.glob("*/data"))


def test_reading_options_and_rows_that_were_left_out(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve()
    prices, noise = tmp_path / "prices.csv", tmp_path / "noise.csv"
    prices.write_bytes(PRICES)
    noise.write_bytes(bytes(range(256)) * 40)
    page.goto(server.url)
    choose(page, noise)
    expect(page.get_by_text("no text file")).to_be_visible()
    expect(page.get_by_text("Try other reading options")).to_be_visible()
    page.get_by_role("button", name="Dismiss", exact=True).click()
    expect(page.get_by_text("no text file")).to_have_count(0)

    choose(page, prices)
    expect(page.get_by_text("40 rows · 2 columns")).to_be_visible()
    page.get_by_text("About this data").click()
    page.get_by_role("tab", name="How it was read").click()
    expect(page.get_by_text("1 row could not be read")).to_be_visible()
    comma = page.get_by_text("such as 1,50 were read with a decimal comma")
    expect(comma).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download them").click()
    rejected = pd.read_csv(download.value.path())
    assert rejected[["line", "text"]].to_numpy().tolist() == [[42, "c;1;2;3"]]

    page.get_by_text("Read it in another way").click()
    expect(page.get_by_text("decimal comma · 1 header row")).to_be_visible()
    page.get_by_label("Decimal mark").click()
    page.get_by_role("option", name="point").click()
    expect(page.get_by_text("decimal point · 1 header row")).to_be_visible()
    page.get_by_role("button", name="Read it so").click()
    expect(comma).to_have_count(0)
    expect(page.get_by_text("40 rows · 2 columns")).to_be_visible()

"""A stranger's whole path with no key: sample, five questions, reload, kill -9, carry on."""

from collections.abc import Callable

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ROOT, Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(480)]


def orders() -> pd.DataFrame:
    return pd.read_csv(ROOT / "samples" / "orders.csv", parse_dates=["order_date"])


def open_sample(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="Load the sample").click()
    expect(page.get_by_text("6,000 rows · 14 columns")).to_be_visible()


def ask(page: Page, question: str) -> None:
    box = page.get_by_test_id("stChatInputTextArea")
    expect(box).to_be_enabled()
    before = page.get_by_test_id("stChatMessage").count()
    box.fill(question)
    box.press("Enter")
    expect(page.get_by_test_id("stChatMessage")).to_have_count(before + 2)
    expect(box).to_be_enabled()


def answers(page: Page) -> list[str]:
    texts = [message.inner_text() for message in page.get_by_test_id("stChatMessage").all()][1::2]
    return [text.split("Show code")[0] for text in texts]


def test_sample_five_questions_reload_kill_resume(page: Page, serve: Callable[..., Server]) -> None:
    server = serve()
    data = orders()
    open_sample(page, server)

    ask(page, "what is the total revenue?")
    total = data["revenue"].sum()
    assert f"{total:,.2f}" in answers(page)[0]

    ask(page, "average rating by region")
    means = data.groupby("region")["rating"].mean()
    for name, mean in [(means.idxmax(), means.max()), (means.idxmin(), means.min())]:
        assert f"{name} ({mean:,.4f}".rstrip("0") in answers(page)[1]
    expect(page.get_by_test_id("stChatMessage").get_by_test_id("stDataFrame")).to_have_count(1)
    page.get_by_text("Show code").last.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the numbers").last.click()
    table = pd.read_csv(download.value.path()).set_index("region")["average rating"]
    assert table.to_dict() == pytest.approx(means.to_dict())

    ask(page, "bar chart of total revenue by category")
    expect(page.locator(".js-plotly-plot")).to_have_count(1)

    ask(page, "and by channel?")
    expect(page.locator(".js-plotly-plot")).to_have_count(2)

    ask(page, "why do customers prefer tea?")
    assert "error" not in answers(page)[4].lower()

    shown = answers(page)
    address = page.url
    assert "session=" in address

    page.reload()
    expect(page.get_by_test_id("stChatMessage")).to_have_count(10)
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    assert answers(page) == shown

    server.kill()
    server.start()
    page.goto(address)
    expect(page.get_by_test_id("stChatMessage")).to_have_count(10)
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    assert answers(page) == shown

    ask(page, "how many orders in Berlin?")
    assert f"{(data['city'] == 'Berlin').sum():,}" in answers(page)[5]

    page.goto(server.url)
    past = page.get_by_role("button", name="what is the total revenue?")
    expect(past).to_be_visible()
    past.click()
    expect(page.get_by_test_id("stChatMessage")).to_have_count(12)

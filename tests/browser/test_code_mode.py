"""Code execution as an analyst sees it: the switch, what code gave, failures, versions, Stop, verdicts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from agents.people import local_person
from storage.keys import SessionKey
from storage.session_states import SessionState
from storage.store import Store
from tests.browser.conftest import Server, with_key
from tests.browser.test_journey import ask, open_sample
from tests.browser.test_running import begin
from tests.servers.gemini import GeminiServer, Part, Slow, call, text

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(480)]
Serve = Callable[..., Server]
Gemini = Callable[..., GeminiServer]
HANDOVER = [[call("transfer_to_agent", agent_name="visualization_agent")]]
# A section opens slowly, and a click on what still moves in it is lost.
OPENING_MS = 800
EVERYTHING = """
import matplotlib.pyplot as plt
import plotly.express as px

regions = df.groupby("region", as_index=False)["revenue"].sum()
show(regions, title="Revenue by region")
show(px.bar(regions, x="region", y="revenue"), title="Bars")
plt.plot([1, 3, 2])
plt.show()
regions.to_csv("regions.csv", index=False)
print("four regions <b>counted</b>")
len(df)
"""


def python(code: str, title: str = "") -> list[list[Part]]:
    """A model's reply that runs code."""
    return [[call("run_python", code=code, title=title)]]


def code_mode(page: Page) -> Locator:
    """Turns the switch on; returns its field."""
    switch = page.get_by_role("switch", name="Use Code Execution (Beta)")
    expect(switch).not_to_be_checked()
    page.get_by_text("Use Code Execution (Beta)").click()
    expect(switch).to_be_checked()
    return switch


def edit(page: Page, code: str) -> None:
    """Opens the editor of the last answer's code, changes the code and runs it."""
    message = page.get_by_test_id("stChatMessage").last
    message.get_by_text("Show code").click()
    page.wait_for_timeout(OPENING_MS)
    message.get_by_role("button", name="Edit and run").click()
    message.get_by_role("textbox", name="Code").fill(code)
    message.get_by_role("button", name="Run", exact=True).click()


def all_outputs_are_shown(page: Page) -> None:
    message = page.get_by_test_id("stChatMessage").last
    expect(message.get_by_text("Revenue by region", exact=True)).to_be_visible()
    expect(message.get_by_test_id("stDataFrame")).to_have_count(1)
    expect(message.locator(".js-plotly-plot")).to_have_count(1)
    expect(message.get_by_test_id("stImage").get_by_role("img")).to_have_count(1)
    expect(message.get_by_test_id("stMetricValue")).to_have_text("6,000")
    expect(message.get_by_role("button", name="regions.csv")).to_be_visible()
    expect(message.get_by_text("Printed", exact=True)).to_have_count(1)
    expect(message.get_by_text("Show code", exact=True)).to_have_count(1)


def test_what_code_gave_is_shown_and_stays(page: Page, serve: Serve, gemini: Gemini) -> None:
    model = gemini(HANDOVER, python(EVERYTHING), [[text("Four regions.")]])
    server = serve(**with_key(model))
    open_sample(page, server)
    code_mode(page)
    page.reload()
    expect(page.get_by_role("switch", name="Use Code Execution (Beta)")).to_be_checked()
    ask(page, "everything about regions")
    all_outputs_are_shown(page)
    page.get_by_text("Printed", exact=True).click()
    expect(page.get_by_text("four regions <b>counted</b>", exact=True)).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="regions.csv").click()
    assert download.value.suggested_filename == "regions.csv"
    assert Path(download.value.path()).read_text().startswith("region,revenue")
    server.kill()
    server.start()
    page.goto(page.url)
    expect(page.get_by_role("switch", name="Use Code Execution (Beta)")).to_be_checked()
    all_outputs_are_shown(page)
    page.get_by_text("Show code").click()
    expect(page.get_by_text('regions.to_csv("regions.csv"')).to_be_visible()


def test_failures_say_why_and_offer_ways_on(page: Page, serve: Serve, gemini: Gemini) -> None:
    wrong = python("df['revenu'].sum()")
    model = gemini(
        HANDOVER,
        wrong,
        python("df['revenue'].sum()", "Total"),
        [[text("First answer.")]],
        HANDOVER,
        wrong,
        [[text("It cannot be computed.")]],
        [[call("query", measure="revenue", aggregate=["sum"])]],
        [[text("It is **629,751.98**.")]],
    )
    server = serve(**with_key(model))
    open_sample(page, server)
    code_mode(page)
    ask(page, "total revenue")
    corrected = page.get_by_test_id("stChatMessage").last
    expect(corrected.get_by_test_id("stMetricValue")).to_have_text("629,751.98")
    expect(corrected.get_by_test_id("stAlert")).to_have_count(0)
    corrected.get_by_text("Running Python: Total · 3 steps").click()
    corrected.get_by_text("Attempt 1").click()
    expect(corrected.get_by_text("The code failed at line 1: KeyError")).to_be_visible()
    ask(page, "total revenue again")
    failed = page.get_by_test_id("stChatMessage").last
    expect(failed.get_by_test_id("stAlert")).to_contain_text("revenu")
    expect(failed.get_by_text("df['revenu'].sum()").last).to_be_visible()
    failed.get_by_role("button", name="Ask in direct mode").click()
    expect(page.get_by_test_id("stChatMessage")).to_have_count(6)
    last = page.get_by_test_id("stChatMessage").last
    expect(last.get_by_test_id("stMetricValue")).to_have_text("629,751.98")
    expect(page.get_by_role("switch", name="Use Code Execution (Beta)")).to_be_checked()


def test_edited_code_is_a_new_version_and_stop_ends_an_endless_one(
    page: Page, serve: Serve, gemini: Gemini
) -> None:
    model = gemini(
        [[call("query", measure="revenue", aggregate=["sum"])]],
        [[text("It is **629,751.98**.")]],
        HANDOVER,
        python("total = 40 + 2\ntotal", "Answer"),
        [[text("It is 42.")]],
        HANDOVER,
        python("while True: pass", "Endless"),
        [[text("Never said.")]],
    )
    server = serve(**with_key(model))
    open_sample(page, server)
    ask(page, "total revenue")
    edit(page, "SELECT count(*) AS orders FROM orders")
    expect(page.get_by_text("The answer above was written for version 1.")).to_be_visible()
    expect(page.get_by_test_id("stMetricValue")).to_have_text("6,000")
    page.get_by_text("Version 1", exact=True).click()
    expect(page.get_by_test_id("stMetricValue")).to_have_text("629,751.98")

    code_mode(page)
    ask(page, "the answer")
    edit(page, "while True:\n    pass")
    expect(page.get_by_text("Running the changed code as version 2")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped. There is no new version.")).to_be_visible()
    box = page.get_by_role("textbox", name="Code")
    expect(box).to_have_value("while True:\n    pass")
    box.fill("total + 1")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_test_id("stMetricValue").last).to_have_text("43")
    page.reload()
    expect(page.get_by_test_id("stMetricValue").last).to_have_text("43")
    expect(page.get_by_text("Version 2", exact=True)).to_have_count(2)

    begin(page, "endless")
    expect(page.get_by_text("Running Python: Endless · 2 steps")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped. What was found so far is kept.")).to_be_visible()


def test_an_open_section_stays_open_when_the_answer_ends(page: Page, serve: Serve, gemini: Gemini) -> None:
    slow = Slow([[text(f"word{i} ")] for i in range(12)], 0.25)
    server = serve(**with_key(gemini([[call("query", measure="revenue", aggregate=["sum"])]], slow)))
    open_sample(page, server)
    begin(page, "total revenue")
    page.get_by_text("Show code").click()
    expect(page.get_by_text('SUM("t0"."revenue")')).to_be_visible()
    assert "word11" not in page.inner_text("body"), "opened before the end"
    expect(page.get_by_text("word11")).to_be_visible()
    expect(page.get_by_test_id("stChatInputTextArea")).to_be_enabled()
    page.wait_for_timeout(500)
    expect(page.get_by_text('SUM("t0"."revenue")')).to_be_visible()


CHECK = {"name": "second path", "statement": "DuckDB says the same.", "independent": True, "detail": ""}


def test_a_verified_answer_shows_its_checks_and_its_verdict(page: Page, serve: Serve, gemini: Gemini) -> None:
    server = serve(**with_key(gemini([[text("It is 42.")]])))
    open_sample(page, server)
    ask(page, "the answer")
    store = Store(server.home)
    key = SessionKey("agents", local_person(), page.url.split("session=")[1])
    (turn,) = store.turns.for_session(key)
    turn.parts.insert(0, {"kind": "verification", "thread_id": "t1"})
    store.turns.save(turn)
    verdicts: list[tuple[dict[str, Any], str]] = [
        ({"problem_tests": [CHECK]}, "Not verified: it was broken off."),
        (
            {
                "problem_tests": [CHECK | {"passed": False}],
                "workflow_status": "failed",
                "tests_passed": False,
            },
            "Not verified: 1 check of 1 failed: second path.",
        ),
        (
            {
                "problem_tests": [CHECK | {"passed": True}],
                "workflow_status": "completed",
                "tests_passed": True,
            },
            "Verified: its one check passed",
        ),
    ]
    for row, verdict in verdicts:
        store.session_states.save_session_state(
            SessionState(
                thread_id="t1",
                user_id=key.user_id,
                user_prompt="the answer",
                problem_description="Forty plus two.",
                **row,
            )
        )
        page.reload()
        expect(page.get_by_text(verdict)).to_be_visible()
        expect(page.get_by_text("Forty plus two.")).to_be_visible()
        expect(page.get_by_text("other path")).to_be_visible()
    store.close()

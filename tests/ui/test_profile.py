"""The profile on the page: sentences with buttons that ask, a line a column, and what a sample says."""

from typing import Any

from streamlit.testing.v1 import AppTest

from analysis.profiling import ColumnProfile, Profile
from ui import profile as page


def made(**more: Any) -> Profile:
    """Two columns of a table of 200 rows, which has duplicates."""
    city = ColumnProfile(
        "city", "VARCHAR", "text", missing=20, distinct=2, top=[["Rome", 120], [" <b>Oslo</b> ", 60]],
        text={"variants": 0, "spaces": 60},
    )  # fmt: skip
    price = ColumnProfile(
        "price", "DOUBLE", "number", missing=0, distinct=190, min=0.5, max=1200.0, mean=10.25, std=3.0,
        quantiles={"5%": 1.0, "25%": 5.0, "50%": 9.5, "75%": 14.0, "95%": 20.0}, top=[[1.5, 3]],
        histogram={"edges": [0.5, 600.25, 1200.0], "counts": [199, 1]},
    )  # fmt: skip
    about: dict[str, Any] = {
        "exact": True,
        "rows": 200,
        "rows_seen": 200,
        "duplicates": 4,
        "details": [city, price],
    }
    return Profile(**(about | more))


def shown(text: str) -> None:
    """What the script of a page with this profile draws; a click leaves its question."""
    from types import SimpleNamespace
    from typing import Any, cast

    import streamlit as st

    from analysis.profiling import Profile
    from ui import profile

    def ask(question: str) -> None:
        st.session_state["asked"] = question

    dataset: Any = SimpleNamespace(id="d", file_name="shop.csv")
    profile.render(cast(Any, dataset), Profile.from_json(text), ask)


def test_findings_are_lines_whose_buttons_ask() -> None:
    app = AppTest.from_function(shown, args=(made().to_json(),)).run()
    assert not app.exception
    lines = " ".join(str(element.value) for element in app.markdown)
    assert "4 rows \\(2\\.0 %\\) repeat an earlier row in every column\\." in lines
    assert app.caption[0].value == "Computed on all 200 rows."
    labels = [button.label for button in app.button]
    assert "remove duplicate rows" in labels and "number of rows by city" in labels
    app.button[labels.index("remove duplicate rows")].click().run()
    assert app.session_state["asked"] == "remove duplicate rows"
    table = app.dataframe[0].value
    assert table["Column"].tolist() == ["city", "price"] and table["Missing"].tolist() == ["10.0 %", ""]


def test_a_sample_is_announced() -> None:
    app = AppTest.from_function(shown, args=(made(exact=False, rows=9_000, duplicates=None).to_json(),)).run()
    assert not app.exception and app.info[0].value.startswith("Quick look at 200 of about 9,000 rows")


def test_a_column_as_a_line() -> None:
    profile = made()
    city, price = (page.row(column, profile) for column in profile.details)
    assert city["Most frequent"] == "“Rome” (66.7 %), “␣<b>Oslo</b>␣” (33.3 %)" and city["Values"] == [
        120,
        60,
    ]
    assert (price["Median"], price["Mean"], price["Highest"]) == ("9.5", "10.25", "1,200")
    assert price["Values"] == [199, 1] and price["Type"] == "number"


def test_values_that_come_once_in_a_sample_are_all_different() -> None:
    name = ColumnProfile("name", "VARCHAR", "text", missing=0, distinct=200, top=[["a", 45], ["b", 45]])
    twice = ColumnProfile("name", "VARCHAR", "text", missing=0, distinct=150, top=[["a", 90], ["b", 45]])
    profile = made(exact=False, rows=9_000, details=[name, twice])
    assert page.frequent(name, profile) == "all different"
    assert page.frequent(twice, profile).startswith("“a” (1.0 %)")

"""Requests to change the data become one step each; several tables never get mixed up."""

from dataclasses import replace
from typing import Any

import pytest
from google.adk.tools.function_tool import FunctionTool

from agents.planner.intent import Intent
from agents.planner.schema import Schema
from agents.planner.understand import understand
from agents.tools import cleaning
from tests.planner.schemas import ORDERS, PEOPLE, column, schema
from tests.planner.talk import Talk

CUSTOMERS = schema(
    "customers",
    800,
    [
        column("customer_id", "integer", 800),
        column("country", "text", 5, ["Germany", "France", "Spain"]),
        column("age", "integer", 60),
        column("segment", "text", 3, ["Consumer", "Corporate"]),
    ],
)
SHOP = replace(
    ORDERS,
    columns=[*ORDERS.columns, replace(CUSTOMERS.columns[0], distinct=700)],
    others=[CUSTOMERS, PEOPLE],
    joins=[
        {
            "left": "orders",
            "right": "customers",
            "left_on": ["customer_id"],
            "right_on": ["customer_id"],
        }
    ],
)
STEPS: list[tuple[str, dict[str, Any]]] = [
    ("remove duplicates", {"step": "drop_duplicates"}),
    (
        "please drop duplicate rows by order_id and keep the last one",
        {"step": "drop_duplicates", "columns": ["order_id"], "keep": "last"},
    ),
    (
        "fill missing rating with the median",
        {"step": "fill_missing", "columns": ["rating"], "method": "median"},
    ),
    (
        "Fill missing values in rating with the mean of each region",
        {"step": "fill_missing", "columns": ["rating"], "method": "mean", "by": ["region"]},
    ),
    ("fill missing city with 'unknown'", {"step": "fill_missing", "columns": ["city"], "value": "unknown"}),
    (
        "forward fill rating by order date",
        {"step": "fill_missing", "columns": ["rating"], "method": "previous", "order_by": "order_date"},
    ),
    ("rename unit_price to price", {"step": "rename", "columns": ["unit_price"], "names": ["price"]}),
    (
        "rename unit price to price and quantity to units",
        {"step": "rename", "columns": ["unit_price", "quantity"], "names": ["price", "units"]},
    ),
    ("drop rows where region is missing", {"step": "drop_missing", "columns": ["region"]}),
    ("remove rows with missing values", {"step": "drop_missing"}),
    ("convert order date to date", {"step": "change_type", "columns": ["order_date"], "to": "date"}),
    (
        "change the type of discount to number with format 1.234,5",
        {"step": "change_type", "columns": ["discount"], "to": "number", "format": "1.234,5"},
    ),
    (
        "convert discount to number and make the rest missing",
        {"step": "change_type", "columns": ["discount"], "to": "number", "on_error": "missing"},
    ),
    ("remove outliers of unit price", {"step": "outliers", "columns": ["unit_price"], "action": "remove"}),
    (
        "now clip outliers in revenue using z-score",
        {"step": "outliers", "columns": ["revenue"], "action": "clip", "method": "zscore"},
    ),
    ("unpivot unit_price and revenue", {"step": "unpivot", "columns": ["unit_price", "revenue"]}),
    (
        "melt unit_price and revenue into kind and money keeping order_id",
        {
            "step": "unpivot", "columns": ["unit_price", "revenue"],
            "by": ["order_id"], "names": ["kind", "money"],
        },
    ),
    (
        "add a column margin = revenue - unit price * quantity",
        {"step": "derive", "name": "margin", "expression": '"revenue" - "unit_price" * "quantity"'},
    ),
    (
        "extract the year from order_date as jahr",
        {"step": "derive", "name": "jahr", "expression": 'year("order_date")'},
    ),
    ("trim spaces in city", {"step": "clean_text", "columns": ["city"], "method": "trim"}),
    ("make city upper case", {"step": "clean_text", "columns": ["city"], "method": "upper"}),
    (
        "keep only rows where revenue is above 100 and region is West",
        {
            "step": "filter",
            "where": [
                {"column": "revenue", "op": "greater_than", "value": 100},
                {"column": "region", "op": "equals", "value": "West"},
            ],
        },
    ),
    (
        "remove rows where revenue is below 10",
        {
            "step": "filter", "keep": "others",
            "where": [{"column": "revenue", "op": "less_than", "value": 10}],
        },
    ),
    (
        'replace "Web" with "Online" in channel',
        {"step": "replace_values", "columns": ["channel"], "old": ["Web"], "value": "Online"},
    ),
    ("drop the columns rating and returned", {"step": "drop_columns", "columns": ["rating", "returned"]}),
    ("keep only the columns region and revenue", {"step": "keep_columns", "columns": ["region", "revenue"]}),
    ("split product at space", {"step": "split_column", "columns": ["product"], "separator": " "}),
    ("bin revenue into 5 ranges", {"step": "bin", "columns": ["revenue"], "bins": 5}),
    (
        "cut revenue at 10, 100 and 1000",
        {"step": "bin", "columns": ["revenue"], "edges": [10.0, 100.0, 1000.0]},
    ),
    ("standardize revenue", {"step": "scale", "columns": ["revenue"], "method": "standard"}),
    ("one-hot encode channel", {"step": "one_hot", "columns": ["channel"]}),
    (
        "pivot channel into columns with the total of revenue by region",
        {"step": "pivot", "columns": ["channel"], "by": ["region"], "value": "revenue", "aggregate": "sum"},
    ),
    (
        "keep the top 100 rows by revenue",
        {"step": "sort", "by": ["revenue"], "descending": True, "limit": 100},
    ),
    ("take a random sample of 500 rows", {"step": "sample", "limit": 500}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), STEPS, ids=[text for text, _ in STEPS])
def test_a_request_becomes_its_step(text: str, expected: dict[str, Any]) -> None:
    for tables in (ORDERS, SHOP):
        intent = understand(text, tables)
        assert (intent.tool, intent.arguments) == ("clean_data", expected), intent.reply


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        ("what tables are there?", "list_tables", {}),
        ("undo", "undo_cleaning", {}),
        ("take that back", "undo_cleaning", {}),
        ("undo the last step in customers", "undo_cleaning", {"dataset": "customers"}),
        ("how did you clean the data?", "cleaning_steps", {}),
        ("show the steps", "cleaning_steps", {}),
        (
            "join orders with customers on customer_id",
            "join_tables",
            {
                "left": "orders", "right": "customers",
                "left_on": ["customer_id"], "right_on": ["customer_id"],
            },
        ),
        ("inner join with customers", "join_tables",
         {"left": "orders", "right": "customers", "how": "inner"}),
        ("can orders be joined with customers?", "check_join", {"left": "orders", "right": "customers"}),
        ("trim spaces in country", "clean_data",
         {"step": "clean_text", "columns": ["country"], "method": "trim", "dataset": "customers"}),
        ("remove duplicates in employees", "clean_data", {"step": "drop_duplicates", "dataset": "employees"}),
        ("keep only rows where segment is Corporate", "clean_data",
         {"step": "filter", "dataset": "customers",
          "where": [{"column": "segment", "op": "equals", "value": "Corporate"}]}),
        ("append customers to orders", "clean_data", {"step": "append", "others": ["customers"]}),
    ],
)  # fmt: skip
def test_tables_steps_and_joins(text: str, tool: str, arguments: dict[str, Any]) -> None:
    intent = understand(text, SHOP)
    assert (intent.tool, intent.arguments) == (tool, arguments), intent.reply


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fill missing values with the median", "Which column should be filled"),
        ("remove outliers", "Outliers of which column"),
        ("rename prize to cost", 'no column "prize"'),
        ("add a column margin = revenue - expenses", '"expenses" in the formula'),
        ("keep only rows where the moon is full", "did not understand the condition"),
        ("keep rows where region is West or East", 'with "and" only'),
        ("drop the column price and banana", 'no column "banana"'),
        ("join orders with sales", 'no table "sales"'),
        ("join it", "with which table"),
        ("deduplicate by order_id, keeping the banana", "no column"),
    ],
)
def test_what_is_unclear_is_asked_about(text: str, said: str) -> None:
    intent = understand(text, SHOP)
    assert not intent.tool and said in intent.reply


@pytest.mark.parametrize(
    "text",
    [
        "total revenue by region", "drop in revenue", "make a bar chart of revenue by region",
        "split it by region", "show the first 10 rows", "group revenue by region", "add up revenue by region",
        "change in revenue by month", "convert it to a bar chart", "compute the month of highest revenue",
        "revenue to date", "keep only 2024", "make a chart of revenue to date",
        "which orders have missing ratings", "outliers in revenue",
    ],
)  # fmt: skip
def test_questions_are_no_requests_to_change_anything(text: str) -> None:
    assert understand(text, ORDERS).tool not in ("clean_data", "join_tables", "undo_cleaning")


def meant(text: str, table: Schema) -> tuple[str, str]:
    intent: Intent = understand(text, table)
    return intent.tool, intent.arguments.get("dataset", "orders") if intent.tool != "check_join" else ""


def test_a_question_is_answered_on_the_table_that_has_its_columns() -> None:
    assert meant("total revenue by region", SHOP) == ("query", "orders")
    assert meant("number of customers by segment", SHOP) == ("query", "customers")
    assert meant("how many customers are there", SHOP) == ("query", "customers")
    assert meant("how many customers are in Germany", SHOP) == ("query", "customers")
    assert meant("average salary by department", SHOP) == ("query", "employees")
    assert meant("total revenue in customers", SHOP)[0] == ""
    assert meant("average age by country", replace(SHOP, others=[CUSTOMERS])) == ("query", "customers")


def test_other_topics_find_their_table_too() -> None:
    staff = replace(SHOP, others=[PEOPLE])
    intent = understand("is salary different between Sales and Finance", staff)
    assert intent.arguments.get("dataset") == "employees", intent
    assert understand("forecast revenue", staff).arguments.get("dataset") is None
    two = understand("does revenue depend on segment, by anova", SHOP)
    assert two.tool in ("check_join", ""), two


def test_several_tables_that_fit_are_asked_about() -> None:
    intent = understand("average age", SHOP)
    assert not intent.tool and "customers, employees" in intent.reply


def test_columns_of_two_tables_take_a_join_which_is_proposed() -> None:
    intent = understand("total revenue by segment", SHOP)
    assert intent.tool == "check_join"
    assert intent.notes == ["revenue is in orders, segment in customers"]
    assert intent.arguments == {
        "left": "orders", "right": "customers", "left_on": ["customer_id"], "right_on": ["customer_id"],
    }  # fmt: skip
    unclear = understand("total revenue by office", SHOP)
    assert not unclear.tool and "no column clearly joins" in unclear.reply
    two = replace(SHOP, joins=[*SHOP.joins, SHOP.joins[0] | {"left_on": ["order_id"]}])
    several = understand("total revenue by segment", two)
    assert not several.tool and "orders.order_id = customers.customer_id" in several.reply


def test_an_answer_among_several_tables_says_which() -> None:
    talk = Talk("sales").ask("total sales by region")
    assert "table orders" in talk.text
    assert "table customers" in talk.ask("average age by segment").text
    assert talk.calls[0][1]["dataset"] == "customers"
    # The question that goes on is about the same table, though another one is the current.
    assert talk.ask("and by country?").calls[0][1]["dataset"] == "customers"
    assert "table" not in Talk("people").ask("average salary").text


def test_models_are_told_the_tools_in_full() -> None:
    for tool in (cleaning.clean_data, cleaning.join_tables, cleaning.check_join, cleaning.undo_cleaning):
        declaration = FunctionTool(tool)._get_declaration()
        assert declaration is not None and declaration.name == tool.__name__ and declaration.description

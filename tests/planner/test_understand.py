"""Questions as people type them, on three tables, and the call each must become."""

import json
import re
import time
from typing import Any

import pytest

from agents.planner.followup import follow
from agents.planner.schema import Schema
from agents.planner.understand import understand
from tests.conftest import ROOT
from tests.planner.schemas import ORDERS, PEOPLE, SENSORS

Case = tuple[Schema, str, str, dict[str, Any]]
CASES: list[Case] = [
    (ORDERS, "what is the total revenue?", "query", {"measure": "revenue", "aggregate": ["sum"]}),
    (
        ORDERS,
        "average rating by region",
        "query",
        {"measure": "rating", "aggregate": ["mean"], "by": ["region"]},
    ),
    (
        ORDERS,
        "bar chart of total revenue by category",
        "show",
        {"kind": "bar", "x": "category", "y": "revenue", "aggregate": "sum"},
    ),
    (
        ORDERS,
        "how many orders in Berlin?",
        "query",
        {"where": [{"column": "city", "op": "equals", "value": "Berlin"}]},
    ),
    (
        ORDERS,
        "revenue over time by month as a line chart",
        "show",
        {"kind": "line", "x": "order_date", "y": "revenue", "aggregate": "sum", "interval": "month"},
    ),
    (
        ORDERS,
        "average rating in Berlin since March 2025",
        "query",
        {
            "measure": "rating",
            "aggregate": ["mean"],
            "where": [
                {"column": "order_date", "op": "at_least", "value": "2025-03"},
                {"column": "city", "op": "equals", "value": "Berlin"},
            ],
        },
    ),
    (ORDERS, "correlation between quantity and discount", "correlate", {"x": "quantity", "y": "discount"}),
    (
        ORDERS,
        "compare revenue between New and Returning",
        "compare",
        {"measure": "revenue", "by": "customer_type", "groups": ["Returning", "New"]},
    ),
    (ORDERS, "compare revenue by channel", "compare", {"measure": "revenue", "by": "channel"}),
    (
        ORDERS,
        "top 5 products by revenue",
        "query",
        {"measure": "revenue", "aggregate": ["sum"], "by": ["product"], "order": "descending", "limit": 5},
    ),
    (
        ORDERS,
        "top 3 cities by number of orders",
        "query",
        {"by": ["city"], "order": "descending", "limit": 3},
    ),
    (
        ORDERS,
        "which region has the highest revenue?",
        "query",
        {"by": ["region"], "order": "descending", "measure": "revenue", "aggregate": ["sum"]},
    ),
    (ORDERS, "which city has the fewest orders", "query", {"by": ["city"], "order": "ascending"}),
    (
        ORDERS,
        "median unit price per category",
        "query",
        {"measure": "unit_price", "aggregate": ["median"], "by": ["category"]},
    ),
    (ORDERS, "how many cities are there?", "query", {"measure": "city", "aggregate": ["distinct"]}),
    (ORDERS, "how many distinct products", "query", {"measure": "product", "aggregate": ["distinct"]}),
    (ORDERS, "missing values", "missing", {}),
    (ORDERS, "outliers in quantity", "outliers", {"column": "quantity"}),
    (ORDERS, "distribution of unit price", "distribution", {"column": "unit_price"}),
    (ORDERS, "histogram of revenue", "show", {"kind": "histogram", "x": "revenue"}),
    (
        ORDERS,
        "scatter plot of quantity vs revenue",
        "show",
        {"kind": "scatter", "x": "quantity", "y": "revenue"},
    ),
    (ORDERS, "box plot of revenue by region", "show", {"kind": "box", "y": "revenue", "by": "region"}),
    (ORDERS, "heatmap of correlations", "show", {"kind": "heatmap"}),
    (
        ORDERS,
        "pie chart of revenue by channel",
        "show",
        {"kind": "pie", "x": "channel", "y": "revenue", "aggregate": "sum"},
    ),
    (ORDERS, "crosstab of region and channel", "crosstab", {"rows": "region", "columns": "channel"}),
    (
        ORDERS,
        "show orders with revenue above 5000",
        "rows",
        {"where": [{"column": "revenue", "op": "greater_than", "value": 5000}]},
    ),
    (
        ORDERS,
        "list returned orders",
        "rows",
        {"where": [{"column": "returned", "op": "equals", "value": True}]},
    ),
    (
        ORDERS,
        "how many orders were returned",
        "query",
        {"where": [{"column": "returned", "op": "equals", "value": True}]},
    ),
    (
        ORDERS,
        "monthly revenue by region",
        "trend",
        {"measure": "revenue", "aggregate": "sum", "by": "region", "interval": "month"},
    ),
    (
        ORDERS,
        "revenue by weekday",
        "query",
        {"measure": "revenue", "aggregate": ["sum"], "by": ["order_date"], "interval": "weekday"},
    ),
    (
        ORDERS,
        "total revenue in 2025",
        "query",
        {
            "measure": "revenue",
            "aggregate": ["sum"],
            "where": [{"column": "order_date", "op": "equals", "value": "2025"}],
        },
    ),
    (
        ORDERS,
        "total revenue in Q2 2025",
        "query",
        {
            "measure": "revenue",
            "aggregate": ["sum"],
            "where": [
                {"column": "order_date", "op": "at_least", "value": "2025-04"},
                {"column": "order_date", "op": "at_most", "value": "2025-06"},
            ],
        },
    ),
    (
        ORDERS,
        "revenue since march",
        "query",
        {
            "measure": "revenue",
            "aggregate": ["sum"],
            "where": [{"column": "order_date", "op": "at_least", "value": "2026-03"}],
        },
    ),
    (
        ORDERS,
        "revenue last month",
        "query",
        {
            "measure": "revenue",
            "aggregate": ["sum"],
            "where": [{"column": "order_date", "op": "equals", "value": "2026-06"}],
        },
    ),
    (
        ORDERS,
        "total revenue last quarter",
        "query",
        {
            "measure": "revenue",
            "aggregate": ["sum"],
            "where": [
                {"column": "order_date", "op": "at_least", "value": "2026-04"},
                {"column": "order_date", "op": "at_most", "value": "2026-06"},
            ],
        },
    ),
    (ORDERS, "average price", "query", {"measure": "unit_price", "aggregate": ["mean"]}),
    (
        ORDERS,
        "average discount for espresso machine",
        "query",
        {
            "measure": "discount",
            "aggregate": ["mean"],
            "where": [{"column": "product", "op": "equals", "value": "Espresso machine"}],
        },
    ),
    (ORDERS, "revenue by regoin", "query", {"measure": "revenue", "aggregate": ["sum"], "by": ["region"]}),
    (
        ORDERS,
        "total sales by region",
        "query",
        {"measure": "revenue", "aggregate": ["sum"], "by": ["region"]},
    ),
    (ORDERS, "number of orders by customer type", "query", {"by": ["customer_type"]}),
    (ORDERS, "describe revenue", "describe", {"column": "revenue"}),
    (ORDERS, "summary of the data", "profile", {}),
    (ORDERS, "describe city", "describe", {"column": "city"}),
    (
        ORDERS,
        "orders between 2025-01-01 and 2025-02-15",
        "rows",
        {
            "where": [
                {"column": "order_date", "op": "at_least", "value": "2025-01-01"},
                {"column": "order_date", "op": "at_most", "value": "2025-02-15"},
            ]
        },
    ),
    (
        ORDERS,
        "total revenue between Jan and Mar 2025",
        "query",
        {
            "measure": "revenue",
            "aggregate": ["sum"],
            "where": [
                {"column": "order_date", "op": "at_least", "value": "2025-01"},
                {"column": "order_date", "op": "at_most", "value": "2025-03"},
            ],
        },
    ),
    (
        ORDERS,
        "standard deviation of revenue by channel",
        "query",
        {"measure": "revenue", "aggregate": ["std"], "by": ["channel"]},
    ),
    (
        ORDERS,
        "min and max revenue by region",
        "query",
        {"measure": "revenue", "aggregate": ["min", "max"], "by": ["region"]},
    ),
    (
        ORDERS,
        "revenue by region and channel",
        "query",
        {"measure": "revenue", "aggregate": ["sum"], "by": ["region", "channel"]},
    ),
    (
        ORDERS,
        "orders with quantity between 5 and 10",
        "rows",
        {"where": [{"column": "quantity", "op": "between", "values": [5, 10]}]},
    ),
    (
        ORDERS,
        "how many orders with discount at least 0.1",
        "query",
        {"where": [{"column": "discount", "op": "at_least", "value": 0.1}]},
    ),
    (
        ORDERS,
        "share of revenue by channel",
        "query",
        {"measure": "revenue", "aggregate": ["sum"], "by": ["channel"]},
    ),
    (ORDERS, "trend of average rating", "trend", {"measure": "rating", "aggregate": "mean"}),
    (
        ORDERS,
        "spearman correlation between rating and revenue",
        "correlate",
        {"x": "rating", "y": "revenue", "method": "spearman"},
    ),
    (ORDERS, "rows where rating is missing", "rows", {"where": [{"column": "rating", "op": "is_missing"}]}),
    (ORDERS, "top 10 orders by revenue", "rows", {"limit": 10, "order_by": "revenue", "descending": True}),
    (ORDERS, "number of rows by region", "query", {"by": ["region"]}),
    (ORDERS, "plot revenue", "show", {"kind": "histogram", "x": "revenue"}),
    (
        ORDERS,
        "growth of revenue by quarter",
        "trend",
        {"measure": "revenue", "aggregate": "sum", "interval": "quarter"},
    ),
    (
        ORDERS,
        "select region, count(*) from orders group by 1",
        "sql",
        {"query": "select region, count(*) from orders group by 1"},
    ),
    (
        ORDERS,
        "maximum revenue in Hamburg or Berlin",
        "query",
        {
            "measure": "revenue",
            "aggregate": ["max"],
            "where": [{"column": "city", "op": "in", "values": ["Berlin", "Hamburg"]}],
        },
    ),
    (
        ORDERS,
        "revenue without returned",
        "query",
        {
            "measure": "revenue",
            "aggregate": ["sum"],
            "where": [{"column": "returned", "op": "equals", "value": False}],
        },
    ),
    (
        ORDERS,
        "revenue of web and phone",
        "query",
        {
            "measure": "revenue",
            "aggregate": ["sum"],
            "where": [{"column": "channel", "op": "in", "values": ["Web", "Phone"]}],
        },
    ),
    (
        ORDERS,
        'total revenue by region where channel is "Web" as a bar chart',
        "show",
        {
            "kind": "bar",
            "x": "region",
            "y": "revenue",
            "aggregate": "sum",
            "where": [{"column": "channel", "op": "equals", "value": "Web"}],
        },
    ),
    (
        PEOPLE,
        "what is the average salary by department?",
        "query",
        {"measure": "Salary", "aggregate": ["mean"], "by": ["Department"]},
    ),
    (
        PEOPLE,
        "how many employees work in London?",
        "query",
        {"where": [{"column": "Office", "op": "equals", "value": "London"}]},
    ),
    (
        PEOPLE,
        "how many women are there in engineering",
        "query",
        {
            "where": [
                {"column": "Department", "op": "equals", "value": "Engineering"},
                {"column": "Gender", "op": "equals", "value": "Female"},
            ]
        },
    ),
    (PEOPLE, "headcount by office", "query", {"by": ["Office"]}),
    (
        PEOPLE,
        "top 3 departments by average salary",
        "query",
        {"measure": "Salary", "aggregate": ["mean"], "by": ["Department"], "order": "descending", "limit": 3},
    ),
    (PEOPLE, "salary distribution", "distribution", {"column": "Salary"}),
    (
        PEOPLE,
        "compare salaries of female and male",
        "compare",
        {"measure": "Salary", "by": "Gender", "groups": ["Female", "Male"]},
    ),
    (PEOPLE, "is age related to salary?", "correlate", {"x": "Age", "y": "Salary"}),
    (PEOPLE, "box plot of salary by department", "show", {"kind": "box", "y": "Salary", "by": "Department"}),
    (
        PEOPLE,
        "employees older than 60",
        "rows",
        {"where": [{"column": "Age", "op": "greater_than", "value": 60}]},
    ),
    (PEOPLE, "hires per year", "trend", {"date": "hire_date", "interval": "year"}),
    (
        PEOPLE,
        "number of employees hired since 2020",
        "query",
        {"where": [{"column": "hire_date", "op": "at_least", "value": "2020"}]},
    ),
    (
        PEOPLE,
        "average performance by gender and office",
        "query",
        {"measure": "Performance Score", "aggregate": ["mean"], "by": ["Gender", "Office"]},
    ),
    (
        PEOPLE,
        "show me all managers in Paris",
        "rows",
        {
            "where": [
                {"column": "Job Title", "op": "equals", "value": "Manager"},
                {"column": "Office", "op": "equals", "value": "Paris"},
            ]
        },
    ),
    (PEOPLE, "median age", "query", {"measure": "Age", "aggregate": ["median"]}),
    (PEOPLE, "percentage of remote employees", "distribution", {"column": "remote"}),
    (PEOPLE, "histogram of age", "show", {"kind": "histogram", "x": "Age"}),
    (
        PEOPLE,
        "average salry per departement",
        "query",
        {"measure": "Salary", "aggregate": ["mean"], "by": ["Department"]},
    ),
    (
        PEOPLE,
        "which office has the lowest average salary",
        "query",
        {"by": ["Office"], "order": "ascending", "measure": "Salary", "aggregate": ["mean"]},
    ),
    (PEOPLE, "are there missing values in salary?", "missing", {}),
    (PEOPLE, "count of job titles", "query", {"by": ["Job Title"]}),
    (
        SENSORS,
        "average temperature by site",
        "query",
        {"measure": "temp_C", "aggregate": ["mean"], "by": ["site"]},
    ),
    (SENSORS, "hourly temperature", "trend", {"measure": "temp_C", "aggregate": "mean", "interval": "hour"}),
    (
        SENSORS,
        "daily mean humidity",
        "trend",
        {"measure": "Humidity %", "aggregate": "mean", "interval": "day"},
    ),
    (
        SENSORS,
        "max battery voltage per sensor",
        "query",
        {"measure": "batteryVoltage", "aggregate": ["max"], "by": ["sensorId"]},
    ),
    (
        SENSORS,
        "how many failed readings",
        "query",
        {"where": [{"column": "status", "op": "equals", "value": "failed"}]},
    ),
    (
        SENSORS,
        "plot temperature over time",
        "show",
        {"kind": "line", "x": "Timestamp", "y": "temp_C", "aggregate": "mean"},
    ),
    (SENSORS, "scatter of temp vs humidity", "show", {"kind": "scatter", "x": "temp_C", "y": "Humidity %"}),
    (
        SENSORS,
        "outliers in temperature on the roof",
        "outliers",
        {"column": "temp_C", "where": [{"column": "site", "op": "equals", "value": "Roof"}]},
    ),
    (
        SENSORS,
        "temperature in February 2025",
        "query",
        {
            "measure": "temp_C",
            "aggregate": ["mean"],
            "where": [{"column": "Timestamp", "op": "equals", "value": "2025-02"}],
        },
    ),
    (
        SENSORS,
        "readings with battery below 3.1",
        "rows",
        {"where": [{"column": "batteryVoltage", "op": "less_than", "value": 3.1}]},
    ),
    (SENSORS, "correlation matrix", "correlate", {}),
    (
        SENSORS,
        "number of warnings by site",
        "query",
        {"by": ["site"], "where": [{"column": "status", "op": "equals", "value": "warning"}]},
    ),
    (
        SENSORS,
        "temperature by hour of the day in the yard",
        "trend",
        {
            "measure": "temp_C",
            "aggregate": "mean",
            "interval": "hour",
            "where": [{"column": "site", "op": "equals", "value": "Yard"}],
        },
    ),
    (
        SENSORS,
        "standard deviation of humidity by sensor id",
        "query",
        {"measure": "Humidity %", "aggregate": ["std"], "by": ["sensorId"]},
    ),
    (
        SENSORS,
        "what's the lowest battery voltage?",
        "query",
        {"measure": "batteryVoltage", "aggregate": ["min"]},
    ),
    (
        SENSORS,
        "weekly average temp per site as a line chart",
        "show",
        {
            "kind": "line",
            "x": "Timestamp",
            "by": "site",
            "y": "temp_C",
            "aggregate": "mean",
            "interval": "week",
        },
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[1])
def test_a_question_becomes_its_call(case: Case) -> None:
    schema, question, tool, arguments = case
    intent = understand(question, schema)
    assert (intent.tool, json.loads(json.dumps(intent.arguments))) == (tool, arguments), intent.reply


ASKS = [
    (ORDERS, "total", "Which|which column|of which"),
    (ORDERS, "revenue by nonsense", 'no column "nonsense"'),
    (ORDERS, "total revenue of purple orders", "purple"),
    (ORDERS, "unique customers", "customer_type"),
    (ORDERS, "scatter plot", "two number columns"),
    (ORDERS, "asdf qwer", "did not understand"),
    (PEOPLE, "average", "of which column"),
    (PEOPLE, "who earns the most?", "did not understand"),
    (ORDERS, "why do customers prefer tea?", "no reasons"),
    (ORDERS, "predict revenue next month", "no reasons"),
    (PEOPLE, "will salaries go up next year", "no reasons"),
    (ORDERS, "what can you do?", "fixed list of forms"),
    (ORDERS, "hello", "Hello"),
]


@pytest.mark.parametrize("case", ASKS, ids=lambda case: case[1])
def test_what_is_unclear_is_asked_back_and_nothing_is_computed(case: tuple[Schema, str, str]) -> None:
    schema, question, words = case
    intent = understand(question, schema)
    assert intent.tool == "" and re.search(words, intent.reply)


def test_an_ambiguous_column_lists_the_candidates() -> None:
    sales = Schema.from_card(
        {
            "current": "s",
            "datasets": [
                {
                    "name": "s",
                    "rows": 9,
                    "columns": [
                        {"name": "sales_net", "kind": "number", "distinct": 9},
                        {"name": "sales_gross", "kind": "number", "distinct": 9},
                    ],
                }
            ],
        }
    )
    assert sales is not None
    reply = understand("total sales", sales).reply
    assert "sales_net" in reply and "sales_gross" in reply


@pytest.mark.parametrize(
    ("question", "look_up"),
    [
        ("revenue in Paris", "Paris"),
        ('revenue for "House blend"', "House blend"),
        ("revenue in paris", "paris"),
    ],
)
def test_a_value_that_is_not_listed_is_looked_up(question: str, look_up: str) -> None:
    assert understand(question, ORDERS).look_up == look_up


REVENUE = ("query", {"measure": "revenue", "aggregate": ["sum"], "by": ["region"]})
BARS = ("show", {"kind": "bar", "x": "category", "y": "revenue", "aggregate": "sum"})
LINE = ("show", {"kind": "line", "x": "order_date", "y": "revenue", "aggregate": "sum"})
FOLLOWS: list[tuple[tuple[str, dict[str, Any]], str, str, dict[str, Any]]] = [
    (REVENUE, "and by channel?", "query", {"by": ["channel"]}),
    (REVENUE, "what about the median?", "query", {"aggregate": ["median"]}),
    (REVENUE, "what about rating?", "query", {"measure": "rating", "aggregate": ["mean"]}),
    (REVENUE, "as a line chart", "show", {"kind": "line", "x": "region", "y": "revenue"}),
    (REVENUE, "as a pie", "show", {"kind": "pie", "x": "region"}),
    (REVENUE, "only 2024", "query", {"where": [{"column": "order_date", "op": "equals", "value": "2024"}]}),
    (
        REVENUE,
        "for Berlin instead",
        "query",
        {"where": [{"column": "city", "op": "equals", "value": "Berlin"}]},
    ),
    (
        REVENUE,
        "and in Hamburg?",
        "query",
        {"where": [{"column": "city", "op": "equals", "value": "Hamburg"}]},
    ),
    (
        REVENUE,
        "now without Web",
        "query",
        {"where": [{"column": "channel", "op": "not_equals", "value": "Web"}]},
    ),
    (REVENUE, "top 3 only", "query", {"limit": 3, "order": "descending"}),
    (REVENUE, "sort ascending", "query", {"order": "ascending"}),
    (REVENUE, "by month", "query", {"by": ["order_date", "region"], "interval": "month"}),
    (REVENUE, "split by channel", "query", {"by": ["region", "channel"]}),
    (BARS, "and by channel?", "show", {"x": "channel", "kind": "bar"}),
    (BARS, "as a pie", "show", {"kind": "pie", "x": "category"}),
    (BARS, "only 2025", "show", {"where": [{"column": "order_date", "op": "equals", "value": "2025"}]}),
    (BARS, "average instead", "show", {"aggregate": "mean"}),
    (BARS, "as a table", "query", {"by": ["category"], "measure": "revenue", "aggregate": ["sum"]}),
    (LINE, "and by region?", "show", {"x": "order_date", "by": "region"}),
    (("describe", {"column": "revenue"}), "and rating?", "describe", {"column": "rating"}),
    (("correlate", {"x": "quantity", "y": "revenue"}), "and discount?", "correlate", {"y": "discount"}),
    (("rows", {"limit": 5}), "only in Berlin", "rows", {"limit": 5}),
]


@pytest.mark.parametrize("case", FOLLOWS, ids=lambda case: f"{case[0][0]}: {case[1]}")
def test_a_follow_up_changes_the_last_call(
    case: tuple[tuple[str, dict[str, Any]], str, str, dict[str, Any]],
) -> None:
    previous, question, tool, arguments = case
    intent = follow(question, ORDERS, previous)
    assert intent is not None and intent.tool == tool, intent
    for name, value in arguments.items():
        assert intent.arguments[name] == value


@pytest.mark.parametrize(
    "question", ["average rating by city", "top 5 products by revenue", "missing values"]
)
def test_a_whole_question_is_no_follow_up(question: str) -> None:
    assert follow(question, ORDERS, REVENUE) is None


def test_relative_dates_count_back_from_the_data_and_say_so() -> None:
    intent = understand("revenue in the last 30 days", ORDERS)
    assert intent.arguments["where"] == [
        {"column": "order_date", "op": "greater_than", "value": "2026-05-31"}
    ]
    assert any("2026-06-30" in note for note in intent.notes)


FORMS = re.findall(r"^- `([^`]+)`", (ROOT / "agents/planner/forms.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("question", FORMS)
def test_every_published_form_is_understood(question: str) -> None:
    intent = understand(question, ORDERS)
    assert intent.tool or question == "analyse this data", intent.reply


def test_a_question_costs_little() -> None:
    begun = time.process_time()
    for _ in range(20):
        for _, question, _, _ in CASES:
            understand(question, ORDERS)
    assert (time.process_time() - begun) / (20 * len(CASES)) < 0.05

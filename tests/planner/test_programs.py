"""Programs of the planner: their numbers are the tools' numbers, whatever the data is called or lacks."""

import ast
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest

from agents.planner.draft import WIDTH
from agents.planner.programs import intent_of
from analysis.engine import Engine, result_table
from analysis.errors import AnalysisError
from analysis.ingest import ingest
from sandbox.client import Worker
from storage.keys import SessionKey
from storage.store import Store
from tests.planner.blind_fifth import BLIND_FIFTH
from tests.planner.frames import frames
from tests.planner.running import Call, computed, differences, drawn, execute, table_of, written
from tests.planner.tables import CARDS
from tests.planner.talk import first_call
from tests.planner.test_questions import LISTED

Load = Callable[..., Engine]
LONGER = ("compare", "outliers", "profile", "missing", "sql")
"""Tools that stay tools: their code would be long."""
OPERATORS: list[dict[str, Any]] = [
    {"column": "city", "op": "equals", "value": "BERLIN "},
    {"column": "city", "op": "not_equals", "value": "Berlin"},
    {"column": "city", "op": "contains", "value": "E"},
    {"column": "city", "op": "starts_with", "value": "b"},
    {"column": "city", "op": "ends_with", "value": "N"},
    {"column": "city", "op": "in", "values": ["berlin", "Bonn"]},
    {"column": "city", "op": "not_in", "values": ["berlin", "Bonn"]},
    {"column": "city", "op": "is_missing"},
    {"column": "city", "op": "is_present"},
    {"column": "amount", "op": "equals", "value": 5},
    {"column": "amount", "op": "not_equals", "value": "5"},
    {"column": "amount", "op": "greater_than", "value": 5},
    {"column": "amount", "op": "less_than", "value": 5.0},
    {"column": "amount", "op": "at_least", "value": 5},
    {"column": "amount", "op": "at_most", "value": 5},
    {"column": "amount", "op": "between", "values": [2, 5]},
    {"column": "amount", "op": "in", "values": [1, 2]},
    {"column": "amount", "op": "not_in", "values": [1, 2]},
    {"column": "amount", "op": "is_missing"},
    {"column": "paid", "op": "equals", "value": True},
    {"column": "paid", "op": "equals", "value": "no"},
    {"column": "paid", "op": "not_equals", "value": True},
    {"column": "day", "op": "equals", "value": "2024"},
    {"column": "day", "op": "equals", "value": "2024-02"},
    {"column": "day", "op": "not_equals", "value": "2024-02"},
    {"column": "day", "op": "greater_than", "value": "2024-02"},
    {"column": "day", "op": "less_than", "value": "2024-02-10"},
    {"column": "day", "op": "at_least", "value": "2024-02"},
    {"column": "day", "op": "at_most", "value": "2024-02"},
    {"column": "day", "op": "between", "values": ["2024-01", "2024-02"]},
    {"column": "day", "op": "in", "values": ["2024-01", "2024-03"]},
    {"column": "day", "op": "not_in", "values": ["2024-01", "2024-03"]},
    {"column": "day", "op": "is_missing"},
]
SHAPES: list[Call] = [
    ("query", {"measure": "amount", "aggregate": ["sum", "mean", "median", "std", "min", "max"]}),
    ("query", {"measure": "amount", "aggregate": ["sum", "count", "distinct"], "by": ["city"]}),
    ("query", {"measure": "amount", "by": ["city", "paid"], "order": "ascending"}),
    ("query", {"measure": "paid", "aggregate": ["sum", "mean", "min"], "by": ["city"]}),
    ("query", {"measure": "paid", "aggregate": ["mean"]}),
    ("query", {"measure": "city", "aggregate": ["min", "max", "distinct"], "by": ["paid"]}),
    ("query", {"measure": "day", "aggregate": ["min", "max"], "by": ["city"]}),
    ("query", {"measure": "day", "aggregate": ["max"]}),
    ("query", {"by": ["amount"], "order": "group"}),
    ("query", {"by": ["city"], "limit": 2}),
    ("query", {"measure": "amount", "by": ["day"], "interval": "weekday"}),
    ("query", {"measure": "amount", "by": ["city", "day"], "interval": "weekday", "order": "descending"}),
    *[("query", {"measure": "amount", "by": ["day"], "interval": unit}) for unit in
      ("year", "quarter", "month", "week", "day", "hour")],
    *[("trend", {"measure": "amount", "aggregate": how, "interval": unit}) for unit in
      ("year", "quarter", "month", "week", "day", "hour") for how in ("sum", "mean")],
    ("trend", {"by": "city", "interval": "week"}),
    ("trend", {"measure": "amount", "aggregate": "median", "by": "city", "interval": "month"}),
    ("trend", {"measure": "city", "aggregate": "distinct", "interval": "month"}),
    ("rows", {"order_by": "amount", "descending": True, "limit": 7}),
    ("rows", {"order_by": "city", "limit": 9, "columns": ["city", "amount"]}),
    ("rows", {"where": [{"column": "amount", "op": "at_least", "value": 4}]}),
    *[("describe", {"column": name}) for name in ("amount", "price", "city", "day", "paid")],
    *[("distribution", {"column": name}) for name in ("amount", "price", "city", "day", "paid")],
    ("distribution", {"column": "price", "bins": 7, "where": [OPERATORS[0]]}),
    ("distribution", {"column": "amount", "bins": 7, "where": [OPERATORS[0]]}),
    ("correlate", {"x": "amount", "y": "price"}),
    ("correlate", {"x": "amount", "y": "price", "method": "spearman"}),
    ("correlate", {}),
    ("crosstab", {"rows": "city", "columns": "kind"}),
    ("crosstab", {"rows": "city", "columns": "kind", "measure": "price"}),
    ("crosstab", {"rows": "city", "columns": "kind", "measure": "price", "aggregate": "mean"}),
    *[("crosstab", {"rows": "city", "columns": "kind", "normalize": share}) for share in
      ("rows", "columns", "all")],
]  # fmt: skip
CHARTS: list[dict[str, Any]] = [
    {"kind": "bar", "x": "city", "y": "amount"},
    {"kind": "bar", "x": "city", "y": "amount", "by": "paid", "aggregate": "mean"},
    {"kind": "bar", "x": "day", "y": "amount", "interval": "week"},
    {"kind": "bar", "x": "paid"},
    {"kind": "bar", "x": "code", "y": "price"},
    {"kind": "bar", "x": "code", "y": "price", "by": "city", "aggregate": "max"},
    {"kind": "line", "y": "amount"},
    {"kind": "line", "y": "price", "aggregate": "mean", "by": "city", "interval": "week"},
    {"kind": "line", "x": "day", "by": "kind", "where": [{"column": "city", "op": "is_present"}]},
    {"kind": "line", "x": "day", "interval": "weekday"},
    {"kind": "line", "x": "amount", "y": "price", "aggregate": "mean"},
    {"kind": "area", "y": "price", "interval": "month"},
    {"kind": "pie", "x": "city", "y": "price"},
    {"kind": "pie", "x": "code"},
    {"kind": "histogram", "x": "price"},
    {"kind": "histogram", "x": "amount", "where": [OPERATORS[1]]},
    {"kind": "histogram", "x": "city"},
    {"kind": "box", "y": "price"},
    {"kind": "box", "y": "price", "by": "city"},
    {"kind": "scatter", "x": "amount", "y": "price"},
    {"kind": "scatter", "x": "amount", "y": "price", "by": "city"},
    {"kind": "heatmap"},
    {"kind": "heatmap", "x": "city", "by": "kind", "y": "price"},
]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    """An engine over tables given by name, the last one the current one."""
    store, worker = Store(tmp_path_factory.mktemp("home")), Worker()

    def make(**tables: pd.DataFrame) -> Engine:
        datasets = [
            ingest(
                BytesIO(table.to_csv(index=False).encode()), f"{name}.csv", datasets=store.datasets,
                worker=worker, user_id="ann", limit_mb=50,
            )
            for name, table in tables.items()
        ]  # fmt: skip
        return Engine(worker, datasets, key=SessionKey("app", "ann", "s"), invocation_id="i")

    yield make
    worker.close()
    store.close()


@pytest.fixture(scope="module")
def gappy(load: Load) -> Engine:
    """Gaps in every column, and many ties."""
    random = np.random.default_rng(1)
    count = 300
    days = pd.Timestamp("2023-12-28") + pd.to_timedelta(random.integers(0, 95, count), unit="D")
    table = pd.DataFrame(
        {
            "city": random.choice(["Berlin", "berlin", "Bonn", "Ulm", "Kiel"], count),
            "kind": random.choice(["a", "b", "c"], count),
            "code": [f"code {number:02}" for number in random.integers(0, 45, count)],
            "amount": pd.Series(random.integers(1, 9, count), dtype="Int64"),
            "price": random.uniform(-3, 500, count).round(1),
            "other": random.uniform(0, 1, count),
            "paid": pd.Series(random.choice([True, False], count), dtype="boolean"),
            "day": days.strftime("%Y-%m-%d"),
        }
    )
    for column in ("city", "kind", "amount", "price", "paid", "day"):
        table.loc[random.random(count) < 0.1, column] = None
    return load(gappy=table.assign(price=table["price"].abs()))


@pytest.fixture(scope="module")
def engines(load: Load) -> dict[str, Engine]:
    return {schema: load(**frames(schema)) for schema in CARDS}


def compared(call: Call, engine: Engine) -> list[str]:
    """How the program's numbers differ from the tool's."""
    made, result = written(call, engine), computed(call, engine)
    assert made is not None
    shown = execute(made.code, engine)
    assert max(map(len, made.code.splitlines()[1:])) <= WIDTH + 70
    ours, theirs = shown.table, table_of(result)
    if call[1].get("by") and (call[0] == "trend" or call[1].get("kind") == "line"):
        # The tool sorts a missing series last, a program by the name that it gives it.
        ours, theirs = sorted(ours, key=str), sorted(theirs, key=str)
    found = [] if call[1].get("kind") in ("scatter", "box") else [*differences(ours, theirs)]
    if call[0] == "show":
        figures = [drawn(figure) for figure in shown.figures]
        if figures != [pytest.approx(drawn(result.output["figure"]))]:
            found.append(f"drawn {figures} and {drawn(result.output['figure'])}")
    else:
        assert made.title == result.title
    return found


@pytest.mark.parametrize("schema", CARDS)
def test_every_listed_question_has_the_tools_numbers(schema: str, engines: dict[str, Engine]) -> None:
    listed = [questions for other, questions, _ in [*LISTED, *BLIND_FIFTH] if other == schema]
    calls = {repr(call): call for call in (first_call(schema, questions) for questions in listed)}
    wrong: list[str] = []
    for call in calls.values():
        if call[0] in ("ask", "find_values") or call[1].get("interval") == "hour":
            continue
        if written(call, engines[schema]) is None:
            assert call[0] in LONGER, call
            continue
        try:
            wrong += [f"{call}: {text}" for text in compared(call, engines[schema])]
        except AnalysisError:
            with pytest.raises(ValueError, match="No row passes"):
                execute(_code(call, engines[schema]), engines[schema])
    assert wrong == []


@pytest.mark.parametrize("condition", OPERATORS, ids=lambda c: f"{c['column']} {c['op']}")
def test_filters_keep_the_rows_that_the_tools_keep(condition: dict[str, Any], gappy: Engine) -> None:
    assert compared(("query", {"by": ["city"], "where": [condition]}), gappy) == []
    two = [condition, {"column": "kind", "op": "not_equals", "value": "a"}]
    assert compared(("query", {"where": two, "measure": "price"}), gappy) == []


@pytest.mark.parametrize("call", SHAPES, ids=str)
def test_gaps_ties_and_dates_count_as_they_do_in_the_tools(call: Call, gappy: Engine) -> None:
    assert compared(call, gappy) == []


@pytest.mark.parametrize("arguments", CHARTS, ids=str)
def test_charts_show_what_the_tools_draw(arguments: dict[str, Any], gappy: Engine) -> None:
    assert compared(("show", arguments), gappy) == []


ODD = [
    'a "quoted" name', "it's", "two\nlines", "back\\slash", "grüße 名前", "f{x}", "# comment", "%s",
    "'''\"\"\"", "tab\there", "import os", "line\u2028end",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_names_and_values_are_only_data(name: str, load: Load) -> None:
    frame = pd.DataFrame({name: [1.5, 2.5, 3.0, 2.5], "group": [name, "x", name, "y"], "n": [1, 2, 4, 3]})
    engine = load(odd=frame)
    column = engine.dataset().columns[0].name
    where = [{"column": "group", "op": "equals", "value": name}]
    calls: list[Call] = [
        ("query", {"measure": column, "by": ["group"], "where": where}),
        ("query", {"measure": column, "aggregate": ["mean"]}),
        ("query", {"measure": "n", "by": [column], "limit": 2}),
        ("rows", {"order_by": column, "where": where}),
        ("show", {"kind": "bar", "x": "group", "y": column}),
        ("show", {"kind": "scatter", "x": column, "y": "n"}),
        ("describe", {"column": column}),
    ]
    for call in calls:
        assert compared(call, engine) == []
        assert intent_of(_code(call, engine)) == call


@pytest.mark.parametrize("name", ["table", "class", "print", "pd", "orders"])
def test_a_dataset_called_like_something_else_is_still_found(name: str, load: Load) -> None:
    engine = load(**{name: pd.DataFrame({"v": [1, 2, 3], "g": ["a", "b", "a"]})})
    code = _code(("query", {"measure": "v", "by": ["g"]}), engine)
    assert ("tables[" in code) is (name != "orders")
    assert compared(("query", {"measure": "v", "by": ["g"]}), engine) == []


def test_a_tie_at_the_edge_is_said(load: Load) -> None:
    engine = load(ties=pd.DataFrame({"v": [3, 2, 2, 1], "g": list("abcd")}))
    for limit, said in ((1, False), (2, True), (3, False), (4, False), (9, False)):
        shown = execute(_code(("query", {"measure": "v", "by": ["g"], "limit": limit}), engine), engine)
        assert any("ties" in line for line in shown.printed) is said, limit


def test_rows_without_a_value_are_counted_aloud(gappy: Engine) -> None:
    shown = execute(_code(("query", {"measure": "price", "by": ["kind"]}), gappy), gappy)
    missing = next(c.missing for c in gappy.dataset().columns if c.name == "price")
    assert shown.printed == [f"{missing} row(s) without price are left out."]


def test_a_filter_that_leaves_nothing_stops_the_program(gappy: Engine) -> None:
    call = ("query", {"where": [{"column": "city", "op": "equals", "value": "Rome"}]})
    with pytest.raises(ValueError, match="No row passes the filter: city is Rome"):
        execute(_code(call, gappy), gappy)


def test_infinite_numbers_and_unknown_columns_are_left_to_the_tool(load: Load) -> None:
    engine = load(wild=pd.DataFrame({"v": [1.5, float("inf"), 3.0], "g": list("aba")}))
    assert written(("query", {"measure": "v", "by": ["g"]}), engine) is None
    assert written(("query", {"measure": "gone"}), engine) is None
    assert written(("query", {"measure": "g", "aggregate": ["sum"]}), engine) is None
    assert written(("query", {"by": ["g"]}), engine) is not None


def test_sums_beyond_whole_numbers_are_left_to_the_tool(load: Load) -> None:
    engine = load(large=pd.DataFrame({"v": [2**62, 2**62, 2**62], "g": list("aba")}))
    assert written(("query", {"measure": "v"}), engine) is None
    assert result_table(computed(("query", {"measure": "v"}), engine)).rows == [[3 * 2**62]]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# query",
        "# query(1)",
        "# eval(x=1)",
        "# query(by=open('x'))",
        "x = 1",
        "# query(by=[",
        "# " + "(" * 999,
    ],
)
def test_code_of_another_hand_tells_no_intent(line: str) -> None:
    assert intent_of(f"{line}\nx = 1") is None


def test_the_first_line_is_the_call_and_the_rest_is_code(gappy: Engine) -> None:
    call = ("query", {"measure": "price", "aggregate": ["mean"], "by": ["kind"]})
    code = _code(call, gappy)
    assert code.startswith('# query(measure="price", aggregate=["mean"], by=["kind"])\n')
    assert ast.parse(code).body


def _code(call: Call, engine: Engine) -> str:
    made = written(call, engine)
    assert made is not None
    return made.code

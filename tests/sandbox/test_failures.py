"""What a failure says: the near name, the line, and nothing of the libraries' inside."""

import pytest

from tests.sandbox.conftest import NotebookClient

NEAR = [
    ("orders['revnue']", "KeyError", "There is no column 'revnue' in orders. Nearest: revenue.", "revenue"),
    ("orders[['region', 'Quantty']]", "KeyError", "no column 'Quantty' in orders", "quantity"),
    ("orders.groupby('regoin').sum()", "KeyError", "no column 'regoin' in orders", "region"),
    ("orders.groupby('region')['revnue'].sum()", "KeyError", "no column 'revnue' in orders", "revenue"),
    ("orders.sort_values('revnue')", "KeyError", "no column 'revnue' in orders", "revenue"),
    ("orders.loc[:, 'dya']", "KeyError", "no column 'dya' in orders", "day"),
    ("orders.drop(columns=['revnue'])", "KeyError", "no column 'revnue' in orders", "revenue"),
    ("orders.agg({'revnue': 'sum'})", "KeyError", "no column 'revnue' in orders", "revenue"),
    ("orders.set_index('revnue')", "KeyError", "no column 'revnue' in orders", "revenue"),
    ("orders.query('revnue > 1')", "UndefinedVariableError", "no column 'revnue' in orders", "revenue"),
    ("orders.merge(customers, on='nam')", "KeyError", "no column 'nam'", "name"),
    ("orders.revnue", "AttributeError", "There is no column or method 'revnue' in orders.", "revenue"),
    ("orders.gruopby('region')", "AttributeError", "Nearest: groupby", "groupby"),
    ("order", "NameError", "There is no variable 'order'. Nearest: orders", "orders"),
    ("pd.DataFrame()", "NameError", "Write: import pandas as pd", "import pandas as pd"),
    ("lenn([1])", "NameError", "Nearest: len", "len"),
    ("tables['order']", "KeyError", "There is no dataset 'order'.", "orders"),
    ("import plotly.express as px\npx.bar(orders, x='regin', y='revenue')", "ValueError",
     "There is no column 'regin' in the data of the figure.", "region"),
    ("con.sql('SELECT revnue FROM orders')", "BinderException", "revnue", "revenue"),
    ("con.sql('SELECT * FROM order_s')", "CatalogException", "no table 'order_s' in SQL", "orders"),
    ("open('orders.csv')", "FileNotFoundError", "There is no file 'orders.csv' in the current", "orders"),
    ("import skleern", "ModuleNotFoundError", "nothing can be installed here", "sklearn"),
    ("import statistcs", "ModuleNotFoundError", "There are pandas, numpy, duckdb", None),
]  # fmt: skip


@pytest.mark.parametrize(("code", "kind", "message", "suggestion"), NEAR)
def test_the_near_name_is_said(
    notebook: NotebookClient, code: str, kind: str, message: str, suggestion: str | None
) -> None:
    failure = notebook.failure(code)
    assert failure.type == kind
    assert message in failure.message
    assert suggestion in failure.suggestions if suggestion else True


def test_a_column_like_no_other_lists_what_there_is(notebook: NotebookClient) -> None:
    failure = notebook.failure("orders['zzz']")
    assert failure.message.endswith("Its columns: region, revenue, quantity, day.")


def test_a_plain_missing_key(notebook: NotebookClient) -> None:
    assert notebook.failure("{'a': 1}['b']").message == "There is no key 'b'."


REFUSED = [
    ("raise PermissionError(13, 'Permission denied', '/etc/passwd')", "Files outside the current folder"),
    ("raise PermissionError(13, 'Permission denied', 'folder')", "The current folder takes plain files only"),
    ("raise PermissionError(1, 'Operation not permitted')", "The system does not allow this here"),
    ("import socket\nsocket.getaddrinfo('no.invalid', 80, socket.AF_INET, 99)", "There is no network here."),
    ("import subprocess\nsubprocess.run([''])", ""),
    ("raise MemoryError", "There is not enough memory for this."),
    ("con.execute('SET memory_limit=\"1MB\"').execute('SELECT list(i) FROM range(9999999) t(i)').fetchone()",
     "There is not enough memory for this."),
    ("con.sql(\"FROM 'https://localhost/a.csv'\")", "There is no network here."),
    ("con.sql(\"FROM '/nowhere/a.parquet'\")", "Only files in the current folder can be read or written"),
    ("con.execute('FROM orders')\ncon.sql('FROM orders').fetchall()", "rows of an earlier con.execute"),
    ("input('?')", "Nobody can type an answer here"),
    ("import sys\nsys.exit(1)", "The code called exit."),
    ("raise KeyboardInterrupt", "The code was interrupted."),
    ("def f(): f()\nf()", "A function called itself too many times"),
    ("%matplotlib inline", "Commands that start with % or !"),
    ("class Own(BaseException): pass\nraise Own('mine')", "mine"),
    ("class Bad(Exception):\n    def __str__(self): raise ValueError\nraise Bad", "its text cannot be shown"),
    ("class Kind(type):\n    __name__ = property(lambda c: 1 / 0)\n"
     "class Odd(Exception, metaclass=Kind): pass\nraise Odd('x')", "x"),
    ("x = 'a\x00b'", "null bytes"),
    ("x = '\ud800'\nx.encode()", ""),
    ("(" * 500 + ")" * 500, ""),
    ("raise ExceptionGroup('several', [ValueError(1)])", "several"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "message"), REFUSED)
def test_whatever_is_raised_is_a_failure_with_advice(
    notebook: NotebookClient, code: str, message: str
) -> None:
    failure = notebook.failure(code)
    assert message in failure.message
    assert len(failure.message) <= 2_100 and len(failure.trace) <= 4_100
    assert notebook.value("1 + 1") == 2


def test_the_trace_has_the_lines_of_the_code_only(notebook: NotebookClient) -> None:
    failure = notebook.failure("def total(frame):\n    return frame['revnue'].sum()\n\ntotal(orders)")
    assert failure.line == 2
    assert failure.trace == (
        "line 4\n    total(orders)\nline 2, in total\n    return frame['revnue'].sum()\nKeyError: 'revnue'"
    )


def test_the_trace_names_lines_of_earlier_code(notebook: NotebookClient) -> None:
    notebook.run("\ndef divide(a):\n    return a / 0")
    failure = notebook.failure("x = 1\ndivide(x)")
    assert failure.line == 2
    assert failure.trace == (
        "line 2\n    divide(x)\nearlier code, line 3, in divide\n    return a / 0\n"
        "ZeroDivisionError: division by zero"
    )


def test_only_the_last_of_chained_errors(notebook: NotebookClient) -> None:
    failure = notebook.failure(
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('two') from e"
    )
    assert (failure.type, failure.line) == ("ValueError", 4) and "ZeroDivision" not in failure.trace


def test_a_syntax_error_points_at_its_place(notebook: NotebookClient) -> None:
    failure = notebook.failure("x = 1\nif x:\n    y = = 2")
    assert (failure.type, failure.line) == ("SyntaxError", 3)
    assert failure.trace == "line 3\n    y = = 2\n        ^\nSyntaxError: invalid syntax"


def test_a_deep_trace_is_bounded(notebook: NotebookClient) -> None:
    failure = notebook.failure("def f(n):\n    return f(n + 1)\nf(0)")
    assert "more calls]" in failure.trace and len(failure.trace) < 1_000


def test_what_was_shown_and_printed_before_is_kept(notebook: NotebookClient) -> None:
    outcome = notebook.run("print('a')\nshow(1)\n1 / 0")
    assert outcome.printed == "a\n" and len(outcome.outputs) == 1 and outcome.failure is not None

"""Code in a notebook: state, data by name, what is shown and printed, and what the next run finds."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sandbox.outcome import FigureOutput, ImageOutput, TableOutput, TextOutput, ValueOutput
from tests.sandbox.conftest import NotebookClient

GONE = Path("/nowhere/gone.parquet")


def test_variables_functions_and_imports_survive(notebook: NotebookClient) -> None:
    assert notebook.run("import math\nx = 20\ndef twice(n): return 2 * n").outputs == []
    assert notebook.value("twice(x) + math.floor(2.9)") == 42
    assert notebook.value("x += 1\nx") == 21


def test_notebooks_do_not_share_variables(open_notebook: Callable[[], NotebookClient]) -> None:
    one, other = open_notebook(), open_notebook()
    one.run("secret = 1")
    failure = other.failure("secret")
    assert failure.type == "NameError"


def test_a_class_of_the_code_can_be_a_dataclass_and_be_copied(notebook: NotebookClient) -> None:
    code = (
        "from __future__ import annotations\nimport copy, dataclasses, pickle\n"
        "@dataclasses.dataclass\nclass Point:\n    x: int\n    y: int = 2\n"
        "(pickle.loads(pickle.dumps(Point(1))) == copy.deepcopy(Point(1)))"
    )
    assert notebook.value(code) is True


def test_numbers_are_those_of_pandas(notebook: NotebookClient, order_rows: pd.DataFrame) -> None:
    found = notebook.frame("orders.groupby('region').agg({'revenue': ['sum', 'mean'], 'quantity': 'max'})")
    expected = order_rows.groupby("region").agg({"revenue": ["sum", "mean"], "quantity": "max"})
    assert list(found.columns) == ["region", "revenue sum", "revenue mean", "quantity max"]
    assert list(found["region"]) == list(expected.index)
    np.testing.assert_array_equal(found.iloc[:, 1:].astype(float), expected.astype(float))


def test_all_rows_are_there_and_the_table_is_bounded(notebook: NotebookClient) -> None:
    outcome = notebook.run("import pandas as pd\npd.DataFrame({'n': range(12_345)})")
    (output,) = outcome.outputs
    assert isinstance(output, TableOutput) and output.table.truncated
    assert (output.table.row_count, len(output.table.rows)) == (12_345, 5_000)


def test_df_is_the_current_dataset_until_code_has_its_own(notebook: NotebookClient) -> None:
    tables = notebook.tables
    assert notebook.value("len(df)") == 200
    assert notebook.value("df is orders") is True
    notebook.tables = {"orders": tables["orders"], "customers": tables["customers"]}
    assert notebook.value("len(df)") == 3
    notebook.run("df = df.head(1)")
    notebook.tables = tables
    assert notebook.value("len(df)") == 1


def test_data_is_loaded_only_when_named(notebook: NotebookClient) -> None:
    assert notebook.run("1 + 1\ntables").failure is None
    assert notebook.run("'orders' in globals() or 'con' in globals()").outputs == [ValueOutput("", False)]
    notebook.tables["gone"] = GONE
    assert notebook.value("1 + 1") == 2
    notebook.run("gone = 3")
    assert notebook.value("gone") == 3
    failure = notebook.failure("tables['gone']")
    assert "gone is gone. Upload its file again" in failure.message


def test_names_of_any_kind_are_reached(notebook: NotebookClient) -> None:
    assert notebook.value("', '.join(tables)") == "our customers, customers, orders"
    assert notebook.frame("tables['our customers']")["id"].tolist() == [1, 2, 3]
    assert notebook.frame("con.sql('SELECT max(id) AS m FROM \"our customers\"')")["m"].tolist() == [3]
    assert notebook.failure("tables['customer']").suggestions[0] == "customers"
    notebook.tables["sum"] = notebook.tables["customers"]
    assert notebook.value("sum([1, 2]) + len(tables['sum'])") == 6


def test_changed_data_is_loaded_again_with_a_note(notebook: NotebookClient, tmp_path: Path) -> None:
    assert notebook.value("len(customers)") == 3
    assert notebook.value("con.sql('FROM customers').fetchall()[0][1]") == "Ann"
    newer = tmp_path / "newer.parquet"
    pd.DataFrame({"id": [9]}).to_parquet(newer)
    outcome = notebook.run("int(customers['id'].sum())", {"customers": newer})
    assert outcome.outputs == [ValueOutput("", 9)]
    assert outcome.notes == ["customers was loaded again: its data has changed."]
    assert notebook.run(
        "con.sql('SELECT sum(id) FROM customers').fetchall()[0][0]", {"customers": newer}
    ).outputs


def test_changes_in_place_stay(notebook: NotebookClient) -> None:
    notebook.run("orders['double'] = orders['revenue'] * 2")
    assert notebook.value("float(orders['double'].sum() / orders['revenue'].sum())") == 2


def test_the_connection_keeps_what_code_makes_in_it(notebook: NotebookClient) -> None:
    notebook.run("con.execute('CREATE TEMP TABLE big AS SELECT * FROM orders WHERE quantity > 3')")
    assert "worker" not in notebook.rest()
    notebook.run("mine = orders.head(4)")
    sql = "SELECT (SELECT count(*) FROM big), (SELECT count(*) FROM mine), current_setting('TimeZone')"
    assert notebook.value(f'str(con.sql("{sql}").fetchall()[0])') == "(84, 4, 'UTC')"
    notebook.run("con.close()")
    assert notebook.value("con.sql('SELECT count(*) FROM orders').fetchall()[0][0]") == 200


def test_an_unfinished_result_does_not_stop_the_next_run(notebook: NotebookClient) -> None:
    notebook.run("import duckdb\nr = con.execute('SELECT * FROM orders').fetchone()")
    notebook.rest()
    assert notebook.value("len(customers)") == 3
    assert notebook.frame("duckdb.execute('SELECT count(*) AS n FROM orders')")["n"].tolist() == [200]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_thread_is_left_between_runs(notebook: NotebookClient, order_rows: pd.DataFrame) -> None:
    notebook.run("con")
    before = notebook.rest()
    assert [name for name in before if "jemalloc" not in name] == before[:1]
    code = (
        "import duckdb\nother = duckdb.connect()\nother.execute('SET threads = 4')\n"
        "con.execute('SET threads = 5')\nduckdb.sql('SELECT sum(revenue) FROM orders').fetchall()\n"
        "other.execute('SELECT count(*) FROM range(3_000_000)').fetchall()[0][0]"
    )
    assert notebook.value(code) == 3_000_000
    assert notebook.rest() == before
    forked = notebook.run_forked("con.sql('SELECT sum(quantity)::INT FROM orders').fetchall()[0][0]")
    assert forked.outputs == [ValueOutput("", int(order_rows["quantity"].sum()))]
    assert notebook.value("con.sql(\"SELECT current_setting('threads')\").fetchall()[0][0]") == 2


def test_a_failed_run_in_a_fork_leaves_the_variables(notebook: NotebookClient) -> None:
    notebook.run("items = [1]")
    notebook.rest()
    assert notebook.run_forked("items.append(2)\nraise ValueError('no')").failure is not None
    assert notebook.value("len(items)") == 1


def test_outputs_come_in_order_with_titles(notebook: NotebookClient) -> None:
    code = (
        "show(orders.head(1), title='First order')\nshow(3)\n"
        "output = {'rows': len(orders), 'regions': orders['region'].value_counts()}\ntotal = 5\ntotal"
    )
    outputs = notebook.run(code).outputs
    assert [item.title for item in outputs if not hasattr(item, "name")] == [
        "First order", "", "total", "rows", "regions",
    ]  # fmt: skip
    assert isinstance(outputs[4], TableOutput) and outputs[4].table.names == ["region", "count"]


def test_output_of_an_earlier_run_is_not_shown_again(notebook: NotebookClient) -> None:
    assert notebook.run("output = 1").outputs == [ValueOutput("", 1)]
    assert notebook.run("x = 2").outputs == []
    assert notebook.run("output = 1").outputs == [ValueOutput("", 1)]


def test_the_last_expression_is_shown_once_and_not_after_a_semicolon(notebook: NotebookClient) -> None:
    figure = "import plotly.express as px\nf = px.bar(orders.head(3), x='region', y='revenue')\n"
    assert len(notebook.run(f"{figure}f.show()\nf").outputs) == 1
    assert notebook.run("1 + 1;").outputs == []
    assert notebook.run("'ä;' + 'b'").outputs == [ValueOutput("", "ä;b")]
    assert notebook.run("None").outputs == [] == notebook.run("").outputs
    assert notebook.run("a, b = 1, 1\na, b").outputs == [ValueOutput("a", 1), ValueOutput("b", 1)]
    assert len(notebook.run("one, two = orders.head(1), orders.head(1)\none, two").outputs) == 2
    assert len(notebook.run("show(one)\none").outputs) == 1
    assert len(notebook.run("show(one)\none['quantity'] = 7\none").outputs) == 2


def test_plotly_figures_are_small_json(notebook: NotebookClient) -> None:
    code = "import plotly.express as px\npx.bar(orders.head(3), x='region', y='quantity', title='A <b>b</b>')"
    (output,) = notebook.run(code).outputs
    assert isinstance(output, FigureOutput) and output.title == "A b"
    assert "template" not in output.figure["layout"]
    assert output.figure["data"][0]["x"] == ["north", "south", "east"]
    kept = notebook.run("px.bar(orders.head(3), x='region', y='quantity', template='plotly_dark')").outputs[0]
    assert isinstance(kept, FigureOutput) and kept.figure["layout"]["template"]


def test_a_figure_that_is_only_assigned_is_shown(notebook: NotebookClient) -> None:
    outputs = notebook.run("import plotly.graph_objects as go\nchart = go.Figure(go.Bar(y=[1]))").outputs
    assert [type(item) for item in outputs] == [FigureOutput]
    assert notebook.run("x = 5").outputs == []


def test_open_matplotlib_figures_are_shown_and_closed(notebook: NotebookClient) -> None:
    code = (
        "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.plot([1, 2])\nax.set_title('A line')"
    )
    (output,) = notebook.run(code).outputs
    assert isinstance(output, ImageOutput) and output.title == "A line"
    assert notebook.value("len(plt.get_fignums())") == 0
    twice = notebook.run("plt.plot([1])\nplt.show()\nplt.plot([2])\nplt.show()").outputs
    assert [type(item) for item in twice] == [ImageOutput, ImageOutput]


def test_a_plot_that_cannot_be_drawn_is_a_failure(notebook: NotebookClient) -> None:
    failure = notebook.failure("import matplotlib.pyplot as plt\nplt.title('$\\\\frac{1$')\nplt.plot([1])")
    assert failure.type == "ValueError" and "frac" in failure.message


def test_at_most_twenty_outputs(notebook: NotebookClient) -> None:
    outcome = notebook.run("for i in range(25): show(i)")
    assert len(outcome.outputs) == 20
    assert outcome.notes == ["5 more outputs were left out: at most 20 are shown."]


def test_printed_text_keeps_its_order_and_loses_its_colours(notebook: NotebookClient) -> None:
    code = (
        "import os, sys, logging, warnings\nprint('one')\nprint('two', file=sys.stderr)\n"
        "sys.stdout.buffer.write(b'thr\\xffee\\n')\nsys.__stderr__.write('four\\n')\n"
        "print('\\x1b[31mfive\\x1b[0m\\x07 \\ud800')\nprint('10%\\r50%\\r100%')\nlogging.warning('six')\n"
        "warnings.warn('seven')\nos.write(1, b'nowhere');"
    )
    assert notebook.run(code).printed == (
        "one\ntwo\nthr\ufffdee\nfour\nfive ?\n100%\nWARNING:root:six\nUserWarning: seven\n"
    )
    assert notebook.run("logging.warning('again')").printed == "WARNING:root:again\n"


def test_a_flood_is_kept_at_both_ends(notebook: NotebookClient) -> None:
    outcome = notebook.run("for i in range(400_000): print('line', i)\nprint('x' * 10_000_000)\nprint('end')")
    assert len(outcome.printed) < 100_100
    assert outcome.printed.startswith("line 0\nline 1\n") and outcome.printed.endswith("xx\nend\n")
    assert "more characters]" in outcome.printed


PATCHES = [
    ("import builtins\nbuiltins.len = lambda x: 0\nbuiltins.mine = 1",
     "len([1]) + ('mine' in dir(builtins))"),
    ("import builtins\nfor n in ('print', 'isinstance', 'getattr', 'dict', 'map', 'all', 'type'): "
     "setattr(builtins, n, None)", "int(isinstance(1, int))"),
    ("import json\njson.dumps = None\ndel json.loads", "json.loads(json.dumps(1))"),
    ("import math\nmath.pi = 3", "int(math.pi > 3.1)"),
    ("import pandas as pd\npd.DataFrame.sum = lambda self: 7\npd.DataFrame.extra = 1\npd.concat = None",
     "int(pd.concat([pd.DataFrame({'a': [1]})])['a'].sum()) + hasattr(pd.DataFrame, 'extra')"),
    ("import pandas as pd\npd.set_option('display.precision', 1); pd.options.display.max_rows = 3",
     "int(pd.get_option('display.precision') == 6 and pd.options.display.max_rows == 60)"),
    ("import sys, types\nsys.modules['invented'] = types.ModuleType('invented')\nsys.modules['json'] = 3",
     "import json\nint('invented' not in sys.modules and json.dumps(1))"),
    ("import sys\nsys.setrecursionlimit(99999)\nsys.path.insert(0, 'x')\nsys.excepthook = None",
     "int(sys.getrecursionlimit() == 1000 and 'x' not in sys.path and sys.excepthook is not None)"),
    ("import os\nos.mkdir('deep')\nos.chdir('deep')\nos.environ['A'] = 'b'",
     "int(not os.getcwd().endswith('deep')) - ('A' in os.environ)"),
    ("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)",
     "int(signal.getsignal(15) == signal.SIG_DFL)"),
    ("import warnings\nwarnings.simplefilter('error')", "warnings.warn('a', stacklevel=2)\n1"),
    ("import decimal\ndecimal.getcontext().prec = 2", "int(str(decimal.Decimal(1) / 3) == '0.' + '3' * 28)"),
    ("import numpy as np\nnp.seterr(all='raise')\nnp.mean = None",
     "int(np.isinf(np.float64(1) / 0) + 0 * np.mean([1]))"),
    ("import gc\ngc.disable()", "int(gc.isenabled())"),
    ("import sys\nsys.settrace(lambda *a: None)", "int(sys.gettrace() is None)"),
    ("import atexit\natexit.register(print, 1)\nn = atexit._ncallbacks()", "int(atexit._ncallbacks() < n)"),
    ("import matplotlib.pyplot as plt\nplt.rcParams['figure.dpi'] = 7\nplt.style.use('ggplot')",
     "int(plt.rcParams['figure.dpi'] == 100)"),
    ("import plotly.express as px, plotly.io as pio\npx.defaults.width = 3\npio.templates.default = None",
     "int(px.defaults.width is None and pio.templates.default == 'page')"),
    ("import sandbox.frames, sandbox.outputs as o\nsandbox.frames.table = 3\no.Outputs.show = 3", "1"),
    ("import sys\nsys.stdout = sys.stderr = None", "print('x')\n1"),
]  # fmt: skip


@pytest.mark.parametrize(("patch", "check"), PATCHES)
def test_patches_do_not_reach_the_next_run(notebook: NotebookClient, patch: str, check: str) -> None:
    notebook.run(patch)
    assert notebook.value(check) == 1


def test_a_patch_before_a_failure_does_not_stay_either(notebook: NotebookClient) -> None:
    failure = notebook.failure("import builtins\nbuiltins.str = builtins.len = None\n1 / 0")
    assert (failure.type, failure.line) == ("ZeroDivisionError", 3)
    assert notebook.value("len(str(12))") == 2


def test_many_jobs_run_one_after_the_other(notebook: NotebookClient) -> None:
    code = (
        "import os, threading\nfrom joblib import Parallel, delayed, effective_n_jobs\n"
        "where = Parallel(n_jobs=4)(delayed(lambda: (os.getpid(), threading.get_ident()))() for _ in '12')\n"
        "set(where) == {(os.getpid(), threading.get_ident())}, effective_n_jobs(-1)"
    )
    assert notebook.run(code).outputs == [ValueOutput("", True), ValueOutput("", 1)]


def test_unfinished_threads_are_told(notebook: NotebookClient) -> None:
    code = "import threading\nstop = threading.Event()\nthreading.Thread(target=stop.wait).start()"
    assert notebook.run(code).notes == ["1 threads that the code started end with this run."]
    assert notebook.run("stop.set()").failure is None


def test_text_of_every_kind_stays_within_its_bound(notebook: NotebookClient) -> None:
    (output,) = notebook.run("'x' * 1_000_000").outputs
    assert isinstance(output, TextOutput) and len(output.text) < 20_100

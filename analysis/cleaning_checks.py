"""Whether a cleaning step made the version that it says: its code again, and pandas' own counts of it."""

from collections.abc import Sequence
from dataclasses import replace

from analysis.checks import Check
from analysis.engine import Engine, not_finite, python_text, result_table
from analysis.errors import AnalysisError
from analysis.measures import free_name
from sandbox.engine import quoted
from storage.datasets import Dataset
from storage.results import Result

SAME, SAME_STATEMENT = "same rows again", "The step's code gives exactly the new version's rows."
COUNTED = "counted another way"
COUNTED_STATEMENT = "pandas counts the rows, columns and gaps in the new version that the step tells."
CODE = """import pandas as pd

data = con.sql({sql}).df()
output = pd.DataFrame(
    {{"rows": [len(data)], "columns": [data.shape[1]], "missing": [int(data.isna().sum().sum())]}}
)
"""


def check_step(engine: Engine, parents: Sequence[Dataset], made: Dataset, result: Result) -> list[Check]:
    """The checks of a step's result, on the tables that it was made of and the one that it made."""
    try:
        return [_same_rows(engine, parents, made, result), _counted(engine, made, result)]
    except AnalysisError as error:
        return [Check(SAME, SAME_STATEMENT, False, False, str(error))]


def _same_rows(engine: Engine, parents: Sequence[Dataset], made: Dataset, result: Result) -> Check:
    new = replace(made, name=free_name("__made", [parent.name for parent in parents]))
    stored, again = f"SELECT * FROM {quoted(new.name)}", f"SELECT * FROM (\n{result.code}\n) AS again"
    differ = " UNION ALL ".join(
        f"(SELECT count(*) AS n FROM ({a} EXCEPT ALL {b}) AS d)"
        for a, b in ((stored, again), (again, stored))
    )
    answer = engine.over([*parents, new]).select(f"SELECT sum(n)::BIGINT FROM ({differ}) AS differ")
    count = answer.rows[0][0]
    return Check(SAME, SAME_STATEMENT, False, not count, f"{count:,} rows differ." if count else "")


def _counted(engine: Engine, made: Dataset, result: Result) -> Check:
    code = CODE.format(sql=python_text(f"SELECT * FROM {quoted(made.name)}"))
    output, _ = engine.over([made]).program(code, title="", tool="", arguments={}, datasets=[made])
    found = next(iter(output.tables.values())).rows[0]
    told = {row[0]: row[2] for row in result_table(result).rows}
    expected = [told["rows"], told["columns"], told["missing values"]]
    if any(not_finite(column) for column in made.columns):
        # What is no number is a gap to pandas, and none to SQL.
        found, expected = found[:2], expected[:2]
    detail = "" if found == expected else f"{expected} were told, {found} are there."
    return Check(COUNTED, COUNTED_STATEMENT, True, not detail, detail, code)

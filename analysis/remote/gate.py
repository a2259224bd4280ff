"""SQL that somebody wrote, for another engine: one SELECT over the attached tables, or nothing.

The text is parsed, every node of its tree has to be one that only reads, every function one that SQLGlot
knows as plain arithmetic, and what is sent is written anew from the tree: no comment, hint or second
statement of the text survives. The connection is read-only besides, where its engine has that.
"""

import logging
from collections.abc import Mapping
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from analysis.errors import BadQuery

# It would log the queries that it refuses.
logging.getLogger("sqlglot").setLevel(logging.ERROR)
Place = tuple[str, ...]
"""Names of a table from the outermost to its own: ("public", "orders")."""
REFUSED = "Only a single SELECT over the attached tables is allowed."
QUERIES = (exp.Select, exp.SetOperation, exp.Subquery)
WRITING = (
    exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock, exp.Hint, exp.QueryTransform, exp.Parameter,
    exp.SessionParameter, exp.Placeholder, exp.Set, exp.Use, exp.Pragma, exp.Attach, exp.Detach, exp.Copy,
    exp.LoadData, exp.Kill, exp.Transaction, exp.Commit, exp.Rollback, exp.Describe, exp.Cache,
)  # fmt: skip
MODELS = ("ai", "ml", "generate")
"""How functions begin that call a model, which costs money."""
READING_DML = (exp.Select, exp.SetOperation, exp.Subquery, exp.With, exp.CTE)
FUNCTIONS = {
    "age", "bool_and", "bool_or", "btrim", "char_length", "cot", "date_bin", "date_part", "dayname", "div",
    "every", "instr", "isfinite", "iff", "julianday", "make_date", "make_timestamp", "monthname",
    "percentile", "printf", "regr_slope", "regr_intercept", "regr_r2", "to_char", "total", "trunc", "typeof",
    "unicode", "width_bucket",
}  # fmt: skip
REFUSED_FUNCTIONS = (
    exp.GenerateSeries, exp.GenerateDateArray, exp.GenerateTimestampArray, exp.ReadCSV, exp.ReadParquet,
    exp.CurrentUser, exp.SessionUser, exp.Repeat, exp.JSONTable, exp.XMLTable, exp.Rand, exp.Randn, exp.Uuid,
    exp.NextValueFor,
)  # fmt: skip


def only_reads(text: str, tables: Mapping[str, Place], dialect: str) -> str:
    """`text` for the engine, with the names in `tables` (in lower case) replaced by the engine's own.

    Raises BadQuery that says what is refused.
    """
    dialect = "spark" if dialect == "pyspark" else dialect
    try:
        statements = [s for s in sqlglot.parse(text, read=dialect) if s is not None]
    except (SqlglotError, RecursionError) as error:
        raise BadQuery(f"The query cannot be read as SQL: {str(error).splitlines()[0]}") from None
    if len(statements) != 1 or not isinstance(statements[0], QUERIES):
        raise BadQuery(REFUSED)
    tree = statements[0]
    for node in list(tree.walk()):
        _check(node, tree)
    named = _rename_ctes(tree)
    for table in list(tree.find_all(exp.Table)):
        _place(table, tables, named)
    sent = tree.sql(dialect=dialect, comments=False, pretty=True)
    if "approx" in sent.lower() and "approx" not in text.lower():
        raise BadQuery("This engine has no such exact quantile under this name; use percentile(column, 0.5).")
    return sent


def tables_in(text: str) -> set[str]:
    """Names of the tables that a query reads, in lower case; none for what cannot be parsed."""
    for dialect in (None, "mysql"):
        try:
            trees = [tree for tree in sqlglot.parse(text, read=dialect) if tree is not None]
        except (SqlglotError, RecursionError):
            continue
        return {table.name.lower() for tree in trees for table in tree.find_all(exp.Table)}
    return set()


def top_limit(text: str, dialect: str) -> int | None:
    """The number of rows that a query says it wants at most; -1 for one that is computed."""
    tree = sqlglot.parse_one(text, read="spark" if dialect == "pyspark" else dialect)
    limit = tree.args.get("limit") or tree.args.get("fetch")
    if limit is None:
        return None
    said = limit.args.get("expression")
    return int(said.name) if isinstance(said, exp.Literal) and said.is_int else -1


def _check(node: Any, tree: Any) -> None:
    if isinstance(node, WRITING) and not isinstance(node, READING_DML):
        raise BadQuery(REFUSED)
    if isinstance(node, exp.With) and node.parent is not tree:
        raise BadQuery("WITH is only allowed at the very beginning of the query.")
    called = node.name if isinstance(node, (exp.Anonymous, exp.AnonymousAggFunc)) else ""
    if called and called.lower() not in FUNCTIONS:
        raise BadQuery(f"The function {called} is not available in queries to this engine.")
    known = isinstance(node, REFUSED_FUNCTIONS) or node.key.startswith(MODELS)
    if isinstance(node, exp.Func) and known:
        raise BadQuery(f"The function {node.key} is not available in queries to this engine.")
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Func):
        raise BadQuery(f"The function {node.expression.sql()} is not available in queries to this engine.")


def _rename_ctes(tree: Any) -> dict[str, str]:
    """New names of the parts of WITH: by its old one, a part could stand for a table that is not attached."""
    named: dict[str, str] = {}
    with_ = tree.args.get("with_") or tree.args.get("with")
    for number, cte in enumerate(with_.expressions if with_ is not None else [], 1):
        named[cte.alias.lower()] = f"part_{number}_of_query"
        cte.args["alias"].set("this", exp.to_identifier(named[cte.alias.lower()], quoted=True))
    return named


def _place(table: exp.Table, tables: Mapping[str, Place], named: Mapping[str, str]) -> None:
    if not isinstance(table.this, exp.Identifier):
        raise BadQuery(f"{REFUSED} A function cannot stand for a table.")
    name, written = table.name.lower(), [part.name.lower() for part in table.parts]
    if not table.db and name in named:
        _set(table, (named[name],))
        return
    own = (place for place in tables.values() if [p.lower() for p in place[-len(written) :]] == written)
    place = next(own, None) or (None if table.db else tables.get(name))
    if place is None:
        known = ", ".join(tables) or "none"
        raise BadQuery(f"There is no table {table.sql()} here. The attached tables are: {known}.")
    _set(table, place)


def _set(table: exp.Table, place: Place) -> None:
    """Makes the table the one at `place`, still called as it was."""
    called = table.alias_or_name
    parts = [exp.to_identifier(part, quoted=True) for part in place]
    for role, part in zip(("this", "db", "catalog"), reversed(parts), strict=False):
        table.set(role, part)
    if not table.alias and called.lower() != place[-1].lower():
        table.set("alias", exp.TableAlias(this=exp.to_identifier(called, quoted=True)))

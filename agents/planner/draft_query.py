"""Programs that aggregate: one number, or a table by groups in order."""

from dataclasses import dataclass
from typing import Any

from agents.planner.draft import Draft, Unfit, laid_out, literal, rising_but_first
from agents.planner.draft_groups import (
    Key,
    default_aggregates,
    hidden_labels,
    keys,
    listed,
    measured,
    method,
)
from agents.planner.schema import Column
from analysis.measures import label

ORDERS = ("descending", "ascending", "group")
TIES = "The last one shown ties with at least one that is not shown."


@dataclass(frozen=True)
class Grouped:
    """The table that was written: its groups and the names of its numbers."""

    keys: list[Key]
    values: list[str]


def query(draft: Draft, arguments: dict[str, Any]) -> str:
    """The program of `query`; returns its title. Raises Unfit."""
    draft.select(arguments.get("where") or [])
    measure = str(arguments.get("measure") or "")
    aggregates = default_aggregates(draft, measure, list(arguments.get("aggregate") or []))
    by, order = list(arguments.get("by") or []), str(arguments.get("order") or "")
    if not by:
        return _total(draft, measure, aggregates)
    interval, limit = str(arguments.get("interval") or ""), int(arguments.get("limit") or 0)
    made = grouped(draft, measure, aggregates, by, interval, order, limit)
    draft.add("table")
    return table_title(draft, made, limit, order)


def table_title(draft: Draft, made: Grouped, limit: int = 0, order: str = "") -> str:
    """How the tools name such a table."""
    top = f" ({'top' if order in ('', 'descending') else 'first'} {limit})" if limit else ""
    by = " and ".join(key.label for key in made.keys)
    named = ["number of rows"] if made.values == ["rows"] else made.values
    return capital(f"{' and '.join(named)} by {by}{draft.words}{top}")


def capital(words: str) -> str:
    """A title's first letter."""
    return words[:1].upper() + words[1:]


def _total(draft: Draft, measure: str, aggregates: list[str]) -> str:
    if not measure:
        draft.add(f"len({draft.data})")
        return f"Number of rows{draft.words}"
    column = measured(draft, measure, aggregates)
    labels = {aggregate: label(aggregate, column.name) for aggregate in aggregates}
    title = capital(f"{' and '.join(labels.values())}{draft.words}")
    said_left_out(draft, column)
    if len(aggregates) == 1 and not column.timed:
        draft.add(f"{draft.field(column)}.{method(aggregates[0], column)}")
        return title
    draft.use("pd")
    draft.add(f"values = {draft.field(column)}")
    items = [f"{literal(labels[a])}: [values.{method(a, column)}]" for a in aggregates]
    draft.add(*laid_out("pd.DataFrame({", items, "})"))
    return title


def said_left_out(draft: Draft, column: Column) -> None:
    """Writes the line that tells how many rows have no value."""
    if column.missing:
        what = f'"row(s) without", {literal(column.name)}, "are left out."'
        draft.add(f"print({draft.field(column)}.isna().sum(), {what})")


def grouped(
    draft: Draft, measure: str, aggregates: list[str], by: list[str], interval: str, order: str, limit: int
) -> Grouped:
    """Writes `table`: one row a group, in order, cut to `limit`. Raises Unfit."""
    column = measured(draft, measure, aggregates) if measure else None
    if column is not None:
        said_left_out(draft, column)
    made = keys(draft, by, interval)
    taken = [key.column.name for key in made]
    values = [label(aggregate, column.name if column else "", taken) for aggregate in aggregates]
    missing = ", dropna=False" if any(key.column.missing for key in made) else ""
    source = f"{draft.data}.groupby({listed(made)}{missing})"
    if column is None:
        draft.add(f"table = {source}.size().reset_index(name={literal(values[0])})")
    elif len(aggregates) == 1:
        chosen = method(aggregates[0], column)
        draft.add(
            f"groups = {source}[{literal(column.name)}]",
            f"table = groups.{chosen}.reset_index(name={literal(values[0])})",
        )
    else:
        draft.use("pd")
        draft.add(f"groups = {source}[{literal(column.name)}]")
        items = [f"{literal(v)}: groups.{method(a, column)}" for v, a in zip(values, aggregates, strict=True)]
        draft.add(*laid_out("table = pd.DataFrame({", items, "}).reset_index()"))
    dates = any(key.column.timed for key in made)
    _sort(draft, made, values[0], order or ("group" if dates else "descending"))
    _cut(draft, values[0], limit)
    return Grouped(made, values)


def _sort(draft: Draft, made: list[Key], first: str, order: str) -> None:
    if order not in ORDERS:
        raise Unfit(order)
    hidden = hidden_labels(made)
    names = [*hidden, *(key.label for key in made)]
    if order != "group":
        names = [first, *names]
    if order != "group" or hidden:
        items = [literal(names), *([rising_but_first(len(names))] if order == "descending" else [])]
        draft.add(*laid_out("table = table.sort_values(", [*items, "ignore_index=True"], ")"))
    if hidden:
        draft.add(f"table = table.drop(columns={literal(hidden[0])})")


def _cut(draft: Draft, first: str, limit: int) -> None:
    if limit <= 0:
        return
    edge = f"table[{literal(first)}].iloc[{limit - 1}:{limit + 1}]"
    draft.add(
        f"if len(table) > {limit} and {edge}.nunique(dropna=False) == 1:",
        f"    print({literal(TIES)})",
        f"table = table.head({limit})",
    )

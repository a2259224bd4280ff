"""Programs for single rows, one column, relations of two columns, and a measure over time."""

import datetime as dt
from typing import Any

from agents.planner.draft import Draft, Unfit, laid_out, literal, rising_but_first
from agents.planner.draft_groups import (
    FREQUENCIES,
    PANDAS,
    automatic_unit,
    dated,
    default_aggregates,
    fixed_interval,
    measured,
)
from agents.planner.draft_query import capital, said_left_out
from agents.planner.schema import Column
from analysis.crosstab import MAX_COLUMNS
from analysis.describe import TOP_VALUES
from analysis.distribution import DEFAULT_BINS, MAX_BINS, SHOWN_VALUES, round_width
from analysis.measures import ROWS, free_name, label
from analysis.rows import TIE_COLUMNS
from analysis.trend import ADDED, INTERVALS, MAX_PERIODS, SHORTEST

Arguments = dict[str, Any]
MISSING = "(missing)"


def rows(draft: Draft, arguments: Arguments) -> str:
    """The rows themselves; equal ones in the order of the other columns."""
    draft.select(arguments.get("where") or [])
    title = f"Rows of {draft.schema.file or draft.schema.name}{draft.words}"
    made = draft.data
    if arguments.get("order_by"):
        first = draft.column(arguments["order_by"])
        rest = [c for c in draft.schema.columns if c.name != first.name and c.kind != "other"]
        names = [first.name, *(c.name for c in rest[:TIE_COLUMNS])]
        falling = bool(arguments.get("descending"))
        way = f", {rising_but_first(len(names))}" if falling else ""
        draft.add(*laid_out("names = [", [literal(name) for name in names], "]"))
        made = f"{made}.sort_values(names{way}, ignore_index=True)"
        title += f", {'highest' if falling else 'lowest'} {first.name} first"
    elif draft.words:
        made += ".reset_index(drop=True)"
    if arguments.get("columns"):
        made += f"[{literal([draft.column(name).name for name in arguments['columns']])}]"
    if arguments.get("limit"):
        made += f".head({int(arguments['limit'])})"
    draft.add(made)
    return title


def describe(draft: Draft, arguments: Arguments) -> str:
    """A number's statistics, a date's range, a text's most frequent values."""
    draft.select(arguments.get("where") or [])
    column = draft.column(arguments["column"])
    if column.kind in ("time", "other"):
        raise Unfit(column.kind)
    said_left_out(draft, column)
    draft.use("pd")
    draft.add(f"values = {draft.field(column)}.dropna()")
    if column.numeric:
        items = {
            "count": "len(values)", "mean": "values.mean()", "standard deviation": "values.std()",
            "lowest": "values.min()", "25%": "values.quantile(0.25)", "50%": "values.median()",
            "75%": "values.quantile(0.75)", "highest": "values.max()", "sum": "values.sum()",
        }  # fmt: skip
    elif column.timed:
        draft.add("days = (values.max().normalize() - values.min().normalize()).days + 1")
        items = {
            "count": "len(values)", "earliest": "values.min()", "latest": "values.max()",
            "days covered": "days", "different days": "values.dt.normalize().nunique()",
            "days without rows": "days - values.dt.normalize().nunique()",
        }  # fmt: skip
    else:
        counts = free_name(ROWS, [column.name])
        _frequent(draft, column, counts)
        draft.add(f"counts.head({TOP_VALUES})")
        return f"{column.name}{draft.words}"
    draft.add(*laid_out("pd.DataFrame({", [f"{literal(n)}: [{code}]" for n, code in items.items()], "})"))
    return f"{column.name}{draft.words}"


def _frequent(draft: Draft, column: Column, counts: str) -> None:
    """Writes `counts`: rows a value, most first, equal ones by the value."""
    names = literal([counts, column.name])
    draft.add(
        f"counts = values.value_counts().reset_index(name={literal(counts)})",
        f"counts = counts.sort_values({names}, ascending=[False, True], ignore_index=True)",
    )


def distribution(draft: Draft, arguments: Arguments) -> str:
    """Rows per bin of a round width, per period, or per value."""
    draft.select(arguments.get("where") or [])
    column = draft.column(arguments["column"])
    distribution_table(draft, column, int(arguments.get("bins") or 0))
    draft.add("table")
    return f"Distribution of {column.name}{draft.words}"


def distribution_table(draft: Draft, column: Column, bins: int) -> None:
    """Writes `table`; a number's bins with their edges."""
    said_left_out(draft, column)
    if column.numeric:
        draft.add(f"values = {draft.field(column)}.dropna()")
        _binned(draft, column, min(max(bins, 0), MAX_BINS) or DEFAULT_BINS)
        return
    if column.timed:
        key = dated(draft, column, "")
        counts, share = free_name(ROWS, [key.label]), free_name("share %", [key.label])
        named = f"reset_index(name={literal(counts)})"
        draft.add(f"table = {draft.data}.groupby({key.code}).size().{named}")
        draft.add(
            f"table[{literal(share)}] = 100 * table[{literal(counts)}] / table[{literal(counts)}].sum()"
        )
        return
    if column.kind in ("time", "other"):
        raise Unfit(column.kind)
    counts, share = free_name(ROWS, [column.name]), free_name("share %", [column.name])
    draft.add(f"values = {draft.field(column)}.dropna()")
    _frequent(draft, column, counts)
    draft.add(f"counts[{literal(share)}] = 100 * counts[{literal(counts)}] / len(values)")
    draft.add(f"table = counts.head({SHOWN_VALUES})")


def _binned(draft: Draft, column: Column, bins: int) -> None:
    draft.use("np", "pd")
    known = not draft.words and isinstance(column.low, (int, float)) and isinstance(column.high, (int, float))
    if known:
        width = round_width(column.low, column.high, bins, whole=column.kind == "integer")
        draft.add(f"width = {width!r}")
    else:
        whole = "max(1.0, round(width))" if column.kind == "integer" else "width"
        draft.add(
            f"raw = (values.max() - values.min()) / {bins} or 1",
            "power = 10.0 ** np.floor(np.log10(raw))",
            "width = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= raw * 0.999)",
            f"width = {whole} if values.max() > values.min() else 1.0",
        )
    draft.add(
        "start = np.floor(values.min() / width) * width",
        "# Nine digits: 0.3 / 0.1 is a little less than 3, and 0.3 belongs to the bin that starts there.",
        'bins = np.floor(((values.astype("float64") - start) / width).round(9)).astype(int)',
        "counts = bins.value_counts().reindex(range(bins.max() + 1), fill_value=0).sort_index()",
        *laid_out(
            "table = pd.DataFrame({",
            [
                '"from": start + counts.index * width',
                '"to": start + (counts.index + 1) * width',
                '"rows": counts',
                '"share %": 100 * counts / len(values)',
            ],
            "}).reset_index(drop=True)",
        ),
    )


def correlate(draft: Draft, arguments: Arguments) -> str:
    """r, p and n of a pair, or a matrix."""
    method = arguments.get("method") or "pearson"
    if method not in ("pearson", "spearman"):
        raise Unfit(method)
    draft.select(arguments.get("where") or [])
    names = [arguments[name] for name in ("x", "y") if arguments.get(name)]
    found = [draft.column(name) for name in names or arguments.get("columns") or []]
    if any(not column.numeric for column in found):
        raise Unfit("numbers are needed")
    if len(found) == 1:
        found += [c for c in draft.schema.measures if c.name != found[0].name]
    found = list({c.name: c for c in found or draft.schema.measures}.values())
    if len(found) < 2:
        raise Unfit("two columns are needed")
    if len(found) > 2:
        matrix(draft, found, method)
        draft.add(f"matrix.reset_index(names={literal(free_name('column', [c.name for c in found]))})")
        return f"{method.title()} correlations{draft.words}"
    x, y = found
    draft.use("pd", "stats")
    function = "pearsonr" if method == "pearson" else "spearmanr"
    pair = literal([x.name, y.name])
    items = [f'"x": {literal(x.name)}', f'"y": {literal(y.name)}', f'"method": {literal(method)}']
    draft.add(
        f"points = {draft.data}[{pair}].dropna().astype(float)",
        "if (points.nunique() < 2).any() or len(points) < 3:",
        '    raise ValueError("A correlation needs three rows, and different values in both columns.")',
        f"r, p = stats.{function}(points[{literal(x.name)}], points[{literal(y.name)}])",
        *laid_out("pd.DataFrame([{", [*items, '"r": round(r, 12)', '"p": p', '"n": len(points)'], "}])"),
    )
    return f"{method.title()} correlation of {x.name} and {y.name}{draft.words}"


def matrix(draft: Draft, columns: list[Column], method: str) -> None:
    """Writes `matrix`, of pairs that have at least three rows."""
    names = [literal(c.name) for c in columns]
    draft.add(*laid_out(f"values = {draft.data}[[", names, "]].astype(float)"))
    draft.add(f"matrix = values.corr(method={literal(method)}, min_periods=3).round(12)")


def crosstab(draft: Draft, arguments: Arguments) -> str:
    """One column's values down, another's across."""
    down, across = draft.column(arguments["rows"]), draft.column(arguments["columns"])
    measure = str(arguments.get("measure") or "")
    aggregate = str(arguments.get("aggregate") or ("sum" if measure else "count"))
    share = str(arguments.get("normalize") or "")
    named = [str(value).lower() for value in across.values]
    listed = {*named, down.name.lower(), "", MISSING}
    known = across.distinct == len(named) <= MAX_COLUMNS and len(listed) == len(named) + 3
    if down.kind != "text" or across.kind != "text" or not known or down.name == across.name:
        raise Unfit("the columns of the table are not known beforehand")
    if aggregate not in PANDAS or (share and aggregate not in ("sum", "count")):
        raise Unfit(aggregate)
    draft.select(arguments.get("where") or [])
    sides = [
        f"{draft.field(c)}.fillna({literal(MISSING)})" if c.missing else draft.field(c)
        for c in (down, across)
    ]
    draft.use("pd")
    if measure:
        column = measured(draft, measure, [aggregate])
        said_left_out(draft, column)
        function = literal(PANDAS[aggregate].removesuffix("()"))
        sides += [f"values={draft.field(column)}", f"aggfunc={function}"]
    draft.add(*laid_out("table = pd.crosstab(", sides, ")"))
    if aggregate in ("sum", "count"):
        _filled(draft, share, free_name("total", [*named, down.name]), fill=bool(measure))
    draft.add("table.rename_axis(columns=None).reset_index()")
    words = f"% of {share}, " if share else ""
    of = label(aggregate, measure)
    return capital(f"{of} ({words}{down.name} by {across.name}){draft.words}")


def _filled(draft: Draft, share: str, total: str, *, fill: bool) -> None:
    if fill:
        draft.add("table = table.fillna(0)")
    wholes = {
        "rows": "div(table.sum(axis=1), axis=0)",
        "columns": "div(table.sum())",
        "all": "div(table.sum().sum())",
    }
    if share and share not in wholes:
        raise Unfit(share)
    if share:
        draft.add(f"table = 100 * table.{wholes[share]}")
    else:
        draft.add(f"table[{literal(total)}] = table.sum(axis=1)")


def trend(draft: Draft, arguments: Arguments) -> str:
    """A measure period by period, with its change to the one before."""
    draft.select(arguments.get("where") or [])
    period, value, by = trend_table(draft, arguments)
    draft.add("table")
    words = f" and {by}" if by else ""
    return capital(f"{value} by {period}{words}{draft.words}")


def trend_table(draft: Draft, arguments: Arguments) -> tuple[str, str, str]:
    """Writes `table`; returns the names of its period, value and group. Raises Unfit."""
    moment = (
        draft.column(arguments["date"]) if arguments.get("date") else next(iter(draft.schema.dates), None)
    )
    unit = str(arguments.get("interval") or "")
    if (
        moment is None
        or not moment.timed
        or None in (moment.low, moment.high)
        or (unit and unit not in INTERVALS)
    ):
        raise Unfit("no such time")
    measure = str(arguments.get("measure") or "")
    (aggregate,) = default_aggregates(draft, measure, [str(arguments.get("aggregate") or "")])[:1]
    column = measured(draft, measure, [aggregate]) if measure else None
    if column is not None and column.kind not in ("integer", "number", "boolean") and aggregate not in ADDED:
        raise Unfit(aggregate)
    group = draft.column(arguments["by"]) if arguments.get("by") else None
    if group is not None and (
        group.timed or group.kind == "other" or (group.missing and group.kind != "text")
    ):
        raise Unfit(group.name)
    for gap in (moment, column):
        if gap is not None:
            said_left_out(draft, gap)
    if group is not None and group.missing:
        draft.replace(group, f"{draft.field(group)}.fillna({literal(MISSING)})")
    unit = unit or fixed_interval(draft, moment)
    if unit and _too_many(moment, unit):
        raise Unfit("more periods than are shown")
    frequency = literal(FREQUENCIES[unit]) if unit else automatic_unit(draft, moment, "freq", FREQUENCIES)
    period = free_name(unit or "period", [group.name] if group else [])
    value = free_name(
        label(aggregate, column.name if column else ""), [period, *([group.name] if group else [])]
    )
    _periods(draft, moment, column, group, aggregate, frequency, (period, value))
    _change(draft, value, group, [period])
    return period, value, group.name if group else ""


def _too_many(moment: Column, unit: str) -> bool:
    first, last = (dt.datetime.fromisoformat(str(end)) for end in (moment.low, moment.high))
    return (last - first) / SHORTEST[unit] > MAX_PERIODS


def _periods(
    draft: Draft,
    moment: Column,
    column: Column | None,
    group: Column | None,
    aggregate: str,
    frequency: str,
    names: tuple[str, str],
) -> None:
    """Every period from the first to the last; those without rows count 0 where that is what they are."""
    period, value = literal(names[0]), literal(names[1])
    chosen = f"[{literal(column.name)}].{PANDAS[aggregate]}" if column else ".size()"
    date = literal(moment.name)
    if group is None:
        weeks = ', closed="left", label="left"' if frequency == literal(FREQUENCIES["week"]) else ""
        draft.add(
            f"values = {draft.data}.resample({frequency}, on={date}{weeks}){chosen}",
            f"table = values.rename_axis({period}).reset_index(name={value})",
        )
        return
    weeks = ', closed="left", label="left"' if frequency == literal(FREQUENCIES["week"]) else ""
    draft.use("pd")
    draft.add(
        f"period = pd.Grouper(key={date}, freq={frequency}{weeks})",
        f"wide = {draft.data}.groupby([period, {literal(group.name)}]){chosen}.unstack()",
        f"wide = wide.asfreq({frequency}){'.fillna(0)' if aggregate in ADDED else ''}.rename_axis({period})",
        f"table = wide.melt(ignore_index=False, value_name={value}).reset_index()",
    )


def _change(draft: Draft, value: str, group: Column | None, taken: list[str]) -> None:
    names = [*taken, value, *([group.name] if group else [])]
    change = free_name("change", names)
    percent = free_name("change %", [*names, change])
    field = f"table[{literal(value)}]"
    shifted = (
        f"table.groupby({literal(group.name)})[{literal(value)}].shift()" if group else f"{field}.shift()"
    )
    draft.add(
        f"previous = {shifted}",
        f"table[{literal(change)}] = {field} - previous",
        f"table[{literal(percent)}] = 100 * table[{literal(change)}] / previous.where(previous > 0)",
    )

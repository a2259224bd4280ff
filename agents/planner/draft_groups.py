"""What a program aggregates and by what: the pandas method, the groups' keys, dates cut to periods."""

from dataclasses import dataclass

from agents.planner.draft import Draft, Unfit, literal
from agents.planner.schema import Column
from analysis.measures import AGGREGATES, ANY_KIND, INTERVALS, automatic_interval, free_name

UNITS = {"year": "Y", "quarter": "Q", "month": "M", "week": "W", "day": "D", "hour": "h"}
FREQUENCIES = {"year": "YS", "quarter": "QS", "month": "MS", "week": "W-MON", "day": "D", "hour": "h"}
PANDAS = {
    "sum": "sum()", "mean": "mean()", "median": "median()", "count": "count()", "min": "min()",
    "max": "max()", "std": "std()", "distinct": "nunique()",
}  # fmt: skip
NUMBERS = ("integer", "number", "boolean")
ORDER_OF_DAYS = "day of week"
LARGEST = 2**63


@dataclass(frozen=True)
class Key:
    """One grouping: its source, and its column's name in the table."""

    code: str
    label: str
    column: Column
    hidden: str = ""
    """Source of a second key that only sorts."""


def method(aggregate: str, column: Column | None) -> str:
    """The pandas method of an aggregate; the sum of nothing is missing, as it is in SQL."""
    gaps = aggregate == "sum" and column is not None and column.missing
    return "sum(min_count=1)" if gaps else PANDAS[aggregate]


def measured(draft: Draft, name: str, aggregates: list[str]) -> Column:
    """The column to aggregate; yes and no become 1 and 0 where numbers are needed. Raises Unfit."""
    column = draft.column(name)
    if any(aggregate not in AGGREGATES for aggregate in aggregates) or column.kind in ("time", "other"):
        raise Unfit(name)
    if not (set(aggregates) <= {*ANY_KIND, "min", "max"} or column.kind in NUMBERS):
        raise Unfit(f"{name} holds no numbers")
    if column.kind == "integer" and "sum" in aggregates:
        size = max(
            (abs(end) for end in (column.low, column.high) if isinstance(end, (int, float))), default=0
        )
        if size * draft.schema.rows >= LARGEST:
            raise Unfit("the sum leaves pandas' whole numbers")
    if column.kind == "boolean" and not set(aggregates) <= set(ANY_KIND):
        draft.replace(column, f'{draft.field(column)}.astype("Int64")')
    return column


def default_aggregates(draft: Draft, measure: str, given: list[str]) -> list[str]:
    """What the tools compute where nothing is said."""
    if not measure:
        return ["count"]
    names = list(dict.fromkeys(name for name in given if name))
    return names or ["sum" if draft.column(measure).numeric else "count"]


def keys(draft: Draft, names: list[str], interval: str) -> list[Key]:
    """The groups of `names`, each column once. Raises Unfit."""
    made: dict[str, Key] = {}
    for name in names:
        column = draft.column(name)
        if column.name in made:
            continue
        if column.kind == "other":
            raise Unfit(name)
        made[column.name] = dated(draft, column, interval) if column.timed else plain_key(column)
    labels = [key.label.lower() for key in made.values()]
    if len(set(labels)) < len(labels):
        raise Unfit("two groups of one name")
    return list(made.values())


def plain_key(column: Column) -> Key:
    """A column's own values."""
    return Key(literal(column.name), column.name, column)


def dated(draft: Draft, column: Column, interval: str) -> Key:
    """A date's period, as a line of its own. Raises Unfit for an unknown interval."""
    chosen = interval or fixed_interval(draft, column)
    if chosen and chosen not in INTERVALS:
        raise Unfit(chosen)
    field = draft.field(column)
    if chosen == "weekday":
        hidden = f"{field}.dt.day_of_week.rename({literal(ORDER_OF_DAYS)})"
        draft.add(f'weekday = {field}.dt.day_name().rename("weekday")', f"number = {hidden}")
        return Key("weekday", "weekday", column, "number")
    name = chosen or "period"
    label = column.name if chosen == "day" else f"{column.name} ({name})"
    unit = literal(UNITS[chosen]) if chosen else automatic_unit(draft, column, "unit", UNITS)
    taken = [line.split(" = ")[0] for line in draft.lines]
    variable = next(v for v in (name, f"{name}_2", f"{name}_3", f"{name}_4") if v not in taken)
    draft.add(f"{variable} = {field}.dt.to_period({unit}).dt.start_time.rename({literal(label)})")
    return Key(variable, label, column)


def fixed_interval(draft: Draft, column: Column) -> str:
    """The automatic interval where the data's range is known beforehand; nothing under a filter."""
    return "" if draft.words else automatic_interval(column.info)


def automatic_unit(draft: Draft, column: Column, variable: str, units: dict[str, str]) -> str:
    """Writes how the interval follows from the rows that are left; returns the variable."""
    field = draft.field(column)
    year, month, day, hour = (literal(units[name]) for name in ("year", "month", "day", "hour"))
    short = day if column.kind == "date" else f"{day} if days > 2 else {hour}"
    draft.add(
        f"days = ({field}.max() - {field}.min()).days",
        f"{variable} = {year} if days > 12 * 365 else {month} if days > 92 else {short}",
    )
    return variable


def listed(made: list[Key]) -> str:
    """Keys as the argument of groupby."""
    codes = [code for key in made for code in (key.hidden, key.code) if code]
    return codes[0] if len(codes) == 1 else f"[{', '.join(codes)}]"


def hidden_labels(made: list[Key]) -> list[str]:
    """Columns that only sort."""
    return [ORDER_OF_DAYS for key in made if key.hidden]


def value_label(wanted: str, made: list[Key]) -> str:
    """A name for an aggregate that no group has."""
    return free_name(wanted, [key.label for key in made])

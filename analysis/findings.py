"""What a person should know of a table before the first question, in plain words, most important first.

Read off a profile alone, so that it costs nothing; each finding says how many rows it is about, and has a
question that shows them where one can be asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from analysis.finding_words import counted, listed, number, share, shown, verb
from analysis.profiling import ColumnProfile, Profile
from analysis.suggest import is_rate
from sandbox.text_values import PLACEHOLDERS

MOST = 30
EACH_KIND = 6
PROBLEM = 50
MANY_GAPS = 0.05
CONCENTRATED = 2.0
MANY_OUTLIERS = 0.15
STRONG = 0.9
SKEWED = 3.0
ONE_SIDED = 0.95
NEARLY_UNIQUE = 0.9
LEAST_ROWS = 20
FEW_GROUPS = 50
KEY_WORDS = {"id", "key", "uuid", "guid", "code", "no", "nr", "number"}
PERCENT_WORDS = {"percent", "percentage", "pct", "share", "discount", "rate"}
NEVER_ZERO = {"price", "cost", "salary", "age", "weight", "height"}
LATER_WORDS = {"due", "expires", "expiry", "end", "until", "planned", "delivery", "valid"}
AMOUNT_WORDS = NEVER_ZERO | {
    "amount", "quantity", "qty", "revenue", "sales", "count", "distance", "duration", "population",
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing to know."""

    kind: str
    text: str
    columns: list[str]
    count: int
    """How many rows, values or columns it is about."""
    weight: float
    """The higher, the more it can spoil an answer; from PROBLEM up it needs a look, below it is a remark."""
    question: str = ""
    """What to ask to see more; "" where nothing can be asked."""
    fix: str = ""
    """What to ask for to have it put right; "" where a person has to decide how."""
    examples: list[Any] = field(default_factory=list)


def findings(profile: Profile) -> list[Finding]:
    """What stands out: at most 30, and of one kind at most 6."""
    if not profile.rows_seen:
        return [Finding("no rows", "The table has columns, but no rows.", [], 0, 100)]
    kinds: dict[str, int] = {}
    kept = []
    for found in sorted(_all(profile), key=lambda f: (-f.weight, -f.count, f.columns)):
        kinds[found.kind] = kinds.get(found.kind, 0) + 1
        if kinds[found.kind] <= EACH_KIND:
            kept.append(found)
    return kept[:MOST]


def keys(profile: Profile) -> list[ColumnProfile]:
    """Columns with a different value in every row seen, which may name the rows."""
    return [column for column in profile.details if _is_key(profile, column)]


def _all(profile: Profile) -> Iterator[Finding]:
    yield from _whole(profile)
    for column in profile.details:
        yield from _gaps(profile, column)
        here = profile.rows - column.missing
        if here <= 0:
            continue
        if column.kind == "text":
            yield from _texts(profile, column, here)
        elif column.kind in ("integer", "number"):
            if not _is_key(profile, column) and not _named_id(column):
                yield from _numbers(column, here)
                yield from _far(column, here)
        elif column.kind in ("date", "datetime"):
            yield from _dates(column, profile.made_at[:10])
        yield from _variety(profile, column, here)
    yield from _related(profile)


def _whole(profile: Profile) -> Iterator[Finding]:
    if repeats := profile.duplicates:
        text = (
            f"{counted(repeats)} ({share(repeats, profile.rows)}) {verb(repeats, 'repeats', 'repeat')}"
            " an earlier row in every column."
        )
        yield Finding("duplicates", text, [], repeats, 90, fix="remove duplicate rows")
    names = [column.name for column in keys(profile)]
    if names:
        have = "has" if len(names) == 1 else "have"
        likely = "a likely key" if len(names) == 1 else "likely keys"
        text = f"{listed(names[:4])} {have} a different value in every row{_seen(profile)}: {likely}."
        yield Finding("key", text, names, len(names), 20)


def _gaps(profile: Profile, column: ColumnProfile) -> Iterator[Finding]:
    name, gaps = column.name, column.missing
    if gaps >= profile.rows:
        yield Finding("empty", f"{name} is empty in every row.", [name], gaps, 72, fix=f"drop column {name}")
        return
    if gaps:
        part = gaps / profile.rows
        weight = 40 + 35 * part + (10 if part > MANY_GAPS else 0)
        text = (
            f"{name} is missing in {counted(gaps)} ({share(gaps, profile.rows)})"
            f"{_concentrated(profile, column)}."
        )
        yield Finding("missing", text, [name], gaps, weight, "missing values")
    odd = sum(count for key, count in column.not_finite.items() if key != "endless")
    if odd:
        text = f"{name} is no finite number (NaN or infinity) in {counted(odd)}; answers leave them out."
        yield Finding("not finite", text, [name], odd, 62)


def _concentrated(profile: Profile, column: ColumnProfile) -> str:
    """Where most gaps are, if one group of rows has far more than its share."""
    best, said = CONCENTRATED, ""
    for name, group, value, rows, gaps in profile.gaps:
        if name != column.name or not rows or gaps < column.missing / 2:
            continue
        lift = (gaps / column.missing) / (rows / profile.rows)
        if lift >= best:
            best, said = lift, f", {share(gaps, column.missing)} of them where {group} is {shown(value)}"
    return said


def _texts(profile: Profile, column: ColumnProfile, here: int) -> Iterator[Finding]:
    name, text = column.name, column.text
    by_value = f"number of rows by {name}"
    totals, variants, spaces = (text.get(key, 0) for key in ("totals", "variants", "spaces"))
    if 0 < totals <= max(2, 0.05 * here) and column.distinct > 2:
        said = f"{name} says “total” in {counted(totals)}: sums over all rows would count those values twice."
        yield Finding("totals", said, [name], totals, 95, by_value)
    if variants:
        pairs = "; ".join(" = ".join(map(shown, group)) for group in text["spellings"][:3])
        said = f"{name} spells {counted(variants, 'value')} in several ways (capitals or spaces): {pairs}."
        yield Finding("spellings", said, [name], variants, 85, by_value, examples=text["spellings"])
    elif spaces:
        said = f"{name} has spaces before or after the text in {counted(spaces)}."
        yield Finding("spaces", said, [name], spaces, 55, by_value, f"trim spaces in {name}")
    if gaps := text.get("placeholders", 0):
        word = next((str(v) for v, _ in column.top if str(v).strip().lower() in PLACEHOLDERS), "n/a")
        said = f"{name} has words that stand for a gap, such as {shown(word)}, in {counted(gaps)}."
        yield Finding("placeholders", said, [name], gaps, 68, by_value)
    if empty := text.get("empty", 0) + text.get("blank", 0):
        said = f"{name} is empty text, which does not count as missing, in {counted(empty)}."
        yield Finding("blanks", said, [name], empty, 60, by_value)
    numbers = text.get("numbers", 0)
    if numbers >= 0.9 * here and not _is_key(profile, column) and not _named_id(column):
        rest = f" but {counted(here - numbers)}" if numbers < here else " rows"
        said = f"{name} is text, but holds numbers in all{rest}: it cannot be added up as it is."
        weight = 75 if numbers < here else 58
        yield Finding("numbers as text", said, [name], numbers, weight, fix=f"convert {name} to number")


def _numbers(column: ColumnProfile, here: int) -> Iterator[Finding]:
    name, words = column.name, _words(column.name)
    negative, zero = column.signs.get("negative", 0), column.signs.get("zero", 0)
    if 0 < negative < 0.5 * here and (words & AMOUNT_WORDS or negative <= 0.05 * here):
        low = number(column.min)
        text = f"{name} is negative in {counted(negative)} ({share(negative, here)}), the lowest {low}."
        yield Finding("negative", text, [name], negative, 70, f"rows where {name} is below 0")
    if words & NEVER_ZERO and 0 < zero <= 0.2 * here:
        text = f"{name} is 0 in {counted(zero)} ({share(zero, here)})."
        yield Finding("zeros", text, [name], zero, 52, f"rows where {name} equals 0")
    over = column.over.get("100", 0)
    if words & PERCENT_WORDS and 0 < over <= 0.05 * here:
        high = number(column.max)
        text = f"{name} looks like a percentage and is over 100 in {counted(over)}, the highest {high}."
        yield Finding("percent", text, [name], over, 71, f"rows where {name} is above 100")
    old = column.over.get("120", 0)
    sentinel = _sentinel(column, here)
    if "age" in words and old > (sentinel[1] if sentinel else 0):
        text = f"{name} is over 120 in {counted(old)}, the highest {number(column.max)}."
        yield Finding("age", text, [name], old, 73, f"rows where {name} is above 120")
    if sentinel:
        value, count = sentinel
        text = f"{name} is {value} in {counted(count)}, far from the rest: {value} may stand for a gap."
        yield Finding(
            "sentinel", text, [name], count, 80, f"rows where {name} equals {value}", examples=[value]
        )


def _sentinel(column: ColumnProfile, here: int) -> tuple[int, int] | None:
    """A value like -1 or 999 at an end of the range that comes again and again, far from the others."""
    if not column.outliers or column.distinct < 5:
        return None
    low, high = column.outliers["low"], column.outliers["high"]
    for value, count in sorted(column.watched, key=lambda pair: -pair[1]):
        only_negative = value < 0 and column.signs.get("negative") == count
        far = not low <= value <= high or only_negative
        if far and 2 <= count < 0.5 * here and value in (column.min, column.max):
            return int(value), int(count)
    return None


def _far(column: ColumnProfile, here: int) -> Iterator[Finding]:
    name, fences = column.name, column.outliers
    if not fences or column.distinct < 10 or here < LEAST_ROWS:
        return
    below, above = fences["below"], fences["above"]
    if 0 < below + above <= MANY_OUTLIERS * here:
        sides = [f"{above:,} above {number(fences['high'])}"] if above else []
        sides += [f"{below:,} below {number(fences['low'])}"] if below else []
        text = f"{name} is far from the middle half in {counted(below + above)} ({', '.join(sides)})."
        yield Finding("outliers", text, [name], below + above, PROBLEM, f"outliers in {name}")
    if column.skew is not None and abs(column.skew) >= SKEWED:
        longer = "high" if column.skew > 0 else "low"
        text = (
            f"{name} is skewed: a few very {longer} values pull the mean ({number(column.mean)}) away"
            f" from the median ({number(column.quantiles['50%'])})."
        )
        yield Finding("skew", text, [name], here, 38, f"distribution of {name}")


def _dates(column: ColumnProfile, today: str) -> Iterator[Finding]:
    name = column.name
    ends = (str(column.min)[:10], str(column.max)[:10])
    for day, count in column.watched:
        if day[:4] == "9999" or (day in ends and count >= 2):
            text = f"{name} is {day} in {counted(count)}: that day often stands for a gap."
            asked = f"rows where {name} is {day}"
            yield Finding("placeholder date", text, [name], count, 79, asked, examples=[day])
    if column.future and not _words(name) & LATER_WORDS:
        text = f"{name} lies in the future in {counted(column.future)}, up to {ends[1]}."
        yield Finding("future", text, [name], column.future, 66, f"rows where {name} is after {today}")


def _variety(profile: Profile, column: ColumnProfile, here: int) -> Iterator[Finding]:
    name, most = column.name, column.top[0][1] if column.top else 0
    if column.distinct == 1 and here > 1:
        value = shown(column.top[0][0]) if column.top else shown(column.min)
        where = "wherever it is there" if column.missing else "in every row"
        text = f"{name} is {value} {where}{_seen(profile)}."
        yield Finding("constant", text, [name], here, 48, fix=f"drop column {name}")
        return
    few = column.kind in ("text", "boolean") and column.distinct <= FEW_GROUPS
    if few and most >= ONE_SIDED * here and here >= LEAST_ROWS:
        text = f"{name} is {shown(column.top[0][0])} in {share(most, here)} of rows: the rest is few."
        yield Finding("imbalance", text, [name], here - most, 36, f"number of rows by {name}")
    seen = here if profile.exact else round(here * profile.rows_seen / profile.rows)
    repeats = seen - column.distinct
    named = _named_id(column)
    names = column.kind == "text" or (column.kind == "integer" and named)
    if names and seen >= LEAST_ROWS and 0 < repeats <= (1 - NEARLY_UNIQUE) * seen:
        again = verb(repeats, "repeats", "repeat")
        text = f"{name} is nearly unique{_seen(profile)}: {counted(repeats)} {again} an earlier value."
        yield Finding("nearly unique", text, [name], repeats, 57 if named else 30)


def _related(profile: Profile) -> Iterator[Finding]:
    plain = {c.name for c in profile.details if not _is_key(profile, c) and not _named_id(c)}
    rows = profile.correlation_rows
    sampled = f" (in {rows:,} evenly spaced rows)" if rows < profile.rows else ""
    for one, two, r in profile.correlations:
        if abs(r) >= STRONG and {one, two} <= plain:
            together = "rise together" if r > 0 else "move in opposite directions"
            text = f"{one} and {two} {together}: correlation {r:.2f}{sampled}."
            asked = f"correlation between {one} and {two}"
            yield Finding("correlation", text, [one, two], 2, 40 + abs(r), asked)


def _is_key(profile: Profile, column: ColumnProfile) -> bool:
    """A different value in each row seen, and of a kind that names things."""
    unique = not column.missing and 1 < column.distinct == profile.rows_seen
    if not unique or column.kind not in ("integer", "text", "other"):
        return False
    if column.lengths.get("max", 0) > 100:
        return False
    return column.kind != "integer" or _named_id(column) or not is_rate(column.name)


def _named_id(column: ColumnProfile) -> bool:
    return bool(_words(column.name) & KEY_WORDS)


def _words(name: str) -> set[str]:
    spaced = "".join(c if c.isalnum() else " " for c in name.lower())
    return set(spaced.split())


def _seen(profile: Profile) -> str:
    return "" if profile.exact else " of those looked at"

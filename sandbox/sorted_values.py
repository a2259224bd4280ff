"""What a sorted NumPy array says about its values: counts, quantiles, spread, bins, frequent values.

Sorting is the cheapest way to all of them at once: ten million numbers take a tenth of a second, and
distinct values, quantiles and bins are then read off without a hash table. Arrays are gone over in slices,
so that nothing as large as the array is made beside it.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

SLICE = 1 << 16
RUN_SLICE = 1 << 20
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
QUANTILE_NAMES = ("5%", "25%", "50%", "75%", "95%")
BINS = 20
FENCE = 1.5
SKETCH = 128
Array = np.ndarray[Any, Any]
Show = Callable[[Any], Any]


def runs(values: Array) -> Iterator[tuple[Array, Array]]:
    """Where each run of equal values starts and how long it is, some runs at a time."""
    count, start = len(values), 0
    for low in range(0, count, RUN_SLICE):
        high = min(low + RUN_SLICE, count)
        # A run that reaches into the next slice is told there.
        more = values[low + 1 : high + 1] != values[low : min(high, count - 1)]
        ends = np.flatnonzero(more) + (low + 1)
        if high == count:
            ends = np.append(ends, count)
        if len(ends):
            starts = np.concatenate(([start], ends[:-1]))
            yield starts, ends - starts
            start = int(ends[-1])


def frequent(values: Array, most: int) -> tuple[int, list[tuple[int, int]]]:
    """The number of different values, and (position, count) of the `most` frequent, smaller values first."""
    distinct = 0
    best: list[tuple[int, int]] = []
    for starts, lengths in runs(values):
        distinct += len(starts)
        least = best[-1][1] if len(best) == most else 0
        if int(lengths.max()) <= least:
            continue
        wanted = min(most, len(lengths))
        floor = int(np.partition(lengths, len(lengths) - wanted)[len(lengths) - wanted])
        above = np.flatnonzero(lengths > floor)
        chosen = np.concatenate((above, np.flatnonzero(lengths == floor)[: wanted - len(above)]))
        best += [(int(starts[i]), int(lengths[i])) for i in chosen]
        best = sorted(best, key=lambda run: (-run[1], run[0]))[:most]
    return distinct, best


def sketch(values: Array) -> list[int]:
    """The smallest hashes of the different values of sorted whole numbers, to compare columns by."""
    smallest = np.empty(0, np.uint64)
    for starts, _ in runs(values):
        mixed = values[starts].astype(np.int64, copy=False).view(np.uint64)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
        if len(smallest) == SKETCH:
            mixed = mixed[mixed < smallest[-1]]
        elif len(mixed) > SKETCH:
            mixed = np.partition(mixed, SKETCH)[:SKETCH]
        smallest = np.sort(np.concatenate((smallest, mixed)))[:SKETCH]
    return [int(value) for value in smallest]


def smallest_different(hashes: Array) -> list[int]:
    """The first different ones of sorted hashes."""
    found: list[int] = []
    for starts, _ in runs(hashes):
        found += [int(hashes[place]) for place in starts[: SKETCH - len(found)]]
        if len(found) == SKETCH:
            break
    return found


def position(values: Array, limit: float, *, after: bool = False) -> int:
    """How many values are below `limit`; with `after`, below or equal."""
    key: Any = limit
    if values.dtype.kind in "iu":
        key = math.floor(limit) if after else math.ceil(limit)
        bounds = np.iinfo(values.dtype)
        if key < bounds.min:
            return 0
        if key > bounds.max:
            return len(values)
    # A key of another type would have the whole array converted.
    key = values.dtype.type(key)
    return int(np.searchsorted(values, key, side="right") if after else np.searchsorted(values, key))


def equal(values: Array, value: float) -> int:
    """How many are exactly `value`."""
    return max(0, position(values, value, after=True) - position(values, value))


def quantile(values: Array, part: float) -> int | float:
    """Between the two nearest values, in proportion; whole where it falls on a whole number."""
    place = part * (len(values) - 1)
    low = math.floor(place)
    first: int | float = values[low].item()
    share = place - low
    if not share:
        return first
    second: int | float = values[low + 1].item()
    if first == second:
        return first
    return first + (second - first) * share


def histogram(values: Array, show: Show, *, whole: bool) -> dict[str, list[Any]]:
    """Counts in up to 20 bins of equal width, and their edges; of few whole numbers, a bin each."""
    low, high = values[0].item(), values[-1].item()
    if low == high:
        return {"edges": [show(low), show(high)], "counts": [len(values)]}
    if whole and high - low < BINS:
        edges = [low + step for step in range(high - low + 1)]
        below = [position(values, edge) for edge in edges] + [len(values)]
        return {
            "edges": [show(edge) for edge in [*edges, high + 1]],
            "counts": [b - a for a, b in pairwise(below)],
        }
    # Halves, because the difference of the largest numbers is no number.
    step = high / BINS - low / BINS
    if not math.isfinite(step) or not step:
        return {}
    edges = [low + step * number for number in range(BINS)] + [high]
    inner = [position(values, edge) for edge in edges[1:-1]]
    below = [0, *inner, len(values)]
    return {
        "edges": [show(edge) for edge in edges],
        "counts": [b - a for a, b in pairwise(below)],
    }


def moments(values: Array) -> dict[str, float | None]:
    """Mean, sample standard deviation (n - 1) and skewness (as pandas has it)."""
    count = len(values)
    total: float | int = 0
    for part in slices(values):
        total += _total(part)
    mean = total / count
    second = third = 0.0
    for part in slices(values):
        away = part.astype(np.float64) - mean
        squares = away * away
        second += float(squares.sum())
        third += float((squares * away).sum())
    spread = math.sqrt(second / (count - 1)) if count > 1 and math.isfinite(second) else None
    skew = None
    if count > 2 and spread and math.isfinite(third):
        scaled = (second / count) ** 1.5
        if scaled > 0 and math.isfinite(scaled):
            skew = math.sqrt(count * (count - 1)) / (count - 2) * (third / count) / scaled
    return {"mean": mean if math.isfinite(mean) else None, "std": spread, "skew": skew}


def _total(part: Array) -> float | int:
    """The sum of a slice; whole numbers exactly, however large."""
    if part.dtype.kind == "f":
        return float(part.sum())
    if part.dtype.itemsize < 8:
        return int(part.sum(dtype=np.int64))
    return (int((part >> 32).sum()) << 32) + int((part & 0xFFFFFFFF).sum())


def slices(values: Array) -> Iterable[Array]:
    """The array in pieces that stay in the processor's cache."""
    return (values[start : start + SLICE] for start in range(0, len(values), SLICE))


def outliers(values: Array) -> dict[str, Any]:
    """Values beyond 1.5 times the range of the middle half, by side."""
    low, high = quantile(values, 0.25), quantile(values, 0.75)
    width = FENCE * (high - low)
    below, above = low - width, high + width
    if not (math.isfinite(below) and math.isfinite(above)):
        return {}
    return {
        "low": below,
        "high": above,
        "below": position(values, below),
        "above": len(values) - position(values, above, after=True),
    }


def finite(values: Array) -> tuple[Array, dict[str, int]]:
    """The finite part of sorted numbers, and how many are NaN, above and below every number."""
    if values.dtype.kind != "f" or not len(values):
        return values, {}
    numbers = int(np.searchsorted(values, np.nan, side="left"))
    low = int(np.searchsorted(values[:numbers], -np.inf, side="right"))
    high = int(np.searchsorted(values[:numbers], np.inf, side="left"))
    odd = {"nan": len(values) - numbers, "above": numbers - high, "below": low}
    return values[low:high], {name: count for name, count in odd.items() if count}

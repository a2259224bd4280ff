"""What SQLite lacks and Ibis does not add: exact quantiles, hours, infinities."""

import math
import sqlite3
from typing import Any

import ibis.backends.sql.compilers as compilers
import ibis.expr.operations as ops
import sqlglot.expressions as sge

LARGEST = 1.7976931348623157e308


class _Quantile:
    """The quantile that interpolates between the two nearest values, as pandas and DuckDB do."""

    def __init__(self) -> None:
        self._values: list[float] = []
        self._part = 0.5

    def step(self, value: Any, part: float) -> None:
        if value is not None:
            self._values.append(float(value))
            self._part = part

    def finalize(self) -> float | None:
        values = sorted(self._values)
        if not values:
            return None
        place = self._part * (len(values) - 1)
        low = math.floor(place)
        high = min(low + 1, len(values) - 1)
        return values[low] + (place - low) * (values[high] - values[low])


def add_functions(connection: sqlite3.Connection) -> None:
    """Registers what `Compiler` writes."""
    connection.create_aggregate("exact_quantile", 2, _Quantile)  # type: ignore[arg-type]


class Compiler(compilers.SQLiteCompiler):  # type: ignore[misc]
    """Ibis's compiler for SQLite with the additions."""

    UNSUPPORTED_OPS = tuple(
        op for op in compilers.SQLiteCompiler.UNSUPPORTED_OPS if op not in (ops.IsNan, ops.IsInf, ops.Median)
    )

    def visit_Quantile(self, op: Any, *, arg: Any, quantile: Any, where: Any) -> Any:
        """One quantile of a group."""
        if where is not None:
            arg = self.if_(where, arg, sge.Null())
        return self.f.anon.exact_quantile(arg, quantile)

    def visit_Median(self, op: Any, *, arg: Any, where: Any) -> Any:
        """The middle one."""
        return self.visit_Quantile(op, arg=arg, quantile=sge.convert(0.5), where=where)

    def visit_IsNan(self, op: Any, *, arg: Any) -> Any:
        """SQLite stores NaN as NULL."""
        return sge.false()

    def visit_IsInf(self, op: Any, *, arg: Any) -> Any:
        """Beyond the largest number."""
        return self.f.abs(arg) > sge.convert(LARGEST)

    def visit_TimestampTruncate(self, op: Any, *, arg: Any, unit: Any) -> Any:
        """The hour besides what Ibis has."""
        if unit.short == "h":
            return self.f.strftime("%Y-%m-%d %H:00:00", arg)
        return super().visit_TimestampTruncate(op, arg=arg, unit=unit)


compiler = Compiler()

"""Weeks and weekdays for MySQL, which Ibis writes otherwise or not at all."""

from typing import Any

import ibis.backends.sql.compilers as compilers
import sqlglot.expressions as sge


class Compiler(compilers.MySQLCompiler):  # type: ignore[misc]
    """Ibis's compiler for MySQL with the additions."""

    def visit_TimestampTruncate(self, op: Any, *, arg: Any, unit: Any) -> Any:
        """A week begins on Monday."""
        if unit.short == "W":
            days = sge.Interval(this=self.f.anon.weekday(arg), unit=sge.Var(this="DAY"))
            return self.f.anon.timestamp(sge.Sub(this=self.f.date(arg), expression=days))
        return super().visit_TimestampTruncate(op, arg=arg, unit=unit)

    def visit_DayOfWeekIndex(self, op: Any, *, arg: Any) -> Any:
        """Monday is 0."""
        return self.f.anon.weekday(arg)


compiler = Compiler()

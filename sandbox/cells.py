"""A piece of code read as a notebook cell: what it runs, whose value it shows, which names it needs."""

import ast
import linecache
from dataclasses import dataclass
from types import CodeType

KEPT_SOURCES = 200
FILE_NAME = "<cell {}>"


@dataclass(frozen=True)
class Cell:
    """Compiled code; `last` gives the value that is shown."""

    body: CodeType
    last: CodeType | None
    titles: list[str]
    """The plain names in the last expression: one, or one for each value of a tuple; else empty."""
    needs: frozenset[str]
    """Names read before the code itself has given them a value."""
    gives: frozenset[str]
    """Names that the code assigns at its top level."""
    last_assigned: str | None
    """The name that the last statement assigns, if it is a plain one."""


def read(code: str, file_name: str) -> Cell:
    """Compiles a cell; raises what the compiler raises."""
    tree = ast.parse(code, file_name)
    needs, gives = _names(tree)
    last, titles = None, []
    final = tree.body[-1] if tree.body else None
    if isinstance(final, ast.Expr):
        tree.body.pop()
        if not _silenced(code, final):
            titles = _titles(final.value)
            last = compile(ast.Expression(final.value), file_name, "eval", dont_inherit=True)
        else:
            tree.body.append(final)
    body = compile(tree, file_name, "exec", dont_inherit=True)
    assigned = None
    if isinstance(final, ast.Assign) and isinstance(final.targets[-1], ast.Name):
        assigned = final.targets[-1].id
    return Cell(body, last, titles, needs, gives, assigned)


def _silenced(code: str, final: ast.Expr) -> bool:
    """Whether a semicolon follows the last expression."""
    after = code.splitlines()[(final.end_lineno or 1) - 1].encode()[final.end_col_offset or 0 :]
    return after.decode().lstrip().startswith(";")


def _titles(value: ast.expr) -> list[str]:
    parts = value.elts if isinstance(value, ast.Tuple) else [value]
    return [part.id if isinstance(part, ast.Name) else "" for part in parts]


def _names(tree: ast.Module) -> tuple[frozenset[str], frozenset[str]]:
    needs: set[str] = set()
    gives: set[str] = set()
    for statement in tree.body:
        needs |= {
            node.id
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store) and node.id not in gives
        }
        if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
            needs |= {statement.target.id} - gives
        gives |= _given(statement)
    return frozenset(needs), frozenset(gives)


def _given(statement: ast.stmt) -> set[str]:
    """Names that surely have a value after a statement."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets = [statement.target]
    elif isinstance(statement, (ast.With, ast.AsyncWith)):
        targets = [item.optional_vars for item in statement.items if item.optional_vars]
    return {
        node.id
        for target in targets
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def remember(file_name: str, code: str, number: int) -> None:
    """Gives tracebacks and `inspect` the source of a cell; the oldest ones are forgotten."""
    linecache.cache[file_name] = (len(code), None, code.splitlines(keepends=True), file_name)
    linecache.cache.pop(FILE_NAME.format(number - KEPT_SOURCES), None)

"""Which cells of a notebook does a cell depend on? Found by reading the code, not by running it."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Sequence
from pathlib import Path


def sources(notebook: Path) -> list[str]:
    """The code cells of a notebook, without the lines that only IPython understands."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return [cell if nodes(cell) else _without_magic(cell) for cell in code]


def _without_magic(cell: str) -> str:
    return "\n".join(line for line in cell.splitlines() if not line.lstrip().startswith(("%", "!")))


def needed(cells: Sequence[str], is_wanted: Callable[[str], bool]) -> list[int]:
    """The places of the cells that are wanted, and of those that make a name such a cell reads.

    A name that several cells make comes from the last of them before the reader; but what a
    function reads, it reads when it is called, so all cells that make it are kept.
    """
    late: set[str] = set()  # what functions read
    while True:
        wanted, kept, inside = set(), [], set()
        for place in reversed(range(len(cells))):
            read, later, made = names(cells[place])
            if is_wanted(cells[place]) or made & (wanted | late):
                kept.append(place)
                wanted = (wanted - made) | read
                inside |= later
        if inside <= late:
            return kept[::-1]
        late |= inside


def names(source: str) -> tuple[set[str], set[str], set[str]]:
    """The names that a cell reads before it makes them, that its functions read, that it makes."""
    read, later, made = set(), set(), set()
    for statement in ast.parse(source).body if nodes(source) else []:
        used = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        changed = changes(statement)
        loads = {name.id for name in used if isinstance(name.ctx, ast.Load)} | changed
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            later |= loads - own_names(statement)
            made.add(statement.name)
            continue
        inner, outer = targets(statement)
        read |= loads - made - inner - outer
        made |= (stored(statement) - (inner - outer)) | changed
        aliases = (node for node in ast.walk(statement) if isinstance(node, ast.alias))
        made |= {(alias.asname or alias.name).split(".")[0] for alias in aliases}
    return read, later, made


def targets(statement: ast.AST) -> tuple[set[str], set[str]]:
    """What `for` in a comprehension, and what `for` and `with`, bind before the statement reads it.

    The first are gone after it, the second stay.
    """
    inner, outer = set(), set()
    for node in ast.walk(statement):
        if isinstance(node, ast.comprehension):
            inner |= stored(node.target)
        elif isinstance(node, ast.For):
            outer |= stored(node.target)
        elif isinstance(node, ast.withitem) and node.optional_vars:
            outer |= stored(node.optional_vars)
    return inner, outer


def changes(statement: ast.AST) -> set[str]:
    """The names that `x += 1` and `x[0] = 1` read and make anew (`x.append(1)` is not seen)."""
    found = set()
    for node in ast.walk(statement):
        target = node.target if isinstance(node, ast.AugAssign) else node
        is_changed = isinstance(node, ast.AugAssign) or (
            isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
        )
        while isinstance(target, (ast.Subscript, ast.Attribute)):
            target = target.value
        if is_changed and isinstance(target, ast.Name):
            found.add(target.id)
    return found


def stored(target: ast.AST) -> set[str]:
    names = (node for node in ast.walk(target) if isinstance(node, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}


def own_names(function: ast.AST) -> set[str]:
    """The arguments and variables of a function."""
    inside = list(ast.walk(function))
    arguments = {node.arg for node in inside if isinstance(node, ast.arg)}
    return arguments | stored(function)


def nodes(source: str) -> list[ast.AST]:
    """The syntax tree of a cell; none of one that cannot be parsed."""
    try:
        return list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return []


def called(node: ast.AST, module: str) -> str:
    """The name of the function in a call `module.name(...)`; empty for any other node."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return ""
    owner = node.func.value
    return node.func.attr if isinstance(owner, ast.Name) and owner.id == module else ""

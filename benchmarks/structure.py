"""Structural metrics of the package, from imports and definitions in the source.

python -m benchmarks.structure [CHECKOUT ...]

One column per checkout (default: this one): modules outside every room, import levels (longest
acyclic chain), modules in import cycles, upward imports, functions taking ``config``, ``console``
or ``display``, functions of more than six (positional) arguments, functions, lines, docstrings.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

# Top layer first; a room imports from itself and from later ones.
ROOMS = (
    "cli",
    "studies",
    "commands",
    "training",
    "report",
    "runs",
    "builders",
    "evaluation",
    "optim",
    "models",
    "data",
    "weights",
    "parallel",
    "config",
    "system",
)
MANY = 6  # arguments
Imports = dict[str, set[str]]


def modules(root: Path) -> dict[str, Path]:
    """Modules of the package below ``root``: dotted name → file."""
    files = sorted((root / "hairjax").rglob("*.py"))
    names = [".".join(file.relative_to(root).with_suffix("").parts) for file in files]
    return {n.removesuffix(".__init__"): f for n, f in zip(names, files, strict=True)}


def imports(found: dict[str, Path]) -> Imports:
    """Imported modules of the package by module, including function-local imports."""
    return {name: set(_imported(name, file, found)) for name, file in found.items()}


def _imported(name: str, file: Path, found: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [one if one in found else node.module for one in full]
        else:
            continue
        yield from (one for one in names if one in found and one != name)


def room(module: str) -> str:
    """Room of a module; "" outside every room."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else ""


def upward(graph: Imports) -> list[tuple[str, str]]:
    """Imports from a room of a higher one."""
    return [
        (module, other)
        for module, others in graph.items()
        for other in sorted(others)
        if room(module) and room(other) and ROOMS.index(room(other)) < ROOMS.index(room(module))
    ]


def circles(graph: Imports) -> list[set[str]]:
    """Import cycles: strongly connected components of several modules."""
    reach = {module: reachable(graph, module) for module in graph}
    found: list[set[str]] = []
    for module in graph:
        mutual = {other for other in reach[module] if module in reach[other]}
        if mutual and mutual not in found:
            found.append(mutual)
    return found


def reachable(graph: Imports, start: str) -> set[str]:
    """Modules imported directly or indirectly; itself only in a cycle."""
    visited: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - visited
        visited |= new
        waiting += new
    return visited


def levels(graph: Imports) -> int:
    """Modules in the longest import chain, a cycle counted as one."""
    circle = {module: frozenset(one) for one in circles(graph) for module in one}
    depth: dict[object, int] = {}

    def measure(module: str) -> int:
        key = circle.get(module, module)
        if key not in depth:
            members = circle.get(module, {module})
            below = {other for member in members for other in graph[member]} - set(members)
            depth[key] = 1 + max((measure(other) for other in below), default=0)
        return depth[key]

    return max(map(measure, graph))


def arguments(function: ast.FunctionDef) -> tuple[list[str], list[str]]:
    """All and positional argument names, without ``self`` and ``cls``."""
    positional = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    positional = [name for name in positional if name not in ("self", "cls")]
    return [*positional, *(one.arg for one in function.args.kwonlyargs)], positional


def count(root: Path) -> dict[str, int]:
    """All metrics of a checkout, by title."""
    found = modules(root)
    graph = imports(found)
    loose = [m for m, file in found.items() if m.count(".") == 1 and file.stem != "__init__"]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in found.values()]
    functions = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    names = [arguments(function) for function in functions]
    texts = [one for tree in trees for one in docstrings(tree)]
    return {
        "modules": len(found),
        "loose modules": len(loose),
        "levels": levels(graph),
        "import circles": len(circles(graph)),
        "modules in circles": sum(map(len, circles(graph))),
        "imports upward": len(upward(graph)),
        "functions": len(functions),
        "functions taking config": sum("config" in every for every, _ in names),
        "functions taking a console": sum(bool({"display", "console"} & {*e}) for e, _ in names),
        f"functions of over {MANY} arguments": sum(len(every) > MANY for every, _ in names),
        f"of over {MANY} positional ones": sum(len(given) > MANY for _, given in names),
        "lines": sum(file.read_text(encoding="utf-8").count("\n") for file in found.values()),
        "lines of docstrings": sum(last - first + 1 for first, last, _ in texts),
        "words of docstrings": sum(len(text.split()) for _, _, text in texts),
    }


def docstrings(tree: ast.Module) -> Iterator[tuple[int, int, str]]:
    """First line, last line and text of every docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield node.body[0].lineno, node.body[0].end_lineno or 0, text


def main() -> None:
    """Print the table."""
    roots = [Path(path) for path in sys.argv[1:]] or [Path(__file__).parents[1]]
    columns = [count(root) for root in roots]
    for name in columns[0]:
        print(f"{name:32}", *(f"{column[name]:8,}" for column in columns))


if __name__ == "__main__":
    main()

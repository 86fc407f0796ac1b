"""Count what makes the package easy or hard to find one's way in; imports and definitions as text.

python -m benchmarks.structure [CHECKOUT ...]

Prints one column per checkout (this one without arguments): modules outside every room, levels of
imports (longest chain without a circle), modules in import circles, imports from a lower room to a
higher one, functions that take ``config``, ``console`` or ``display``, functions of more than six
arguments and of more than six positional ones, functions, and lines.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

# Top floor first; a room imports from itself and from those after it.
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
    """The modules of the package below ``root``: dotted name → file; a package by its own name."""
    files = sorted((root / "hairjax").rglob("*.py"))
    names = [".".join(file.relative_to(root).with_suffix("").parts) for file in files]
    return {n.removesuffix(".__init__"): f for n, f in zip(names, files, strict=True)}


def imports(found: dict[str, Path]) -> Imports:
    """For every module those of the package that it imports, inside functions too."""
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
    """The room of a module, "" for one that lies loose in the package."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else ""


def upward(graph: Imports) -> list[tuple[str, str]]:
    """Imports from a room to one above it."""
    return [
        (module, other)
        for module, others in graph.items()
        for other in sorted(others)
        if room(module) and room(other) and ROOMS.index(room(other)) < ROOMS.index(room(module))
    ]


def circles(graph: Imports) -> list[set[str]]:
    """Sets of modules each of which imports, through others, every other of its set."""
    reach = {module: reachable(graph, module) for module in graph}
    found: list[set[str]] = []
    for module in graph:
        mutual = {other for other in reach[module] if module in reach[other]}
        if mutual and mutual not in found:
            found.append(mutual)
    return found


def reachable(graph: Imports, start: str) -> set[str]:
    """The modules that one imports, also through others; itself only in a circle."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen


def levels(graph: Imports) -> int:
    """Modules in the longest chain of imports, a circle counted as one."""
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
    """Names of all arguments and of the positional ones, ``self`` and ``cls`` left out."""
    positional = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    positional = [name for name in positional if name not in ("self", "cls")]
    return [*positional, *(one.arg for one in function.args.kwonlyargs)], positional


def count(root: Path) -> dict[str, int]:
    """All figures of a checkout, by what they are."""
    found = modules(root)
    graph = imports(found)
    loose = [m for m, file in found.items() if m.count(".") == 1 and file.stem != "__init__"]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in found.values()]
    functions = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    names = [arguments(function) for function in functions]
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
    }


def main() -> None:
    """Print the table."""
    roots = [Path(given) for given in sys.argv[1:]] or [Path(__file__).parents[1]]
    columns = [count(root) for root in roots]
    for name in columns[0]:
        print(f"{name:32}", *(f"{column[name]:8,}" for column in columns))


if __name__ == "__main__":
    main()

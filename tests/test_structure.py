"""The rooms of the package: what may import what (docs/structure.md says why)."""

import ast
import functools
from collections import defaultdict
from pathlib import Path

from benchmarks.structure import (
    arguments,
    circles,
    count,
    imports,
    modules,
    reachable,
    room,
    upward,
)

ROOT = Path(__file__).parents[1]
FOUND = modules(ROOT)
GRAPH = imports(FOUND)
# Above these, a function takes the parts of a configuration that it needs, and not the whole.
CONFIGURED = {"cli", "commands", "studies", "training", "runs", "builders", "config"}


@functools.cache
def trees():
    return [(name, ast.parse(file.read_text(encoding="utf-8"))) for name, file in FOUND.items()]


@functools.cache
def importers():
    """The modules that import each package."""
    found = defaultdict(set)
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            for one in names:
                found[one.split(".")[0]].add(name)
    return found


def outside(package):
    """The modules that import a package from outside."""
    return importers().get(package, set())


@functools.cache
def defined(module):
    """The names that a module defines or imports."""
    found = set()
    if module not in FOUND:
        return found
    for node in ast.walk(dict(trees())[module]):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def test_every_module_has_a_room():
    loose = [name for name in FOUND if not room(name)]
    assert loose == ["hairjax", "hairjax.__main__"]


def test_no_room_imports_from_above_it():
    assert upward(GRAPH) == []


def test_no_circles():
    assert circles(GRAPH) == []


def test_upward_imports_and_circles_are_seen():
    graph = {"hairjax.data.a": {"hairjax.models.b"}, "hairjax.models.b": {"hairjax.data.a"}}
    assert upward(graph) == [("hairjax.data.a", "hairjax.models.b")]
    assert circles(graph) == [{*graph}]


def test_weights_and_data_know_no_models():
    for name in GRAPH:
        if room(name) in ("weights", "data"):
            assert "models" not in map(room, reachable(GRAPH, name)), name


def test_step_and_loop_know_no_loss_and_no_metric():
    for name in ("hairjax.training.step", "hairjax.training.loop"):
        known = reachable(GRAPH, name)
        assert "hairjax.training.task" in known
        assert not [one for one in known if one.startswith("hairjax.evaluation.metrics")]
        assert "hairjax.training.classification" not in known


def test_figures_and_checkpoints_each_have_one_home():
    assert {room(name) for name in outside("matplotlib")} == {"report"}
    assert outside("orbax") == {"hairjax.weights.checkpoint"}
    assert not outside("torch") and not outside("tensorflow")


def test_configurations_end_at_the_builders():
    assert {room(name) for name in outside("ml_collections")} <= CONFIGURED


def test_few_functions_take_a_whole_configuration_and_fewer_a_console():
    found = count(ROOT)
    assert found["functions taking config"] <= 40
    assert found["functions taking a console"] <= 25


def test_what_is_imported_of_the_package_is_there():
    """In what no type checker follows: benchmarks, tests, and the scripts of the documentation."""
    missing = []
    for folder in ("benchmarks", "configs", "docs", "tests"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hairjax"):
                    missing += [
                        (file.name, node.module, alias.name)
                        for alias in node.names
                        if not f"{node.module}.".startswith("hairjax.configs.")  # are run
                        and f"{node.module}.{alias.name}" not in FOUND
                        and alias.name not in defined(node.module)
                    ]
    assert missing == []


def test_functions_take_few_positional_arguments():
    many = [
        (name, node.name)
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and len(arguments(node)[1]) > 6
    ]
    assert many == []


def test_no_two_public_classes_have_one_name():
    homes = defaultdict(list)
    for name, tree in trees():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(name)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}

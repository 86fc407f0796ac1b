"""The rooms of the package: what may import what (docs/structure.md says why)."""

import ast
from collections import defaultdict
from pathlib import Path

from benchmarks.structure import ROOMS, arguments, circles, imports, modules, room, upward

ROOT = Path(__file__).parents[1]
FOUND = modules(ROOT)
GRAPH = imports(FOUND)
# Above these, a function takes the parts of a configuration that it needs, and not the whole.
CONFIGURED = {"cli", "commands", "studies", "training", "runs", "builders", "config"}


def trees():
    return [(name, ast.parse(file.read_text(encoding="utf-8"))) for name, file in FOUND.items()]


def outside(package):
    """The modules that import a package from outside."""
    found = set()
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            if any(one.split(".")[0] == package for one in names):
                found.add(name)
    return found


def test_every_module_has_a_room():
    loose = [name for name in FOUND if not room(name)]
    assert loose == ["hairjax"]


def test_no_room_imports_from_above_it():
    assert upward(GRAPH) == []


def test_no_circles():
    assert circles(GRAPH) == []


def test_upward_imports_and_circles_are_seen():
    graph = {"hairjax.data.a": {"hairjax.models.b"}, "hairjax.models.b": {"hairjax.data.a"}}
    assert upward(graph) == [("hairjax.data.a", "hairjax.models.b")]
    assert circles(graph) == [{*graph}]


def test_weights_and_data_know_no_models():
    assert max(map(ROOMS.index, ("models",))) < min(map(ROOMS.index, ("weights", "data")))


def test_figures_and_checkpoints_each_have_one_home():
    assert {room(name) for name in outside("matplotlib")} == {"report"}
    assert outside("orbax") == {"hairjax.weights.checkpoint"}
    assert not outside("torch") and not outside("tensorflow")


def test_configurations_end_at_the_builders():
    assert {room(name) for name in outside("ml_collections")} <= CONFIGURED


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

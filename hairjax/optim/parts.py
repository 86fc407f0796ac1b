"""The parts of a model (stem, stages, head) and the group of every parameter."""

from collections.abc import Callable, Mapping
from typing import Any

from flax import traverse_util

from hairjax.optim.groups import ParameterGroup
from hairjax.optim.lora import has_pairs, trains_beside_pairs

FROZEN = "frozen"  # what stands beside low-rank pairs, in every group
STATISTICS = "statistics"  # of batch norms


def part_of(path: tuple) -> str:
    """The part (``stem``, ``stages.0`` …, ``head``) in which a parameter lies.

    Raises:
        ValueError: it lies in none.
    """
    if path[0] not in ("stem", "stages", "head"):
        raise ValueError(f"{path} belongs to no part of a model (stem, stages, head)")
    return f"stages.{path[1]}" if path[0] == "stages" else path[0]


def is_statistic(path: tuple) -> bool:
    """True if it is a running statistic of a batch norm, which no gradient moves."""
    return path[-1] in ("mean", "var")


def label_parameters(params: dict, groups: Mapping[str, ParameterGroup]) -> dict:
    """The group of every parameter, in a tree like ``params``.

    ``FROZEN`` is that of what stands beside low-rank pairs, ``STATISTICS`` that of batch norms'.

    Raises:
        ValueError: a parameter lies outside stem, stages and head.
    """
    names = {part: name for name, group in groups.items() for part in group.parts}
    trains = trains_with_part(params)

    def label(path: tuple, _: object) -> str:
        if is_statistic(path):
            return STATISTICS
        return names[part_of(path)] if trains(path) else FROZEN

    return map_by_path(label, params)


def trains_with_part(params: dict) -> Callable[[tuple], bool]:
    """True if a parameter trains when its part does."""
    paired = has_pairs(traverse_util.flatten_dict(params))
    return trains_beside_pairs if paired else lambda path: True


def map_by_path(function: Callable[[tuple, Any], Any], params: dict) -> dict:
    """A tree like ``params`` of what the function gives for every path and parameter."""
    return dict(traverse_util.path_aware_map(function, params))


def count_parameters(params: dict) -> int:
    """Number of parameters, without running statistics."""
    flat = traverse_util.flatten_dict(params)
    return sum(leaf.size for path, leaf in flat.items() if not is_statistic(path))

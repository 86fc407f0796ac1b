"""Parts of a model (stem, stages, head) and the group label of every parameter."""

from collections.abc import Callable, Mapping
from typing import Any

from flax import traverse_util

from hairjax.optim.groups import ParameterGroup
from hairjax.optim.lora import has_pairs, trains_beside_pairs

FROZEN = "frozen"  # parameters frozen by LoRA, in every group
STATISTICS = "statistics"  # of batch norms


def part_of(path: tuple) -> str:
    """Part (``stem``, ``stages.0`` …, ``head``) of a parameter path.

    Raises:
        ValueError: the path belongs to no part.
    """
    if path[0] not in ("stem", "stages", "head"):
        raise ValueError(f"{path} belongs to no part of a model (stem, stages, head)")
    return f"stages.{path[1]}" if path[0] == "stages" else path[0]


def is_statistic(path: tuple) -> bool:
    """True for a running statistic of a batch norm, which has no gradient."""
    return path[-1] in ("mean", "var")


def label_parameters(params: dict, groups: Mapping[str, ParameterGroup]) -> dict:
    """Group label of every parameter, in a tree like ``params``.

    ``FROZEN`` marks parameters frozen by LoRA, ``STATISTICS`` running statistics.

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
    """Predicate on paths: True if the parameter trains once its part is unfrozen."""
    paired = has_pairs(traverse_util.flatten_dict(params))
    return trains_beside_pairs if paired else lambda path: True


def map_by_path(function: Callable[[tuple, Any], Any], params: dict) -> dict:
    """Apply ``function(path, leaf)`` to every parameter; returns a tree like ``params``."""
    return dict(traverse_util.path_aware_map(function, params))


def count_parameters(params: dict) -> int:
    """Number of parameters, without running statistics."""
    flat = traverse_util.flatten_dict(params)
    return sum(leaf.size for path, leaf in flat.items() if not is_statistic(path))

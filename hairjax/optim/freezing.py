"""Split parameters into those that train and those that are frozen, and merge them again."""

from collections.abc import Collection

import jax
from flax import traverse_util

from hairjax.optim.parts import is_statistic, map_by_path, part_of, trains_with_part


def split_trainable(params: dict, frozen: Collection[str]) -> tuple[dict, dict]:
    """The parameters that train and those that do not, each with None in the other's places.

    Of the parts that are not ``frozen`` all train, or where there are low-rank pairs these alone
    and the head. Running statistics do not: there is no gradient for them.
    """
    can_train = trains_with_part(params)

    def pick(trainable: bool) -> dict:
        def keep(path: tuple, leaf: jax.Array) -> jax.Array | None:
            trains = part_of(path) not in frozen and can_train(path) and not is_statistic(path)
            return leaf if trains == trainable else None

        return map_by_path(keep, params)

    return pick(True), pick(False)


def moving_statistics(state: dict, params: dict, frozen: Collection[str]) -> dict:
    """The running statistics of parts that train, as a model's state has them.

    In a tree like ``params``, which may have low-rank pairs besides, with None in all other places.
    """
    found = traverse_util.flatten_dict(state)

    def keep(path: tuple, _: jax.Array) -> jax.Array | None:
        return found[path] if is_statistic(path) and part_of(path) not in frozen else None

    return map_by_path(keep, params)


def merge(first: dict, second: dict) -> dict:
    """Merge the parameters that ``split_trainable`` separated."""
    return jax.tree.map(
        lambda a, b: b if a is None else a, first, second, is_leaf=lambda leaf: leaf is None
    )

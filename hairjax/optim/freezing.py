"""Split parameters into trainable and frozen ones, and merge them."""

from collections.abc import Collection

import jax
from flax import traverse_util

from hairjax.optim.parts import is_statistic, map_by_path, part_of, trains_with_part


def split_trainable(params: dict, frozen: Collection[str]) -> tuple[dict, dict]:
    """Split parameters into (trainable, frozen), two trees with None in each other's places.

    All parameters of unfrozen parts are trainable; with LoRA only the pairs and the head. Running
    statistics of batch norms have no gradient and count as frozen.
    """
    can_train = trains_with_part(params)

    def pick(trainable: bool) -> dict:
        def keep(path: tuple, leaf: jax.Array) -> jax.Array | None:
            trains = part_of(path) not in frozen and can_train(path) and not is_statistic(path)
            return leaf if trains == trainable else None

        return map_by_path(keep, params)

    return pick(True), pick(False)


def moving_statistics(state: dict, params: dict, frozen: Collection[str]) -> dict:
    """Running statistics of unfrozen parts from a model's state, in a tree like ``params``.

    All other places are None.
    """
    found = traverse_util.flatten_dict(state)

    def keep(path: tuple, _: jax.Array) -> jax.Array | None:
        return found[path] if is_statistic(path) and part_of(path) not in frozen else None

    return map_by_path(keep, params)


def merge(first: dict, second: dict) -> dict:
    """Merge the two trees of ``split_trainable``."""
    return jax.tree.map(
        lambda a, b: b if a is None else a, first, second, is_leaf=lambda leaf: leaf is None
    )

"""At what rate every parameter learns, and when: schedules, freezing, layer decay, the ledger."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import traverse_util
from ml_collections import ConfigDict

from hairjax.groups import Group
from hairjax.lora import DOWN, UP, has_pairs, trains_beside_pairs
from hairjax.models.two_stream import STREAMS

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
    """Whether it is a running statistic of a batch norm, which no gradient moves."""
    return path[-1] in ("mean", "var")


def label_parameters(params: dict, groups: Mapping[str, Group]) -> dict:
    """The group of every parameter, in a tree like ``params``.

    ``FROZEN`` is that of what stands beside low-rank pairs, ``STATISTICS`` that of batch norms'.

    Raises:
        ValueError: a parameter lies outside stem, stages and head.
    """
    names = {part: name for name, group in groups.items() for part in group.parts}
    trains = _within(params)

    def label(path: tuple, _: object) -> str:
        if is_statistic(path):
            return STATISTICS
        return names[part_of(path)] if trains(path) else FROZEN

    return _by_path(label, params)


def _within(params: dict) -> Callable[[tuple], bool]:
    """Whether a parameter trains when its part does."""
    paired = has_pairs(traverse_util.flatten_dict(params))
    return trains_beside_pairs if paired else lambda path: True


def layer_distances(params: dict) -> dict:
    """How many layers lie between every parameter and the head, in a tree like ``params``.

    A layer is the stem, a block or the head; what a stage has beside its blocks counts as of its
    first one. So does timm, but for the last norm, which belongs to the head here (as in
    Microsoft's code) and to the last block there. Of two streams each counts its own layers.
    """

    def layer(path: tuple) -> tuple[int, int]:
        if path[0] != "stages":
            return (-1, 0) if path[0] == "stem" else (len(params["stages"]), 0)
        within = path[3:] if path[2] in STREAMS else path[2:]
        return path[1], within[1] if within[0] == "blocks" else 0

    def stream(path: tuple) -> str:
        return "second" if "second" in path[:3] else "first"

    paths = list(traverse_util.flatten_dict(params))
    found = {name: {layer(path) for path in paths if stream(path) == name} for name in STREAMS}
    # Where the second ends in the first, it goes on as that does.
    end = max(found["second"], default=(-1, 0))
    found["second"] |= {one for one in found["first"] if one > end}
    layers = {name: sorted(own, reverse=True) for name, own in found.items()}
    return _by_path(lambda path, _: layers[stream(path)].index(layer(path)), params)


def _by_path(function: Callable[[tuple, Any], Any], params: dict) -> dict:
    """A tree like ``params`` of what the function gives for every path and parameter."""
    return dict(traverse_util.path_aware_map(function, params))


def decays(path: tuple, _: object = None) -> bool:
    """Weight decay is for matrices: not for biases, norms and relative-position tables."""
    return str(getattr(path[-1], "key", path[-1])) in ("kernel", DOWN, UP)


def make_schedules(
    optim: ConfigDict, groups: Mapping[str, Group], epochs: int, steps: int
) -> dict[str, optax.Schedule]:
    """The learning rate of every group as a function of the run's step; 0 while it is frozen.

    All have one shape relative to their peak, stretched over the epochs in which the group trains:
    ``start`` → 1 over the warm-up, then a cosine to ``floor`` at the last step.
    """

    def schedule(group: Group) -> optax.Schedule:
        if group.first == 0:
            return optax.constant_schedule(0.0)
        frozen = group.first - 1
        trained = optax.warmup_cosine_decay_schedule(
            init_value=group.peak * optim.start,
            peak_value=group.peak,
            # Of its time as large a share as of the whole, and so always shorter than it.
            warmup_steps=optim.warmup_epochs * steps * (epochs - frozen) // epochs,
            decay_steps=(epochs - frozen) * steps,
            end_value=group.peak * optim.floor,
        )
        if not frozen:
            return trained
        return lambda step: jnp.where(step < frozen * steps, 0.0, trained(step - frozen * steps))

    return {name: schedule(group) for name, group in groups.items()}


def make_optimizer(
    optim: ConfigDict,
    schedules: Mapping[str, optax.Schedule],
    params: dict,
    groups: Mapping[str, Group],
    steps: int,
) -> optax.GradientTransformation:
    """One AdamW per group behind one clipping of the whole gradient.

    A group that never trains has no moments and its parameters never change; the moments of one
    that thaws begin when it does. Gradients of what is frozen must come in as zeros, so that the
    norm that is clipped is that of what trains.

    Args:
        optim: of the configuration.
        schedules: of every group, from ``make_schedules``.
        params: of the model, or their shapes.
        groups: of its parts.
        steps: of an epoch.
    """

    def transform(name: str) -> optax.GradientTransformation:
        first = groups[name].first
        if first == 0:
            return optax.set_to_zero()
        frozen = (first - 1) * steps
        adamw = optax.adamw(
            # Of the steps that it took, as AdamW counts them.
            lambda taken: schedules[name](taken + frozen),
            weight_decay=optim.weight_decay,
            mask=lambda params: jax.tree_util.tree_map_with_path(decays, params),
        )
        if not frozen:
            return adamw
        return optax.transforms.conditionally_mask(adamw, lambda step: step >= frozen)

    labels = label_parameters(params, groups)
    transforms = {name: transform(name) for name in groups}
    unmoved = {FROZEN, STATISTICS} & set(jax.tree.leaves(labels))
    transforms |= dict.fromkeys(unmoved, optax.set_to_zero())
    chain = [optax.partition(transforms, labels)]
    if optim.clip:
        chain.insert(0, optax.clip_by_global_norm(optim.clip))
    if optim.layer_decay != 1:
        # An update of AdamW is its rate times what does not depend on it.
        shares = jax.tree.map(lambda d: optim.layer_decay**d, layer_distances(params))
        chain.append(
            optax.stateless(lambda updates, _: jax.tree.map(jnp.multiply, updates, shares))
        )
    return optax.chain(*chain) if len(chain) > 1 else chain[0]


def split_trainable(params: dict, frozen: Collection[str]) -> tuple[dict, dict]:
    """The parameters that train and those that do not, each with None in the other's places.

    Of the parts that are not ``frozen`` all train, or where there are low-rank pairs these alone
    and the head. Running statistics do not: there is no gradient for them.
    """
    within = _within(params)

    def pick(trainable: bool) -> dict:
        def keep(path: tuple, leaf: jax.Array) -> jax.Array | None:
            trains = part_of(path) not in frozen and within(path) and not is_statistic(path)
            return leaf if trains == trainable else None

        return _by_path(keep, params)

    return pick(True), pick(False)


def moving_statistics(state: dict, params: dict, frozen: Collection[str]) -> dict:
    """The running statistics of parts that train, as a model's state has them.

    In a tree like ``params``, which may have low-rank pairs besides, with None in all other places.
    """
    found = traverse_util.flatten_dict(state)

    def keep(path: tuple, _: jax.Array) -> jax.Array | None:
        return found[path] if is_statistic(path) and part_of(path) not in frozen else None

    return _by_path(keep, params)


def count_parameters(params: dict) -> int:
    """How many numbers are learnt or were, running statistics not among them."""
    flat = traverse_util.flatten_dict(params)
    return sum(leaf.size for path, leaf in flat.items() if not is_statistic(path))


def merge(first: dict, second: dict) -> dict:
    """Put back together what ``split_trainable`` took apart."""
    return jax.tree.map(
        lambda a, b: b if a is None else a, first, second, is_leaf=lambda leaf: leaf is None
    )


def write_ledger(file: Path, params: dict, groups: Mapping[str, Group], optim: ConfigDict) -> None:
    """Write ``groups.txt``: every parameter, shape, group, peak rate, decay, when it trains."""
    labels = traverse_util.flatten_dict(label_parameters(params, groups))
    distances = traverse_util.flatten_dict(layer_distances(params))
    rows = [("parameter", "shape", "group", "peak rate", "decay", "trains")]
    groups = {**groups, FROZEN: Group((), 0.0, 0)}
    totals = dict.fromkeys(groups, 0)
    for place, leaf in traverse_util.flatten_dict(params).items():
        name = labels[place]
        if name == STATISTICS:
            path = ".".join(map(str, place))
            rows.append((path, str(leaf.size), name, "-", "-", "with its part"))
            continue
        first = groups[name].first
        totals[name] += leaf.size
        peak = groups[name].peak * optim.layer_decay ** distances[place]
        rows.append(
            (
                ".".join(map(str, place)),
                " × ".join(map(str, leaf.shape)),
                name,
                f"{peak:g}" if first else "0",
                f"{optim.weight_decay:g}" if decays(place) and first else "0",
                f"from epoch {first}" if first else "never",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    said = (f"{name}: {count:,} parameters" for name, count in totals.items() if count)
    lines += ["", *said]
    file.write_text("\n".join(lines) + "\n")

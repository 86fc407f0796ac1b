"""Which parameter learns at what rate: groups, schedules, freezing, the ledger."""

from pathlib import Path

import jax
import optax
from flax import traverse_util
from ml_collections import ConfigDict

GROUPS = ("early", "middle", "late")


def group_of(part: str, stages: int) -> str:
    """The group of a part (``stem``, ``stages.0`` …, ``head``) in a model of so many stages."""
    if part in ("stem", "stages.0"):
        return "early"
    return "late" if part in (f"stages.{stages - 1}", "head") else "middle"


def frozen_parts(stages: int, peak: ConfigDict) -> tuple[str, ...]:
    """The parts, in a model of so many stages, of every group whose peak rate is 0."""
    parts = ["stem", *(f"stages.{i}" for i in range(stages)), "head"]
    return tuple(part for part in parts if peak[group_of(part, stages)] == 0)


def label_parameters(params: dict) -> dict:
    """The group of every parameter, in a tree like ``params``.

    Raises:
        ValueError: a parameter lies outside stem, stages and head.
    """
    stages = len(params["stages"])
    labels = {}
    for path in traverse_util.flatten_dict(params):
        if path[0] not in ("stem", "stages", "head"):
            raise ValueError(f"{path} belongs to no part of a model (stem, stages, head)")
        part = f"stages.{path[1]}" if path[0] == "stages" else path[0]
        labels[path] = group_of(part, stages)
    return traverse_util.unflatten_dict(labels)


def decays(path: tuple, _: object = None) -> bool:
    """Weight decay is for kernels: not for biases, norms and relative-position tables."""
    return str(getattr(path[-1], "key", path[-1])) == "kernel"


def make_schedules(optim: ConfigDict, epochs: int, steps: int) -> dict[str, optax.Schedule]:
    """The learning rate of every group as a function of the step; 0 where it is frozen.

    All have one shape relative to their peak: ``start`` → 1 over the warm-up, then a cosine to
    ``floor`` at the last step.
    """

    def schedule(peak: float) -> optax.Schedule:
        if peak == 0:
            return optax.constant_schedule(0.0)
        return optax.warmup_cosine_decay_schedule(
            init_value=peak * optim.start,
            peak_value=peak,
            warmup_steps=optim.warmup_epochs * steps,
            decay_steps=epochs * steps,
            end_value=peak * optim.floor,
        )

    return {group: schedule(optim.peak[group]) for group in GROUPS}


def make_optimizer(
    optim: ConfigDict, schedules: dict[str, optax.Schedule], labels: dict
) -> optax.GradientTransformation:
    """One AdamW per group behind one clipping of the whole gradient.

    A frozen group has no moments and its parameters never change. Its gradients must come in as
    zeros, so that the norm that is clipped is that of what trains.
    """

    def transform(group: str) -> optax.GradientTransformation:
        if optim.peak[group] == 0:
            return optax.set_to_zero()
        return optax.adamw(
            schedules[group],
            weight_decay=optim.weight_decay,
            mask=lambda params: jax.tree_util.tree_map_with_path(decays, params),
        )

    partition = optax.partition({group: transform(group) for group in GROUPS}, labels)
    if optim.clip == 0:
        return partition
    return optax.chain(optax.clip_by_global_norm(optim.clip), partition)


def split_trainable(params: dict, labels: dict, peak: ConfigDict) -> tuple[dict, dict]:
    """The parameters that train and those that do not, each with None in the other's places."""

    def pick(trainable: bool) -> dict:
        return jax.tree.map(
            lambda p, group: p if (peak[group] > 0) == trainable else None, params, labels
        )

    return pick(True), pick(False)


def merge(first: dict, second: dict) -> dict:
    """Put back together what ``split_trainable`` took apart."""
    return jax.tree.map(
        lambda a, b: b if a is None else a, first, second, is_leaf=lambda leaf: leaf is None
    )


def write_ledger(path: Path, params: dict, labels: dict, optim: ConfigDict) -> None:
    """Write ``groups.txt``: every parameter, shape, group, peak rate, decay, when it trains."""
    groups = traverse_util.flatten_dict(labels)
    rows = [("parameter", "shape", "group", "peak rate", "decay", "trains")]
    totals = dict.fromkeys(GROUPS, 0)
    for place, leaf in traverse_util.flatten_dict(params).items():
        group = groups[place]
        peak = optim.peak[group]
        totals[group] += leaf.size
        rows.append(
            (
                ".".join(map(str, place)),
                " × ".join(map(str, leaf.shape)),
                group,
                f"{peak:g}",
                f"{optim.weight_decay:g}" if decays(place) and peak else "0",
                "from epoch 1" if peak else "never",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    lines += ["", *(f"{group}: {count:,} parameters" for group, count in totals.items())]
    path.write_text("\n".join(lines) + "\n")

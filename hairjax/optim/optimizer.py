"""AdamW per parameter group after clipping by global norm."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import optax

from hairjax.optim.groups import ParameterGroup
from hairjax.optim.layer_decay import layer_distances
from hairjax.optim.lora import DOWN, UP
from hairjax.optim.options import OptimOptions
from hairjax.optim.parts import FROZEN, STATISTICS, label_parameters


def decays(path: tuple, _: object = None) -> bool:
    """True for kernels and LoRA pairs; biases, norms and relative-position tables do not decay."""
    return str(getattr(path[-1], "key", path[-1])) in ("kernel", DOWN, UP)


def make_optimizer(
    optim: OptimOptions,
    schedules: Mapping[str, optax.Schedule],
    params: dict,
    groups: Mapping[str, ParameterGroup],
    steps: int,
) -> optax.GradientTransformation:
    """One AdamW per group after clipping by global norm.

    Always-frozen groups have no moments; a group unfrozen later (``steps`` per epoch) starts its
    moments then. Gradients of frozen parameters must be zero, so that the clipped norm covers
    trained ones only. ``params`` may be shapes.
    """

    def transform(name: str) -> optax.GradientTransformation:
        first = groups[name].first
        if first == 0:
            return optax.set_to_zero()
        frozen = (first - 1) * steps
        adamw = optax.adamw(
            # AdamW counts the steps since unfreezing.
            lambda taken: schedules[name](taken + frozen),
            weight_decay=optim.weight_decay,
            mask=lambda params: jax.tree_util.tree_map_with_path(decays, params),
        )
        if not frozen:
            return adamw
        return optax.transforms.conditionally_mask(adamw, lambda step: step >= frozen)

    labels = label_parameters(params, groups)
    transforms = {name: transform(name) for name in groups}
    constant = {FROZEN, STATISTICS} & set(jax.tree.leaves(labels))
    transforms |= dict.fromkeys(constant, optax.set_to_zero())
    chain = [optax.partition(transforms, labels)]
    if optim.clip:
        chain.insert(0, optax.clip_by_global_norm(optim.clip))
    if optim.layer_decay != 1:
        # AdamW's update is proportional to its rate.
        shares = jax.tree.map(lambda d: optim.layer_decay**d, layer_distances(params))
        chain.append(
            optax.stateless(lambda updates, _: jax.tree.map(jnp.multiply, updates, shares))
        )
    return optax.chain(*chain) if len(chain) > 1 else chain[0]

"""At what rate every parameter learns, and when: schedules, freezing and layer decay."""

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
    """Weight decay is for matrices: not for biases, norms and relative-position tables."""
    return str(getattr(path[-1], "key", path[-1])) in ("kernel", DOWN, UP)


def make_optimizer(
    optim: OptimOptions,
    schedules: Mapping[str, optax.Schedule],
    params: dict,
    groups: Mapping[str, ParameterGroup],
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

"""Learning-rate schedule of every parameter group: linear warm-up, then cosine decay."""

from collections.abc import Mapping

import jax.numpy as jnp
import optax

from hairjax.optim.groups import ParameterGroup
from hairjax.optim.options import OptimOptions


def make_schedules(
    optim: OptimOptions, groups: Mapping[str, ParameterGroup], epochs: int, steps: int
) -> dict[str, optax.Schedule]:
    """Learning rate of every group as a function of the run's step; 0 while frozen.

    Every schedule spans the epochs in which its group trains (``steps`` each): ``start`` → 1 of the
    peak during warm-up, then a cosine to ``floor`` at the last step.
    """

    def schedule(group: ParameterGroup) -> optax.Schedule:
        if group.first == 0:
            return optax.constant_schedule(0.0)
        frozen = group.first - 1
        trained = optax.warmup_cosine_decay_schedule(
            init_value=group.peak * optim.start,
            peak_value=group.peak,
            # The same share of its epochs as of the whole run, so always shorter than them.
            warmup_steps=optim.warmup_epochs * steps * (epochs - frozen) // epochs,
            decay_steps=(epochs - frozen) * steps,
            end_value=group.peak * optim.floor,
        )
        if not frozen:
            return trained
        return lambda step: jnp.where(step < frozen * steps, 0.0, trained(step - frozen * steps))

    return {name: schedule(group) for name, group in groups.items()}

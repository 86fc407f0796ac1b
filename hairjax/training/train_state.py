"""Train state and the EMA of its parameters."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from hairjax.optim.lora import merged


class TrainState(NamedTuple):
    """Train state, updated by every step."""

    step: jax.Array  # int32: steps taken
    params: dict  # with the running statistics of batch norms
    # EMA of the parameters (None if off); with LoRA, the merged parameters.
    average: dict | None
    opt_state: Any
    totals: dict[str, jax.Array]  # float32 sums over the epoch so far: loss, the task's, count

    @property
    def evaluated(self) -> dict:
        """Parameters for validation and saving: the EMA or merged LoRA if there is one."""
        return self.params if self.average is None else self.average

    def rest(self) -> dict[str, Any]:
        """State beside the evaluated parameters, by name, for the checkpoint."""
        evaluated = "params" if self.average is None else "average"
        left_out = {evaluated, "average"}
        return {name: value for name, value in self._asdict().items() if name not in left_out}

    @classmethod
    def restored(cls, evaluated: dict, rest: dict[str, Any]) -> "TrainState":
        """State from `evaluated` and `rest`."""
        if "params" in rest:
            return cls(average=evaluated, **rest)
        return cls(params=evaluated, average=None, **rest)


def zero_totals(sums: Sequence[str]) -> dict[str, jax.Array]:
    """Zero sums at the start of an epoch."""
    return {name: jnp.float32(0) for name in ("loss", *sums, "count")}


def first_state(
    params: dict, tx: optax.GradientTransformation, *, averaged: bool, sums: Sequence[str]
) -> TrainState:
    """Initial train state; ``averaged``: with an average of the parameters."""
    # A copy: the state is donated, and no buffer can be donated twice.
    average = jax.tree.map(jnp.copy, merged(params)) if averaged else None
    return TrainState(jnp.int32(0), params, average, tx.init(params), zero_totals(sums))


def next_average(state: TrainState, params: dict, ema: float) -> dict | None:
    """EMA after a step; None if there is none."""
    if state.average is None:
        return None
    average = merged(params)
    return moving_average(state.average, average, ema, state.step) if ema else average


def moving_average(average: dict, params: dict, decay: float, step: jax.Array) -> dict:
    """One EMA update.

    The decay rises by TensorFlow's rule (1 + step) / (10 + step), to forget the initialisation.
    """
    weight = jnp.minimum(decay, (1 + step) / (10 + step))
    # This form keeps an average of frozen parameters equal to the bit.
    return jax.tree.map(lambda a, p: a + (1 - weight) * (p - a), average, params)

"""The state of training and the exponential moving average of its parameters."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from hairjax.optim.lora import merged


class TrainState(NamedTuple):
    """Training state: everything that a step changes."""

    step: jax.Array  # int32: steps taken
    params: dict  # among them the running statistics of batch norms
    # EMA of the parameters (None if off); with LoRA, the merged parameters.
    average: dict | None
    opt_state: Any
    totals: dict[str, jax.Array]  # float32 sums over the epoch so far: loss, the task's, count

    @property
    def evaluated(self) -> dict:
        """Parameters that are validated and saved: the EMA or merged LoRA where there is one."""
        return self.params if self.average is None else self.average

    def rest(self) -> dict[str, Any]:
        """State beside the evaluated parameters, by name, for the checkpoint."""
        evaluated = "params" if self.average is None else "average"
        left_out = {evaluated, "average"}
        return {name: value for name, value in self._asdict().items() if name not in left_out}

    @classmethod
    def restored(cls, evaluated: dict, rest: dict[str, Any]) -> "TrainState":
        """The inverse of `evaluated` and `rest`."""
        if "params" in rest:
            return cls(average=evaluated, **rest)
        return cls(params=evaluated, average=None, **rest)


def zero_totals(sums: Sequence[str]) -> dict[str, jax.Array]:
    """The sums at the start of an epoch, those of the task by name."""
    return {name: jnp.float32(0) for name in ("loss", *sums, "count")}


def first_state(
    params: dict, tx: optax.GradientTransformation, *, averaged: bool, sums: Sequence[str]
) -> TrainState:
    """The state before the first step.

    Args:
        params: parameters of the model.
        tx: from ``make_optimizer``.
        averaged: an average of the parameters is kept beside them.
        sums: names of the sums of the task over an epoch.
    """
    # A copy: the step gives its whole state away, and nothing can be given away twice.
    average = jax.tree.map(jnp.copy, merged(params)) if averaged else None
    return TrainState(jnp.int32(0), params, average, tx.init(params), zero_totals(sums))


def next_average(state: TrainState, params: dict, ema: float) -> dict | None:
    """The average after a step that gives these parameters; None where none is kept."""
    if state.average is None:
        return None
    average = merged(params)
    return moving_average(state.average, average, ema, state.step) if ema else average


def moving_average(average: dict, params: dict, decay: float, step: jax.Array) -> dict:
    """One step of the exponential moving average of the parameters.

    The first steps forget faster, by TensorFlow's rule (1 + step) / (10 + step), so that the drawn
    weights do not linger.
    """
    weight = jnp.minimum(decay, (1 + step) / (10 + step))
    # In this form an average equal to the parameters stays so to the bit, as frozen ones must.
    return jax.tree.map(lambda a, p: a + (1 - weight) * (p - a), average, params)

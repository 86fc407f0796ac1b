"""The epochs: steps, validation, the best so far, checkpoints, and leaving in good order."""

import math
import signal
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from hairjax.data.batches import training_batches
from hairjax.evaluation.metrics.classification import evaluate
from hairjax.parallel.mesh import join_shares, share
from hairjax.parallel.processes import is_first, largest
from hairjax.runs.folder import RunFolder
from hairjax.system import console
from hairjax.system.console import duration
from hairjax.system.malloc import give_back_freed_memory
from hairjax.training.events import epoch_events
from hairjax.training.phases import Phase, PhaseData, phase_of
from hairjax.training.timing import EpochTimer
from hairjax.training.train_state import TrainState
from hairjax.weights.checkpoint import Checkpoints

STOPS = ("", "stopped by SIGTERM", "stopped by Ctrl-C")
LONG = 30 * 60  # seconds; a run that will take longer says so early and names the demo


class StoppedError(Exception):
    """The run was asked to stop (SIGTERM, Ctrl-C) and has saved its state."""


class DivergedError(ArithmeticError):
    """The loss is no longer finite; the last good checkpoint is kept."""


@dataclass(frozen=True)
class Plan:
    """Everything the loop needs that does not change."""

    config: ConfigDict
    folder: RunFolder
    whole: PhaseData  # before anything is computed once and kept
    schedules: dict[str, Callable]
    phases: list[Phase]
    begin: Callable[[Phase, dict], PhaseData]
    mesh: Mesh
    checkpoints: Checkpoints

    @property
    def steps(self) -> int:
        """Training steps per epoch; the last partial batch is dropped."""
        return len(self.whole.train) // self.config.train.batch_size


def run_epochs(plan: Plan, state: TrainState, best: dict[str, Any] | None) -> dict[str, Any]:
    """Train until the last epoch.

    Args:
        plan: what to do.
        state: where to begin; after every epoch it is saved.
        best: the best epoch so far, if any.

    Returns:
        The best epoch: ``epoch``, ``step``, ``value`` of the metric it was chosen by, ``loss``.

    Raises:
        DivergedError: a loss was not finite.
        StoppedError: SIGTERM or Ctrl-C came.
    """
    epochs, step = plan.config.train.epochs, int(state.step)
    live_line = console.training(epochs * plan.steps, step)
    events = epoch_events(plan.folder, on=plan.config.log.tensorboard and is_first())
    phase, material = None, plan.whole
    with _stop_requests() as stop, live_line as show, events as add_events:
        for epoch in range(step // plan.steps + 1, epochs + 1):
            clock = EpochTimer(plan.config.train.batch_size)
            if phase is not (phase := phase_of(plan.phases, epoch)):
                material = plan.begin(phase, state.params)
                _compile(plan, phase, material, state)
            state = _train_epoch(plan, phase, material, state, epoch, best, stop, clock, show)
            row = _validate(plan, material, state, epoch)
            plan.folder.append_line(plan.folder.history, row)
            candidate = _candidate(row, plan.config.keep.best_by, epoch * plan.steps)
            if best is None or _rank(candidate) > _rank(best):
                best = candidate
            state = state._replace(totals=jax.tree.map(jnp.zeros_like, state.totals))
            plan.checkpoints.save(epoch * plan.steps, state.evaluated, state.rest(), best)
            timing = clock.row(epoch) | {"devices": plan.mesh.size}
            plan.folder.append_line(plan.folder.timing, timing)
            add_events(row, timing)
            console.say(_epoch_line(row, clock, epochs, new_best=candidate is best))
            if epoch < epochs and (reason := _stop_reason(stop)):
                raise _stopped(plan, reason, epoch * plan.steps)
        plan.checkpoints.wait()
    assert best is not None, "a finished run has a best epoch"
    return best


def _compile(plan: Plan, phase: Phase, material: PhaseData, state: TrainState) -> None:
    """Compile the step before the first is taken, and give back the memory that this leaves free.

    On a CPU the first would else take its gigabyte beside half of one that nobody uses.
    """
    first = int(state.step)
    batch = next(_batches(plan, material, range(first, first + 1)))
    phase.train_step.lower(state, *batch).compile()
    give_back_freed_memory()


def _train_epoch(
    plan: Plan,
    phase: Phase,
    material: PhaseData,
    state: TrainState,
    epoch: int,
    best: dict[str, Any] | None,
    stop: list[str],
    clock: EpochTimer,
    show: Callable[[int, str], None],
) -> TrainState:
    """Take the steps that are left of the epoch.

    The loss that is read is that of the step before the one just dispatched, so that a device
    never waits for the host; but a CPU takes the working memory of a step when it is dispatched,
    not when it begins, and two would take it twice: there it is that of the step itself.
    """
    config, first = plan.config, int(state.step)
    steps = range(first, epoch * plan.steps)
    in_flight: deque[tuple[int, jax.Array]] = deque()
    ahead = 0 if jax.default_backend() == "cpu" else 1

    def end_step() -> None:
        step, loss = in_flight.popleft()
        _require_finite(loss, step, best)
        clock.tick()
        _foretell(plan, clock, step, first)
        if step % config.train.log_every == 0:
            text = f"epoch {epoch}/{config.train.epochs}  loss {float(loss):.3f}"
            show(step, f"{text}  {clock.rate_text}")

    for step, batch in zip(steps, _batches(plan, material, steps), strict=True):
        state, loss = phase.train_step(state, *batch)
        in_flight.append((step + 1, loss))
        if len(in_flight) > ahead:
            end_step()
        # Several processes ask each other, which takes time: when they also look at the loss. At
        # the end of an epoch they do so once it is saved.
        ask = jax.process_count() == 1 or (step + 1) % config.train.log_every == 0
        if ask and step + 1 < epoch * plan.steps and (reason := _stop_reason(stop)):
            _require_finite(loss, step + 1, best)
            plan.checkpoints.save(step + 1, state.evaluated, state.rest(), best)
            raise _stopped(plan, reason, step + 1)
    while in_flight:
        end_step()
    return state


def _batches(plan: Plan, material: PhaseData, steps: range) -> Iterator[Iterator[jax.Array]]:
    """Photographs and labels of every step, on their devices."""
    config, batch_size = plan.config, plan.config.train.batch_size
    batches = training_batches(
        material.photos,
        material.train,
        steps,
        seed=config.seed,
        balanced=config.data.balance == "sample",
        batch_size=batch_size,
        share=share(batch_size),
    )
    return ((join_shares(rows, plan.mesh) for rows in batch) for batch in batches)


def _validate(plan: Plan, material: PhaseData, state: TrainState, epoch: int) -> dict[str, Any]:
    """The epoch's line of ``metrics.jsonl``."""
    give_back_freed_memory()
    predictions = material.predict(state.evaluated, material.validation)
    if not np.isfinite(predictions.probabilities).all():
        raise DivergedError(f"after epoch {epoch} the model's outputs are no longer finite")
    totals = {name: float(value) for name, value in state.totals.items()}
    return {
        "epoch": epoch,
        "train": {
            "loss": totals["loss"] / totals["count"],
            "accuracy": totals["correct"] / totals["count"],
        },
        "validation": evaluate(predictions.labels, predictions.probabilities),
        # Of the epoch's last step.
        "rate": {
            group: float(schedule(epoch * plan.steps - 1))
            for group, schedule in plan.schedules.items()
        },
    }


def _stop_reason(stop: list[str]) -> str:
    """Why to stop now, "" to go on.

    Several processes all call this at the same place, and all stop, whichever of them was told to.
    """
    mine = stop[0] if stop else ""
    return STOPS[largest(STOPS.index(mine))]


def _stopped(plan: Plan, reason: str, step: int) -> StoppedError:
    """The end of a run that was asked to stop, once its state is saved."""
    plan.checkpoints.wait()
    return StoppedError(
        f"{reason} after step {step:,}: the state is saved, the same command goes on"
    )


def _candidate(row: dict[str, Any], best_by: str, step: int) -> dict[str, Any]:
    loss = row["validation"]["log_loss"]
    value = -loss if best_by == "loss" else row["validation"][best_by]
    return {"epoch": row["epoch"], "step": step, "value": value, "loss": loss}


def _rank(epoch: dict[str, Any]) -> tuple[float, float]:
    """Higher is better; a tie goes to the lower loss, and then to the earlier epoch."""
    return epoch["value"], -epoch["loss"]


def _require_finite(loss: jax.Array, step: int, best: dict[str, Any] | None) -> None:
    if math.isfinite(float(loss)):
        return
    kept = f"the best checkpoint is that of epoch {best['epoch']}" if best else "none was saved"
    raise DivergedError(
        f"the loss of step {step:,} is {float(loss)}: stopped; {kept}. Lower rates "
        "(config.optim.peak), a longer warm-up or clipping (config.optim.clip) may help"
    )


def _foretell(plan: Plan, clock: EpochTimer, step: int, first: int) -> None:
    """Once, after a few steps: how long a long run will take."""
    if step != first + 3 or len(plan.folder.read_lines(plan.folder.timing)):
        return
    seconds = clock.step_seconds * (plan.config.train.epochs * plan.steps - step)
    if seconds > LONG:
        console.say(
            f"this will take about {duration(seconds)} on {jax.devices()[0].device_kind}; "
            "--config=configs/top.py:demo shows the whole path in two minutes"
        )


def _epoch_line(row: dict[str, Any], clock: EpochTimer, epochs: int, *, new_best: bool) -> str:
    train, validation = row["train"], row["validation"]
    left = (epochs - row["epoch"]) * clock.step_seconds * len(clock.ticks)
    return (
        f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}  "
        f"train loss {train['loss']:.3f} accuracy {train['accuracy']:.3f}  "
        f"validation loss {validation['log_loss']:.3f} accuracy {validation['accuracy']:.3f} "
        f"kappa {validation['quadratic_kappa']:.3f}  "
        f"{clock.rate_text}  {duration(left)} left{'  best' if new_best else ''}"
    )


@contextmanager
def _stop_requests() -> Iterator[list[str]]:
    """Yield a list that is empty until SIGTERM or Ctrl-C comes.

    A second one acts as usual; not in several processes, to which launchers may send each twice.
    """
    asked: list[str] = []
    before = {int(s): signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)}

    def ask(number: int, _: object) -> None:
        asked.append(STOPS[2] if number == signal.SIGINT else STOPS[1])
        if jax.process_count() == 1:
            signal.signal(number, before[number])

    for number in before:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

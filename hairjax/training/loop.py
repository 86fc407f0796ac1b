"""The epochs: steps, validation, the best so far, checkpoints, and leaving in good order."""

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from hairjax.builders.setup import Setup
from hairjax.parallel.processes import is_first
from hairjax.runs.folder import RunFolder
from hairjax.system import console
from hairjax.system.console import duration
from hairjax.system.malloc import give_back_freed_memory
from hairjax.system.program import RECIPE
from hairjax.training.batches import device_batches
from hairjax.training.events import epoch_events
from hairjax.training.phases import Phase, PhaseData, phase_of
from hairjax.training.step import StepOptions
from hairjax.training.stopping import StoppedError, stop_reason, stop_requests
from hairjax.training.timing import EpochTimer
from hairjax.training.train_state import TrainState
from hairjax.weights.checkpoint import Checkpoints

LONG = 30 * 60  # seconds; a run that will take longer says so early and names the demo


class DivergedError(ArithmeticError):
    """The loss is no longer finite; the last good checkpoint is kept."""


@dataclass(frozen=True)
class Plan:
    """Constants of the loop.

    Attributes:
        setup: setup of the run.
        options: task and mesh of its steps.
        folder: folder of the run.
        whole: the photographs, before the maps of any stages are cached.
        schedules: learning rate by group.
        phases: phases in order.
        begin: prepares the data of a phase.
        checkpoints: best and last checkpoint.
    """

    setup: Setup
    options: StepOptions
    folder: RunFolder
    whole: PhaseData
    schedules: dict[str, Callable]
    phases: list[Phase]
    begin: Callable[[Phase, dict], PhaseData]
    checkpoints: Checkpoints

    @property
    def steps(self) -> int:
        """Training steps per epoch; the last partial batch is dropped."""
        return len(self.whole.train) // self.setup.training.batch_size


@dataclass
class _Watch:
    """Stop signal, progress display, best epoch and timer beside the steps of an epoch.

    Attributes:
        stop: empty until SIGTERM or Ctrl-C comes.
        show: (steps done, text) for the live line.
        best: the best epoch so far.
        timer: timer of the epoch.
    """

    stop: list[str]
    show: Callable[[int, str], None]
    best: dict[str, Any] | None
    timer: EpochTimer


def run_epochs(plan: Plan, state: TrainState, best: dict[str, Any] | None) -> dict[str, Any]:
    """Train until the last epoch, or until `is_exhausted` ends it early.

    Args:
        plan: plan of the training.
        state: state to begin from; after every epoch it is saved.
        best: the best epoch so far, if any.

    Returns:
        The best epoch: ``epoch``, ``step``, ``value`` of the metric it was chosen by, ``loss``.

    Raises:
        DivergedError: a loss was not finite.
        StoppedError: SIGTERM or Ctrl-C came.
    """
    options, step = plan.setup.training, int(state.step)
    epochs = options.epochs
    live_line = console.training(epochs * plan.steps, step)
    events = epoch_events(plan.folder, on=options.tensorboard and is_first())
    phase, data, ended = None, plan.whole, step // plan.steps
    with stop_requests() as stop, live_line as show, events as add_events:
        for epoch in range(step // plan.steps + 1, epochs + 1):
            # Of what every checkpoint holds: a run that was killed ends after the same epoch.
            if is_exhausted(plan, epoch - 1, best):
                break
            watch = _Watch(stop, show, best, EpochTimer(options.batch_size))
            if phase is not (phase := phase_of(plan.phases, epoch)):
                data = plan.begin(phase, state.params)
                _compile(plan, phase, data, state)
            state, ended = _train_epoch(plan, phase, data, state, epoch, watch), epoch
            row = _validate(plan, data, state, epoch)
            plan.folder.append_line(plan.folder.history, row)
            candidate = _candidate(plan, row)
            if best is None or _rank(candidate) > _rank(best):
                best = candidate
            state = state._replace(totals=jax.tree.map(jnp.zeros_like, state.totals))
            plan.checkpoints.save(epoch * plan.steps, state.evaluated, state.rest(), best)
            timing = watch.timer.row(epoch) | {"devices": plan.options.mesh.size}
            plan.folder.append_line(plan.folder.timing, timing)
            add_events(row, timing)
            console.say(_epoch_line(plan, row, watch.timer, new_best=candidate is best))
            if epoch < epochs and (reason := stop_reason(stop)):
                raise _stopped(plan, reason, epoch * plan.steps)
        plan.checkpoints.wait()
    assert best is not None, "a finished run has a best epoch"
    if ended < epochs:
        _tell_of_early_end(plan, ended, best)
    return best


def is_exhausted(plan: Plan, epoch: int, best: dict[str, Any] | None) -> bool:
    """True if so many epochs up to this one were no better that training ends early.

    While parts of the model are still to thaw nothing is counted: epochs that train only some of
    them say little of the others.
    """
    patience, last_phase = plan.setup.training.patience, plan.phases[-1].first
    if not patience or best is None:
        return False
    return epoch - max(best["epoch"], last_phase - 1) >= patience


def _tell_of_early_end(plan: Plan, ended: int, best: dict[str, Any]) -> None:
    options = plan.setup.training
    console.say(
        f"ended early after epoch {ended} of {options.epochs}: none since epoch {best['epoch']} "
        f"was better by {options.best_by} (config.train.patience={options.patience}); the rates "
        "did not come down as far as all epochs bring them"
    )


def _compile(plan: Plan, phase: Phase, data: PhaseData, state: TrainState) -> None:
    """Compile the step before the first is taken, and give back the memory that this leaves free.

    On a CPU the first would else take its gigabyte beside half of one that nobody uses.
    """
    first = int(state.step)
    batch = next(_batches(plan, data, range(first, first + 1)))
    phase.train_step.lower(state, *batch).compile()
    give_back_freed_memory()


def _train_epoch(
    plan: Plan, phase: Phase, data: PhaseData, state: TrainState, epoch: int, watch: _Watch
) -> TrainState:
    """Take the steps that are left of the epoch.

    The loss that is read is that of the step before the one just dispatched, so that a device
    never waits for the host; but a CPU takes the working memory of a step when it is dispatched,
    not when it begins, and two would take it twice: there it is that of the step itself.
    """
    options, first = plan.setup.training, int(state.step)
    steps = range(first, epoch * plan.steps)
    in_flight: deque[tuple[int, jax.Array]] = deque()
    ahead = 0 if jax.default_backend() == "cpu" else 1

    def end_step() -> None:
        step, loss = in_flight.popleft()
        _require_finite(loss, step, watch.best)
        watch.timer.tick()
        _foretell(plan, watch.timer, step, first)
        if step % options.log_every == 0:
            text = f"epoch {epoch}/{options.epochs}  loss {float(loss):.3f}"
            watch.show(step, f"{text}  {watch.timer.rate_text}")

    for step, batch in zip(steps, _batches(plan, data, steps), strict=True):
        state, loss = phase.train_step(state, *batch)
        in_flight.append((step + 1, loss))
        if len(in_flight) > ahead:
            end_step()
        # Several processes ask each other, which takes time: when they also look at the loss. At
        # the end of an epoch they do so once it is saved.
        ask = jax.process_count() == 1 or (step + 1) % options.log_every == 0
        if ask and step + 1 < epoch * plan.steps and (reason := stop_reason(watch.stop)):
            _require_finite(loss, step + 1, watch.best)
            plan.checkpoints.save(step + 1, state.evaluated, state.rest(), watch.best)
            raise _stopped(plan, reason, step + 1)
    while in_flight:
        end_step()
    return state


def _batches(plan: Plan, data: PhaseData, steps: range) -> Iterator[Iterator[jax.Array]]:
    return device_batches(data.photos, data.train, steps, plan.setup, plan.options.mesh)


def _validate(plan: Plan, data: PhaseData, state: TrainState, epoch: int) -> dict[str, Any]:
    """The epoch's line of ``metrics.jsonl``."""
    give_back_freed_memory()
    task = plan.options.task
    predictions = data.predict(state.evaluated, data.validation)
    if not task.is_finite(predictions):
        raise DivergedError(f"after epoch {epoch} the model's outputs are no longer finite")
    totals = {name: float(value) for name, value in state.totals.items()}
    return {
        "epoch": epoch,
        "train": {"loss": totals["loss"] / totals["count"], **task.train_metrics(totals)},
        "validation": task.evaluate(predictions),
        # Of the epoch's last step.
        "rate": {
            group: float(schedule(epoch * plan.steps - 1))
            for group, schedule in plan.schedules.items()
        },
    }


def _stopped(plan: Plan, reason: str, step: int) -> StoppedError:
    """The end of a run that was asked to stop, once its state is saved."""
    plan.checkpoints.wait()
    return StoppedError(
        f"{reason} after step {step:,}: the state is saved, the same command goes on"
    )


def _candidate(plan: Plan, row: dict[str, Any]) -> dict[str, Any]:
    metrics, best_by = row["validation"], plan.setup.training.best_by
    loss = metrics[plan.options.task.loss_metric]
    # A metric that is undefined counts as 0, so that the loss decides.
    value = -loss if best_by == "loss" else metrics[best_by] or 0.0
    return {"epoch": row["epoch"], "step": row["epoch"] * plan.steps, "value": value, "loss": loss}


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


def _foretell(plan: Plan, timer: EpochTimer, step: int, first: int) -> None:
    """Once, after a few steps: how long a long run will take."""
    if step != first + 3 or len(plan.folder.read_lines(plan.folder.timing)):
        return
    seconds = timer.step_seconds * (plan.setup.training.epochs * plan.steps - step)
    if seconds > LONG:
        console.say(
            f"this will take about {duration(seconds)} on {jax.devices()[0].device_kind}; "
            f"--config={RECIPE}:demo shows the whole path in two minutes"
        )


def _epoch_line(plan: Plan, row: dict[str, Any], timer: EpochTimer, *, new_best: bool) -> str:
    epochs = plan.setup.training.epochs
    left = (epochs - row["epoch"]) * timer.step_seconds * len(timer.ticks)
    return (
        f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}  "
        f"{plan.options.task.describe(row['train'], row['validation'])}  "
        f"{timer.rate_text}  {duration(left)} left{'  best' if new_best else ''}"
    )

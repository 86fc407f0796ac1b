"""Training loop: steps, validation, best epoch, checkpoints, orderly stop."""

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
from hairjax.training.batches import device_batches
from hairjax.training.events import epoch_events
from hairjax.training.phases import Phase, PhaseData, phase_of
from hairjax.training.step import StepOptions
from hairjax.training.stopping import StoppedError, stop_reason, stop_requests
from hairjax.training.timing import EpochTimer
from hairjax.training.train_state import TrainState
from hairjax.weights.checkpoint import Checkpoints

LONG = 30 * 60  # seconds from which a run announces its duration and names the demo


class DivergedError(ArithmeticError):
    """The loss is not finite; the last finite checkpoint is kept."""


@dataclass(frozen=True)
class Plan:
    """Constants of the training loop."""

    setup: Setup
    options: StepOptions  # task and mesh of the steps
    folder: RunFolder  # run directory
    whole: PhaseData  # photographs without cached stages
    schedules: dict[str, Callable]  # learning rate by group
    phases: list[Phase]  # phases in order
    begin: Callable[[Phase, dict], PhaseData]  # prepares the data of a phase
    checkpoints: Checkpoints  # best and last checkpoint

    @property
    def steps(self) -> int:
        """Steps per epoch; the last partial batch is dropped."""
        return len(self.whole.train) // self.setup.training.batch_size


@dataclass
class _EpochMonitor:
    """Stop signal, progress display, best epoch and timer of an epoch."""

    stop: list[str]  # empty until SIGTERM or Ctrl-C
    show: Callable[[int, str], None]  # (steps done, text) → live line
    best: dict[str, Any] | None  # best epoch so far
    timer: EpochTimer


def run_epochs(plan: Plan, state: TrainState, best: dict[str, Any] | None) -> dict[str, Any]:
    """Train to the last epoch or to early stopping, saving the state after every epoch.

    Returns:
        Best epoch: ``epoch``, ``step``, ``value`` of ``keep.best_by``, ``loss``.

    Raises:
        DivergedError: a loss is not finite.
        StoppedError: SIGTERM or Ctrl-C.
    """
    options, step = plan.setup.training, int(state.step)
    epochs = options.epochs
    live_line = console.training(epochs * plan.steps, step)
    events = epoch_events(plan.folder, on=options.tensorboard and is_first())
    phase, data, ended = None, plan.whole, step // plan.steps
    with stop_requests() as stop, live_line as show, events as add_events:
        for epoch in range(step // plan.steps + 1, epochs + 1):
            # From checkpointed values only: a killed run ends after the same epoch.
            if patience_exhausted(plan, epoch - 1, best):
                break
            watch = _EpochMonitor(stop, show, best, EpochTimer(options.batch_size))
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
        _report_early_stop(plan, ended, best)
    return best


def patience_exhausted(plan: Plan, epoch: int, best: dict[str, Any] | None) -> bool:
    """True if patience is exhausted after ``epoch`` (early stopping).

    Counts only epochs of the last phase, in which all parts train.
    """
    patience, last_phase = plan.setup.training.patience, plan.phases[-1].first
    if not patience or best is None:
        return False
    return epoch - max(best["epoch"], last_phase - 1) >= patience


def _report_early_stop(plan: Plan, ended: int, best: dict[str, Any]) -> None:
    options = plan.setup.training
    console.say(
        f"ended early after epoch {ended} of {options.epochs}: none since epoch {best['epoch']} "
        f"was better by {options.best_by} (config.train.patience={options.patience}); the rates "
        "did not come down as far as all epochs bring them"
    )


def _compile(plan: Plan, phase: Phase, data: PhaseData, state: TrainState) -> None:
    """Compile the step ahead of time and return the freed memory to the system.

    Otherwise the first step on a CPU takes its gigabyte beside unused compiler memory.
    """
    first = int(state.step)
    batch = next(_batches(plan, data, range(first, first + 1)))
    phase.train_step.lower(state, *batch).compile()
    give_back_freed_memory()


def _train_epoch(
    plan: Plan, phase: Phase, data: PhaseData, state: TrainState, epoch: int, watch: _EpochMonitor
) -> TrainState:
    """Run the remaining steps of the epoch.

    Reads the loss of the previous step, so that a device never waits for the host; on a CPU, where
    a dispatched step allocates its memory at once, that of the current step.
    """
    options, first = plan.setup.training, int(state.step)
    steps = range(first, epoch * plan.steps)
    in_flight: deque[tuple[int, jax.Array]] = deque()
    ahead = 0 if jax.default_backend() == "cpu" else 1

    def end_step() -> None:
        step, loss = in_flight.popleft()
        _require_finite(loss, step, watch.best)
        watch.timer.tick()
        _announce_duration(plan, watch.timer, step, first)
        if step % options.log_every == 0:
            text = f"epoch {epoch}/{options.epochs}  loss {float(loss):.3f}"
            watch.show(step, f"{text}  {watch.timer.rate_text}")

    for step, batch in zip(steps, _batches(plan, data, steps), strict=True):
        state, loss = phase.train_step(state, *batch)
        in_flight.append((step + 1, loss))
        if len(in_flight) > ahead:
            end_step()
        # With several processes the check is a collective: at logging steps only, and at the end
        # of an epoch after saving.
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
    """Row of the epoch in ``metrics.jsonl``."""
    give_back_freed_memory()
    task = plan.options.task
    predictions = data.predict(state.evaluated, data.validation)
    if not task.is_finite(predictions):
        raise DivergedError(f"the model's outputs after epoch {epoch} are not finite")
    totals = {name: float(value) for name, value in state.totals.items()}
    return {
        "epoch": epoch,
        "train": {"loss": totals["loss"] / totals["count"], **task.train_metrics(totals)},
        "validation": task.evaluate(predictions),
        # at the epoch's last step
        "rate": {
            group: float(schedule(epoch * plan.steps - 1))
            for group, schedule in plan.schedules.items()
        },
    }


def _stopped(plan: Plan, reason: str, step: int) -> StoppedError:
    plan.checkpoints.wait()
    return StoppedError(
        f"{reason} after step {step:,}: the state is saved, the same command resumes"
    )


def _candidate(plan: Plan, row: dict[str, Any]) -> dict[str, Any]:
    metrics, best_by = row["validation"], plan.setup.training.best_by
    loss = metrics[plan.options.task.loss_metric]
    # A metric that is undefined counts as 0, so that the loss decides.
    value = -loss if best_by == "loss" else metrics[best_by] or 0.0
    return {"epoch": row["epoch"], "step": row["epoch"] * plan.steps, "value": value, "loss": loss}


def _rank(epoch: dict[str, Any]) -> tuple[float, float]:
    """Higher is better; ties go to the lower loss, then to the earlier epoch."""
    return epoch["value"], -epoch["loss"]


def _require_finite(loss: jax.Array, step: int, best: dict[str, Any] | None) -> None:
    if math.isfinite(float(loss)):
        return
    saved = f"the best checkpoint is that of epoch {best['epoch']}" if best else "none was saved"
    raise DivergedError(
        f"the loss of step {step:,} is {float(loss)}: stopped; {saved}. Lower rates "
        "(config.optim.peak), a longer warm-up or clipping (config.optim.clip) may help"
    )


def _announce_duration(plan: Plan, timer: EpochTimer, step: int, first: int) -> None:
    if step != first + 3 or len(plan.folder.read_lines(plan.folder.timing)):  # once per run
        return
    seconds = timer.step_seconds * (plan.setup.training.epochs * plan.steps - step)
    if seconds > LONG:
        console.say(
            f"this will take about {duration(seconds)} on {jax.devices()[0].device_kind}; "
            "--config=configs/top.py:demo shows the whole path in two minutes"
        )


def _epoch_line(plan: Plan, row: dict[str, Any], timer: EpochTimer, *, new_best: bool) -> str:
    epochs = plan.setup.training.epochs
    left = (epochs - row["epoch"]) * timer.step_seconds * len(timer.ticks)
    return (
        f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}  "
        f"{plan.options.task.describe(row['train'], row['validation'])}  "
        f"{timer.rate_text}  {duration(left)} left{'  best' if new_best else ''}"
    )

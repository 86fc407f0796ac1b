import dataclasses
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import top
from hairjax.builders.setup import resolve
from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.predictions import Predictions
from hairjax.parallel.mesh import make_mesh
from hairjax.runs.folder import RunFolder
from hairjax.system import console
from hairjax.training.classification import Classification
from hairjax.training.learner import step_options
from hairjax.training.loop import Plan, run_epochs
from hairjax.training.phases import Phase, PhaseData
from hairjax.training.stopping import StoppedError
from hairjax.training.timing import EpochTimer
from hairjax.training.train_state import first_state
from hairjax.weights.checkpoint import Checkpoints

TASK = Classification(2, 0.0, None)
NAMES = ("a", "b", "c", "d")


@pytest.fixture
def stopped_after_an_epoch(monkeypatch):
    """Somebody sends SIGTERM when the first epoch is done."""

    def say(text):
        if text.startswith("epoch 1/"):
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(console, "say", say)


@jax.jit
def step(state, photos, labels):
    """A step that learns nothing."""
    totals = {"loss": jnp.float32(1), "correct": jnp.float32(2), "count": jnp.float32(4)}
    return state._replace(step=state.step + 1, totals=totals), jnp.float32(1)


def predict(params, photos):
    probabilities = np.full((len(photos), 2), 0.5, np.float32)
    return Predictions(photos.files, photos.labels, probabilities, photos.subjects, photos.classes)


def begin():
    """The state before the first step."""
    return first_state({"weight": jnp.zeros(2)}, optax.sgd(0.1), averaged=False, sums=TASK.sums)


@pytest.fixture
def plan(tmp_path):
    """Three epochs of a single step."""
    config = top.get_config()
    config.train.batch_size, config.train.epochs = 4, 3
    setup = resolve(config)
    labels = np.arange(4, dtype=np.int32) % 2
    images = np.zeros((4, 2, 2, 4), np.uint8)
    photos = PhotoSet(images, labels, NAMES, ("",) * 4, NAMES, ("no", "yes"), has_masks=True)
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    yield Plan(
        setup=setup,
        options=step_options(setup, TASK, make_mesh(1, 1)),
        folder=RunFolder(tmp_path),
        whole=PhaseData(photos, np.arange(4), photos, predict),
        schedules={},
        phases=[Phase(1, (), 0, step)],
        begin=lambda phase, params: PhaseData(photos, np.arange(4), photos, predict),
        checkpoints=checkpoints,
    )
    checkpoints.close()


def test_epochs_of_one_step_are_stopped_too(plan, stopped_after_an_epoch):
    """There is no middle to stop in: the end of an epoch serves as well."""
    state = begin()
    with pytest.raises(StoppedError, match="SIGTERM after step 1: the state is saved"):
        run_epochs(plan, state, None)
    assert plan.checkpoints.last_step() == 1


@pytest.mark.parametrize(("backend", "ended"), [("cpu", [0, 1, 2, 3]), ("gpu", [0, 0, 1, 2])])
def test_a_step_ends_before_the_next_on_a_cpu_and_one_later_elsewhere(
    plan, monkeypatch, backend, ended
):
    clocks, seen = [], []

    class Watched(EpochTimer):
        def __init__(self, batch_size):
            super().__init__(batch_size)
            clocks.append(self)

    def counting_step(state, photos, labels):
        seen.append(len(clocks[-1].ticks))
        return step(state, photos, labels)

    counting_step.lower = step.lower
    monkeypatch.setattr("hairjax.training.loop.EpochTimer", Watched)
    monkeypatch.setattr("jax.default_backend", lambda: backend)
    short = dataclasses.replace(plan.setup.training, batch_size=1, epochs=1)
    plan = dataclasses.replace(plan, setup=dataclasses.replace(plan.setup, training=short))
    plan.phases[0] = Phase(1, (), 0, counting_step)
    run_epochs(plan, begin(), None)
    assert seen == ended
    assert len(clocks[0].ticks) == 4


def test_the_step_is_compiled_once_and_memory_given_back_before_it_is_taken(plan, monkeypatch):
    """What is compiled ahead is what the calls find, whichever epoch they are of."""
    done = []

    def listen(event, seconds, **facts):
        if event.endswith("backend_compile_duration"):
            done.append(facts.get("fun_name"))

    def own_step(state, photos, labels):
        return step(state, photos, labels)

    jitted = jax.jit(own_step, donate_argnums=0)

    def watched_step(*inputs):
        done.append("step")
        return jitted(*inputs)

    watched_step.lower = jitted.lower
    monkeypatch.setattr(
        "hairjax.training.loop.give_back_freed_memory", lambda: done.append("given back")
    )
    plan.phases[0] = Phase(1, (), 0, watched_step)
    state = begin()
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        run_epochs(plan, state, None)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert done.count("jit(own_step)") == 1
    before = done[: done.index("step")]
    assert before[-2:] == ["jit(own_step)", "given back"]


class Scores:
    """The task of `TASK`, whose validations come to accuracies of one's own choosing."""

    def __init__(self, accuracies):
        self.accuracies = iter(accuracies)

    def __getattr__(self, name):
        return getattr(TASK, name)

    def evaluate(self, predictions):
        return TASK.evaluate(predictions) | {"accuracy": next(self.accuracies), "log_loss": 1.0}


def patient(plan, patience, accuracies, epochs=8, **changes):
    setup = dataclasses.replace(
        plan.setup,
        training=dataclasses.replace(plan.setup.training, patience=patience, epochs=epochs),
    )
    options = dataclasses.replace(plan.options, task=Scores(accuracies))
    return dataclasses.replace(plan, setup=setup, options=options, **changes)


def epochs_of(plan):
    return [row["epoch"] for row in plan.folder.read_lines(plan.folder.history)]


LEARNS = (0.5, 0.7, 0.6, 0.7, 0.6, 0.9, 0.5, 0.5)  # 0.7 again is no better: the loss is the same


@pytest.mark.situation(
    "Runs",
    "training that gets no better (`train.patience`)",
    "ends early, keeps the best epoch, and says so at the end and in the report",
)
@pytest.mark.parametrize(("patience", "last", "best"), [(0, 8, 6), (2, 4, 2), (3, 5, 2), (4, 8, 6)])
def test_patience_counts_epochs_since_the_best(plan, patience, last, best, capsys):
    found = run_epochs(patient(plan, patience, LEARNS), begin(), None)
    assert (epochs_of(plan)[-1], found["epoch"]) == (last, best)
    early = f"ended early after epoch {last} of 8: none since epoch {best} was better by accuracy"
    assert (early in capsys.readouterr().out) == (last < 8)
    assert plan.checkpoints.best() == found


@pytest.mark.parametrize("killed", [1, 2, 3])
def test_a_killed_run_ends_early_after_the_same_epoch(plan, killed):
    """However few epochs it had left: what counts is in the checkpoint."""
    accuracies = iter(LEARNS)
    short = patient(plan, 2, accuracies, epochs=killed)
    run_epochs(short, begin(), None)
    state = begin()
    params, rest, best = plan.checkpoints.restore_last(state.evaluated, state.rest())
    again = patient(plan, 2, accuracies)
    found = run_epochs(again, type(state).restored(params, rest), best)
    assert (epochs_of(plan), found["epoch"]) == ([1, 2, 3, 4], 2)
    # Begun once more it is at its end: nothing is trained.
    state = type(state).restored(*plan.checkpoints.restore_last(params, rest)[:2])
    assert run_epochs(again, state, found) == found
    assert epochs_of(plan) == [1, 2, 3, 4]


def test_patience_begins_when_the_last_parts_thaw(plan):
    phases = [Phase(1, ("stem",), 0, step), Phase(4, (), 0, step)]
    run_epochs(patient(plan, 2, (0.5,) * 8, phases=phases), begin(), None)
    assert epochs_of(plan) == [1, 2, 3, 4, 5]

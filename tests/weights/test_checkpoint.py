import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from hairjax.parallel.mesh import make_mesh, replicated
from hairjax.training.train_state import TrainState, zero_totals
from hairjax.weights.checkpoint import Checkpoints


def state(step, devices=2) -> TrainState:
    """A state whose every number tells the step; with integer keys and an optimizer's state."""
    generator = np.random.default_rng(step)
    params = {
        "stem": {"kernel": jnp.asarray(generator.normal(size=(3, 4)), jnp.float32)},
        "stages": {i: {"bias": jnp.asarray(generator.normal(size=2), jnp.float32)} for i in (0, 1)},
        "head": {"kernel": jnp.asarray(generator.normal(size=(2, 2)), jnp.bfloat16)},
    }
    labels = {"stem": "frozen", "stages": "trained", "head": "trained"}
    tx = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.partition({"frozen": optax.set_to_zero(), "trained": optax.adamw(0.1)}, labels),
    )
    _, opt_state = tx.update(params, tx.init(params), params)
    whole = TrainState(jnp.int32(step), params, None, opt_state, zero_totals(("correct",)))
    return jax.device_put(whole, replicated(make_mesh(devices, 1)))


def epoch(step, value):
    return {"epoch": step // 10, "step": step, "value": value, "loss": 1 - value}


class Run:
    """What a run does with its checkpoints."""

    def __init__(self, folder):
        self.folder = folder
        self.checkpoints = Checkpoints(folder)

    def save(self, step, best):
        saved = state(step)
        self.checkpoints.save(step, saved.params, saved.rest(), best)

    def reopen(self):
        self.checkpoints.close()
        self.checkpoints = Checkpoints(self.folder)

    def steps(self):
        """The steps on disk."""
        self.checkpoints.wait()
        return sorted(int(path.name) for path in self.folder.iterdir())

    def holds(self, step):
        """Whether the parameters of a step are there and are those that were saved."""
        found = self.checkpoints.restore_params(step, state(0).params)
        jax.tree.map(np.testing.assert_array_equal, found, state(step).params)
        return True


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "checkpoints")
    yield run
    run.checkpoints.close()


def test_what_is_saved_comes_back_bit_equal(run):
    best = epoch(10, 0.1 + 0.2)  # a number that a rounded text would not give back
    run.save(10, best)
    run.reopen()
    like = state(0)
    shapes = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), like
    )
    for template in (like, shapes):
        params, rest, found = run.checkpoints.restore_last(template.params, template.rest())
        restored = TrainState.restored(params, rest)
        saved = state(10)
        assert jax.tree.structure(restored) == jax.tree.structure(saved)
        assert list(params["stages"]) == [0, 1]
        for a, b in zip(jax.tree.leaves(restored), jax.tree.leaves(saved), strict=True):
            assert a.dtype == b.dtype
            assert a.sharding == b.sharding
            np.testing.assert_array_equal(a, b)
        assert found == best


def test_a_state_goes_to_other_devices(run):
    run.save(10, None)
    like = state(0, devices=8)
    params, rest, _ = run.checkpoints.restore_last(like.params, like.rest())
    assert all(leaf.sharding.mesh.size == 8 for leaf in jax.tree.leaves([params, rest]))
    jax.tree.map(np.testing.assert_array_equal, params, state(10).params)


def test_an_empty_folder_has_neither_a_last_nor_a_best_step(run):
    assert run.checkpoints.last_step() is None
    assert run.checkpoints.best() is None


def test_a_run_stopped_in_its_first_epoch_has_no_best(run):
    run.save(3, None)
    run.reopen()
    assert run.checkpoints.last_step() == 3
    assert run.checkpoints.best() is None
    assert run.checkpoints.restore_last(state(0).params, state(0).rest())[2] is None


def test_only_best_and_last_are_kept(run):
    run.save(10, epoch(10, 0.5))
    assert run.steps() == [10]
    run.save(20, epoch(20, 0.8))
    assert run.steps() == [20]
    run.save(30, epoch(20, 0.8))
    assert run.steps() == [20, 30]
    run.save(34, epoch(20, 0.8))  # stopped within an epoch
    assert run.steps() == [20, 34]
    run.save(40, epoch(20, 0.8))
    assert run.steps() == [20, 40]
    assert run.holds(20)
    assert run.holds(40)
    run.save(50, epoch(50, 0.9))
    assert run.steps() == [50]


def test_the_best_survives_restarts_and_worse_epochs(run):
    best = epoch(10, 0.9)
    run.save(10, best)
    for step in (20, 30, 40):
        run.reopen()
        assert run.checkpoints.best() == best
        run.save(step, best)
        assert run.steps() == [10, step]
        assert run.holds(10)
    run.reopen()
    assert run.checkpoints.last_step() == 40
    assert run.checkpoints.best() == best
    run.save(50, epoch(50, 0.95))
    assert run.steps() == [50]


def interrupted(folder, step):
    """What a kill in the middle of a save leaves."""
    half = folder / f"{step}.orbax-checkpoint-tmp" / "params" / "half"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    return half


def test_what_an_interrupted_save_leaves_is_ignored(run):
    run.save(10, epoch(10, 0.5))
    run.checkpoints.wait()
    for step in (13, 20):
        interrupted(run.folder, step)
    run.reopen()
    assert run.checkpoints.last_step() == 10
    assert run.checkpoints.best() == epoch(10, 0.5)
    run.save(20, epoch(20, 0.7))
    assert run.steps() == [20]
    assert run.holds(20)


def test_a_reader_leaves_alone_what_a_trainer_is_writing(run):
    run.save(10, epoch(10, 0.5))
    run.checkpoints.wait()
    being_written = interrupted(run.folder, 20)
    reader = Checkpoints(run.folder)
    assert reader.best() == epoch(10, 0.5)
    reader.close()
    assert being_written.exists()


@pytest.mark.parametrize("step", [10, 20])
def test_a_step_that_is_there_or_older_is_refused(run, step):
    run.save(20, epoch(20, 0.5))
    with pytest.raises(RuntimeError, match=f"step {step} was not saved: step 20 is already there"):
        run.save(step, epoch(20, 0.5))
    assert run.steps() == [20]
    assert run.holds(20)

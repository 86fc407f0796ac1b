"""Low-rank pairs: what they are, what trains, and that nothing but training sees them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx, traverse_util

import hairjax
from configs import top
from hairjax.builders.model import abstract_model, model_specification
from hairjax.builders.validation import check_config
from hairjax.commands.convert import write
from hairjax.data.augment import Amounts
from hairjax.optim.freezing import split_trainable
from hairjax.optim.groups import frozen_parts, make_groups
from hairjax.optim.lora import DOWN, UP, is_pair, merged, require_matrices, with_pairs
from hairjax.optim.optimizer import make_optimizer
from hairjax.optim.parameter_table import make_parameter_table, write_groups_text
from hairjax.optim.parts import FROZEN
from hairjax.optim.schedules import make_schedules
from hairjax.runs.load import load_run
from hairjax.system.errors import UserError
from hairjax.training.classification import Classification
from hairjax.training.step import Examples, gradients
from hairjax.weights.checkpoint import Checkpoints
from hairjax.weights.paths import dotted
from tests.training import stopping

RANK, EPOCHS = 3, 2
OFF = dict.fromkeys(Amounts._fields, 0.0) | {"crop_scale": 1.0}
MATRICES = {"attention.qkv", "attention.proj", "mlp.expand", "mlp.reduce"}


def settings(**optim):
    """The demo with photographs for three steps an epoch."""
    config = top.get_config("demo")
    config.data.update(count=78, image_size=32, cache="")
    config.optim.update(lora=RANK, warmup_epochs=1, accumulate=2, **optim)
    config.train.update(epochs=EPOCHS, batch_size=16, log_every=1)
    config.devices.mesh = 1
    return config


def tiny(**optim):
    """The same of a model with three blocks in place of six."""
    config = settings(**optim)
    config.model.name = "tiny"
    return config


def drawn(config):
    """The graph and the parameters of the model, large enough to matter."""
    graphdef, shapes = abstract_model(model_specification(config), 4)
    rng = np.random.default_rng(0)
    draw = lambda leaf: np.float32(rng.normal(size=leaf.shape) * 0.1)  # noqa: E731
    return graphdef, jax.tree.map(draw, shapes)


@pytest.fixture(scope="module")
def model():
    return drawn(settings())


@pytest.fixture(scope="module")
def tiny_model(tiny_swin):
    return drawn(tiny())


def flat(tree):
    return traverse_util.flatten_dict(jax.device_get(tree))


def groups_of(config):
    return make_groups(config.optim, 3, EPOCHS)


def paired_params(config, params):
    """The parameters with the pairs that a configuration asks for."""
    return with_pairs(params, groups_of(config), config.optim.lora, config.seed)


def refuse_without_matrices(config, params):
    require_matrices(config.optim.lora, model_specification(config).names, params)


def shifted(params, seed=1):
    """The same with pairs that are not zero."""
    rng = np.random.default_rng(seed)
    found = {p: np.asarray(leaf) for p, leaf in flat(params).items()}
    for path in filter(is_pair, found):
        found[path] = np.float32(rng.normal(size=found[path].shape) * 0.2)
    return traverse_util.unflatten_dict(found)


# --- the pairs


def test_a_pair_beside_every_matrix_of_attention_and_mlp_that_changes_nothing_at_first(model):
    _, params = model
    config = settings()
    paired = flat(paired_params(config, params))
    layers = {path[:-1] for path in paired if is_pair(path)}
    assert len(layers) == 4 * 6  # of six blocks
    assert {".".join(layer[-2:]) for layer in layers} == MATRICES
    for layer in layers:
        rows, columns = paired[*layer, "kernel"].shape
        assert paired[*layer, DOWN].shape == (rows, RANK)
        assert paired[*layer, UP].shape == (RANK, columns)
        assert not paired[*layer, UP].any()
        assert np.abs(paired[*layer, DOWN]).max() <= rows**-0.5
        assert paired[*layer, DOWN].std() == pytest.approx((3 * rows) ** -0.5, rel=0.25)
    again = flat(merged(paired_params(config, params)))
    for path, leaf in flat(params).items():
        np.testing.assert_array_equal(again.pop(path), leaf)
    assert not again


def test_pairs_are_drawn_by_the_seed_and_their_shapes_need_no_numbers(model):
    _, params = model
    config = settings()
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), params)
    first, again = (flat(paired_params(config, params)) for _ in range(2))
    abstract = traverse_util.flatten_dict(paired_params(config, shapes))
    assert {p: a.shape for p, a in first.items()} == {p: a.shape for p, a in abstract.items()}
    config.seed = 1
    others = flat(paired_params(config, params))
    drawn = [path for path in first if path[-1] == DOWN]
    assert all((first[path] == again[path]).all() for path in drawn)
    assert all((first[path] != others[path]).any() for path in drawn)
    assert len({first[path].tobytes() for path in drawn}) == len(drawn)


def test_only_stages_that_train_have_pairs(model):
    config = settings(finetune="last:1")
    paired = flat(paired_params(config, model[1]))
    assert {path[:2] for path in paired if is_pair(path)} == {("stages", 2)}
    config.optim.finetune = "head"
    assert paired_params(config, model[1]).keys() == model[1].keys()
    config.optim.lora = 0
    assert paired_params(config, model[1]) is model[1]
    assert merged(model[1]) is model[1]


def test_merging_adds_the_product(model):
    config = settings()
    params = shifted(paired_params(config, model[1]))
    before, after = flat(params), flat(merged(params))
    assert {path for path in before if not is_pair(path)} == set(after)
    for path, leaf in after.items():
        layer, expected = path[:-1], np.float64(before[path])
        if path[-1] == "kernel" and (*layer, UP) in before:
            expected = expected + np.float64(before[*layer, DOWN]) @ before[*layer, UP]
            assert np.abs(expected - before[path]).max() > 0.01
        np.testing.assert_allclose(leaf, expected, rtol=1e-5, atol=1e-6)


# --- what trains


@pytest.fixture(scope="module")
def both_gradients(tiny_model):
    """Parameters with pairs, their gradient, and that of the model they are merged to."""
    graphdef, params = tiny_model
    config = tiny()
    params = shifted(paired_params(config, params))
    images = np.random.default_rng(0).normal(size=(4, 32, 32, 6)).astype(np.float32)

    @jax.jit
    def run(params):
        examples = Examples(images, jnp.eye(4), jax.random.key(0))
        task = Classification(4, 0.0, None)
        _, grads = gradients(graphdef, params, examples, task, frozen=(), cached_stages=0)
        return grads

    return params, flat(run(params)), flat(run(merged(params)))


def test_gradients_follow_from_the_matrices_own(both_gradients):
    params, grads, whole = both_gradients
    values = flat(params)
    for path, grad in grads.items():
        layer = path[:-1]
        if path[-1] == DOWN:
            expected = whole[*layer, "kernel"] @ values[*layer, UP].T
        elif path[-1] == UP:
            expected = values[*layer, DOWN].T @ whole[*layer, "kernel"]
        else:
            expected = whole[path] * (path[0] == "head")
        scale = np.abs(expected).max() or 1
        np.testing.assert_allclose(grad / scale, expected / scale, atol=1e-4, err_msg=str(path))


def test_pairs_and_the_head_train_alone_and_alone_have_moments(both_gradients):
    params, grads, _ = both_gradients
    config = settings(weight_decay=0.1)
    groups = groups_of(config)
    schedules = make_schedules(config.optim, groups, EPOCHS, 3)
    tx = make_optimizer(config.optim, schedules, params, groups, 3)
    grads = traverse_util.unflatten_dict(grads)

    @jax.jit
    def step(params, state):
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    after, state = params, tx.init(params)
    for _ in range(3):
        after, state = step(after, state)
    learning = {path for path in flat(params) if is_pair(path) or path[0] == "head"}
    for path, leaf in flat(after).items():
        assert (leaf != flat(params)[path]).any() == (path in learning), path
    moments = sum(leaf.size for leaf in jax.tree.leaves(state) if leaf.ndim)
    trainable, _ = split_trainable(params, frozen_parts(groups, 1))
    size = sum(leaf.size for leaf in jax.tree.leaves(trainable))
    assert moments == 2 * size == 2 * sum(flat(params)[path].size for path in learning)


def test_the_table_says_what_trains(model, tmp_path):
    config = settings()
    params = paired_params(config, model[1])
    groups = groups_of(config)
    write_groups_text(
        make_parameter_table(params, groups, config.optim),
        (*groups, FROZEN),
        tmp_path / "groups.txt",
    )
    rows = [line.split("  ") for line in (tmp_path / "groups.txt").read_text().splitlines()]
    table = {row[0]: [cell.strip() for cell in row[1:] if cell] for row in rows if len(row) > 1}
    qkv = "stages.1.blocks.0.attention.qkv"
    assert table[f"{qkv}.kernel"] == ["64 × 192", "frozen", "0", "0", "never"]
    assert table[f"{qkv}.{DOWN}"] == ["64 × 3", "middle", "0.002", "0.01", "from epoch 1"]
    assert table["head.classifier.bias"][1:] == ["late", "0.002", "0", "from epoch 1"]
    said = {row[0].split(":")[0]: row[0] for row in rows if len(row) == 1}
    assert said.keys() >= {"early", "middle", "late", "frozen"}


# --- runs


@pytest.fixture(scope="module")
def weights(tiny_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    write(dotted(tiny_model[1]), {}, path)
    return path


def run(workdir, weights, stop=None):
    """Two phases, in both of which the maps of what is frozen are kept."""
    config = tiny(finetune="head:1,stages.2:1,stages.1:2")
    config.augment.update(OFF)
    config.weights.source = str(weights)
    check_config(config)
    return stopping.run(config, workdir, stop)


def checkpoint(workdir):
    """The last checkpoint as it lies on the disk: what is judged, and the rest."""
    import orbax.checkpoint as ocp

    checkpoints = Checkpoints(workdir / "checkpoints")
    step = checkpoints.last_step()
    checkpoints.close()
    read = ocp.StandardCheckpointer().restore
    folder = (workdir / "checkpoints" / str(step)).absolute()
    return read(folder / "params"), read(folder / "rest")


@pytest.mark.slow
def test_a_stopped_run_ends_as_one_that_was_not_and_shows_no_pairs(weights, tmp_path, monkeypatch):
    monkeypatch.setattr("hairjax.training.finish.finish_run", lambda *arguments: {})
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    said = run(whole, weights)
    trained = [line.split(" train,")[0] for line in said if " train, " in line]
    assert trained == ["from epoch 1: stages.2, head", "from epoch 2: stages.1, stages.2, head"]
    assert sum("computed once" in line for line in said) == 2
    run(stopped, weights, stop=4)  # in the second phase; test_phases.py stops in each
    run(stopped, weights)
    for name in ("metrics.jsonl", "groups.txt"):
        assert (whole / name).read_bytes() == (stopped / name).read_bytes()
    mine, other = checkpoint(whole), checkpoint(stopped)
    jax.tree.map(np.testing.assert_array_equal, mine, other)
    # What is judged is the model, merged.
    judged, rest = mine
    found, expected = flat(judged), flat(merged(rest["params"]))
    assert found.keys() == expected.keys()
    for path in found:
        np.testing.assert_allclose(found[path], expected[path], rtol=1e-5, atol=1e-6)
    # And the same for whoever reads the run: a model without pairs.
    options = {"in_channels": 6, "image_size": 32}
    read = dotted(
        nnx.to_pure_dict(nnx.state(hairjax.create_model("tiny", weights=str(whole), **options)))
    )
    best = dotted(load_run(whole).params)
    assert read.keys() == best.keys()
    for path in best:
        np.testing.assert_array_equal(read[path], best[path])


def test_what_cannot_be_is_refused(model):
    config = settings()
    with pytest.raises(UserError, match=r"lora=3 freezes pretrained matrices, and config\.weights"):
        check_config(config)
    config.weights.update(source="some.safetensors", stem="zero")
    with pytest.raises(UserError, match=r"config\.optim\.lora=3 freezes it there: train"):
        check_config(config)
    plain = {"stem": model[1]["stem"], "stages": {0: {"conv": {"kernel": np.zeros((3, 3))}}}}
    with pytest.raises(UserError, match=r"config\.model\.name=swin_mini.* has none; use 0"):
        refuse_without_matrices(config, plain)
    # A stream without any would have nothing to train but its batch norms' statistics.
    config.model.update(second="cnn7", drop_path=0.0)
    with pytest.raises(UserError, match=r"config\.model\.second=cnn7 has none; use 0"):
        refuse_without_matrices(config, abstract_model(model_specification(config), 4)[1])
    config.model.second = config.model.name
    refuse_without_matrices(config, abstract_model(model_specification(config), 4)[1])


@pytest.mark.parametrize("changes", [{"finetune": "head"}, {"finetune": "early:1,head:1"}])
def test_pairs_that_no_stage_would_have_are_refused(changes):
    config = settings(**changes)
    config.weights.update(source="some.safetensors", stem="copy")
    if "early" in config.optim.finetune:
        check_config(config)
        config.optim.peak.early = 0.0
    with pytest.raises(UserError, match="lora=3 adapts the stages that train"):
        check_config(config)

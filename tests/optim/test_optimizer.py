import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx, traverse_util
from hypothesis import given, settings
from hypothesis import strategies as st
from ml_collections import ConfigDict

from hairjax.models.swin import Swin
from hairjax.optim.freezing import merge, split_trainable
from hairjax.optim.groups import GROUPS, frozen_parts, make_groups, parts_of
from hairjax.optim.layer_decay import layer_distances
from hairjax.optim.optimizer import decays, make_optimizer
from hairjax.optim.parameter_table import make_parameter_table, write_groups_text
from hairjax.optim.parts import FROZEN, label_parameters, part_of
from hairjax.optim.schedules import make_schedules
from tests.models.example import options


def settings_of(early=0.01, middle=0.02, late=0.05, **changes) -> ConfigDict:
    return ConfigDict(
        {
            "peak": {"early": early, "middle": middle, "late": late},
            "start": 0.01,
            "warmup_epochs": 2,
            "floor": 0.001,
            "weight_decay": 0.1,
            "clip": 0.0,
            "finetune": "full",
            "gradual": (1,),
            "layer_decay": 1.0,
        }
        | changes
    )


def groups_of(optim, stages=3, epochs=6):
    return make_groups(optim, stages, epochs)


def toy(stages=3, seed=0) -> dict:
    """A tree like a model's, of one kernel and one bias in each part."""
    generator = np.random.default_rng(seed)

    def layer():
        return {
            "kernel": jnp.asarray(generator.normal(size=(3, 2)), jnp.float32),
            "bias": jnp.asarray(generator.normal(size=2), jnp.float32),
        }

    return {"stem": layer(), "stages": {i: layer() for i in range(stages)}, "head": layer()}


def swin(depths):
    """The parameters of a Swin of so many stages, as shapes."""
    model = nnx.eval_shape(
        lambda: Swin(
            options(in_channels=6, num_classes=4, hidden=(5,)),
            dim=4,
            depths=depths,
            heads=(1,) * len(depths),
            window=2,
            rngs=nnx.Rngs(0),
        )
    )
    return nnx.to_pure_dict(nnx.state(model))


# --- groups


@pytest.mark.parametrize("depths", [(1, 1), (1, 1, 1), (1, 2, 1, 1), (1, 1, 1, 1, 1)])
def test_every_parameter_of_a_model_is_labelled(depths):
    params = swin(depths)
    labels = label_parameters(params, groups_of(settings_of(), len(depths)))
    assert jax.tree.structure(labels) == jax.tree.structure(params)
    last = len(depths) - 1
    assert set(jax.tree.leaves([labels["stem"], labels["stages"][0]])) == {"early"}
    assert set(jax.tree.leaves([labels["stages"][last], labels["head"]])) == {"late"}
    between = [labels["stages"][i] for i in range(1, last)]
    assert set(jax.tree.leaves(between)) == ({"middle"} if last > 1 else set())


def test_a_parameter_outside_the_parts_is_refused():
    with pytest.raises(ValueError, match=r"'neck'.*belongs to no part.*stem, stages, head"):
        label_parameters(toy() | {"neck": {"kernel": jnp.zeros(1)}}, groups_of(settings_of()))


def test_only_kernels_decay():
    params = swin((1, 2, 1))
    mask = traverse_util.flatten_dict(jax.tree_util.tree_map_with_path(decays, params))
    kept = {path[-2:] for path, decay in mask.items() if not decay}
    assert {path[-1] for path, decay in mask.items() if decay} == {"kernel"}
    assert {path[-1] for path in kept} == {"bias", "scale", "bias_table"}
    assert len([path for path in mask if path[-1] == "bias_table"]) == 4
    # Every matrix and convolution, whatever it is called, but for the bias tables.
    wide = {path for path, leaf in traverse_util.flatten_dict(params).items() if leaf.ndim > 1}
    assert {path for path in wide if path[-1] != "bias_table"} == {p for p in mask if mask[p]}


# --- schedules


def test_schedules_rise_from_start_to_the_peak_and_fall_to_the_floor():
    optim = settings_of(early=0.0)
    schedules = make_schedules(optim, groups_of(optim, epochs=10), epochs=10, steps=7)
    for group, peak in (("middle", 0.02), ("late", 0.05)):
        rates = np.array([schedules[group](step) for step in range(90)]) / peak
        assert rates[0] == pytest.approx(0.01, rel=1e-5)
        assert rates[7] == pytest.approx((1 + 0.01) / 2, rel=1e-5)  # half of two epochs
        assert rates[14] == pytest.approx(1, rel=1e-6)
        assert rates[42] == pytest.approx((1 + 0.001) / 2, rel=1e-5)  # half of the other eight
        np.testing.assert_allclose(rates[70:], 0.001, rtol=1e-4)
        assert (np.diff(rates[:15]) > 0).all()
        assert (np.diff(rates[14:71]) < 0).all()
    assert not any(schedules["early"](step) for step in range(80))


def test_all_groups_share_one_shape():
    optim = settings_of(1e-5, 5e-5, 1e-3)
    schedules = make_schedules(optim, groups_of(optim), epochs=5, steps=4)
    peaks = {"early": 1e-5, "middle": 5e-5, "late": 1e-3}
    shapes = [[schedules[group](step) / peaks[group] for step in range(20)] for group in GROUPS]
    np.testing.assert_allclose(shapes[0], shapes[1], rtol=1e-5)
    np.testing.assert_allclose(shapes[0], shapes[2], rtol=1e-5)


def test_without_warm_up_the_first_step_is_at_the_peak():
    optim = settings_of(warmup_epochs=0)
    schedules = make_schedules(optim, groups_of(optim), epochs=2, steps=5)
    assert schedules["late"](0) == pytest.approx(0.05)
    assert schedules["late"](10) == pytest.approx(0.05 * 0.001, rel=1e-4)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 12), st.integers(0, 11), st.integers(1, 5), st.data())
def test_a_group_that_thaws_has_the_shape_of_a_run_of_the_epochs_that_remain(
    epochs, warmup, steps, data
):
    first = data.draw(st.integers(1, epochs))
    optim = settings_of(finetune=f"head:1,stages.2:{first}", warmup_epochs=min(warmup, epochs - 1))
    groups = groups_of(optim, epochs=epochs)
    rate = make_schedules(optim, groups, epochs, steps)["late" if first == 1 else "stages.2"]
    found = np.array([rate(step) for step in range(epochs * steps)]) / 0.05
    frozen = (first - 1) * steps
    assert not found[:frozen].any()
    alone = optax.warmup_cosine_decay_schedule(
        0.01,
        1.0,
        optim.warmup_epochs * steps * (epochs - first + 1) // epochs,
        (epochs - first + 1) * steps,
        0.001,
    )
    expected = [alone(step) for step in range(epochs * steps - frozen)]
    np.testing.assert_allclose(found[frozen:], expected, rtol=1e-5)


# --- the optimizer


def train(optim, steps=12):
    """Parameters before and after, the optimizer's state, and the gradients of every step.

    The gradients of frozen parts are zeros, as ``step.gradients`` gives them. An epoch has two
    steps.
    """
    params, groups = toy(), groups_of(optim)
    tx = make_optimizer(optim, make_schedules(optim, groups, 6, 2), params, groups, 2)
    grads = []
    for step in range(steps):
        trainable, fixed = split_trainable(toy(seed=1 + step), frozen_parts(groups, step // 2 + 1))
        grads.append(merge(trainable, jax.tree.map(jnp.zeros_like, fixed)))

    @jax.jit
    def one(params, state, gradient):
        updates, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    after, state = params, tx.init(params)
    for gradient in grads:
        after, state = one(after, state, gradient)
    return params, after, state, grads


@pytest.mark.parametrize(
    "optim",
    [
        settings_of(),
        settings_of(clip=1.0),
        settings_of(early=0.0, middle=0.0, clip=1.0),
        settings_of(clip=1.0, finetune="gradual"),
        settings_of(middle=0.0, finetune="early:3,late:1", layer_decay=0.7),
    ],
    ids=["unclipped", "clipped", "clipped and frozen", "gradual", "custom and layer decay"],
)
def test_the_optimizer_is_adamw_written_out(optim):
    before, after, _, grads = train(optim)
    groups = groups_of(optim)
    schedules = make_schedules(optim, groups, epochs=6, steps=2)
    labels = traverse_util.flatten_dict(label_parameters(before, groups))
    after = traverse_util.flatten_dict(after)
    norms = [np.sqrt(sum(np.sum(g**2) for g in jax.tree.leaves(tree))) for tree in grads]
    assert min(norms) > 1
    for path, leaf in traverse_util.flatten_dict(before).items():
        value, first, second = np.float64(leaf), 0, 0
        begins = 2 * (groups[labels[path]].first - 1)
        away = parts_of(3)[::-1].index(part_of(path))
        for step, tree in enumerate(grads):
            if begins < 0 or step < begins:
                continue
            gradient = np.float64(traverse_util.flatten_dict(tree)[path])
            if optim.clip:
                gradient *= optim.clip / norms[step]
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            taken = step - begins + 1
            mean, square = first / (1 - 0.9**taken), second / (1 - 0.999**taken)
            decay = optim.weight_decay * value * (path[-1] == "kernel")
            rate = schedules[labels[path]](step) * optim.layer_decay**away
            value = value - rate * (mean / (np.sqrt(square) + 1e-8) + decay)
        np.testing.assert_allclose(after[path], value, rtol=1e-4, atol=1e-6)


def test_what_thaws_is_bit_equal_until_then():
    optim = settings_of(clip=1.0, finetune="head:1,stages.2:3,early:5")
    for steps, trained in ((4, ["head"]), (8, ["stages.2", "head"])):
        before, after, _, _ = train(optim, steps)
        before, after = traverse_util.flatten_dict(before), traverse_util.flatten_dict(after)
        for path, leaf in before.items():
            assert np.array_equal(leaf, after[path]) == (part_of(path) not in trained), path


def test_layers_are_counted_from_the_head():
    params = swin((2, 1, 2))
    found = {
        path[:4]: distance
        for path, distance in traverse_util.flatten_dict(layer_distances(params)).items()
    }
    assert {d for path, d in found.items() if path[0] == "head"} == {0}
    assert {d for path, d in found.items() if path[0] == "stem"} == {6}
    blocks = [(2, 1), (2, 0), (1, 0), (0, 1), (0, 0)]
    assert [found["stages", i, "blocks", j] for i, j in blocks] == [1, 2, 3, 4, 5]
    # What merges patches opens a stage.
    assert found["stages", 2, "merge", "reduction"] == found["stages", 2, "blocks", 0]


def test_a_gradient_within_the_clip_is_left_alone():
    _, plain, _, _ = train(settings_of(clip=0.0))
    _, clipped, _, _ = train(settings_of(clip=1e6))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), plain, clipped)


@pytest.mark.parametrize("frozen", GROUPS)
def test_a_frozen_group_stays_as_it_is_and_has_no_moments(frozen):
    optim = settings_of(**{frozen: 0.0}, clip=1.0)
    before, after, state, _ = train(optim, steps=30)
    labels = traverse_util.flatten_dict(label_parameters(before, groups_of(optim)))
    before, after = traverse_util.flatten_dict(before), traverse_util.flatten_dict(after)
    for path, label in labels.items():
        assert np.array_equal(before[path], after[path]) == (label == frozen), path
    moments = [leaf.shape for leaf in jax.tree.leaves(state) if leaf.ndim]
    trained = [before[path].shape for path, label in labels.items() if label != frozen]
    assert sorted(moments) == sorted(2 * trained)


# --- taking apart and putting together


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 5), st.data())
def test_merge_undoes_split(stages, data):
    params = toy(stages)
    frozen = data.draw(st.sets(st.sampled_from(parts_of(stages))))
    trainable, fixed = split_trainable(params, frozen)
    jax.tree.map(np.testing.assert_array_equal, merge(trainable, fixed), params)
    assert jax.tree.structure(merge(trainable, fixed)) == jax.tree.structure(params)
    jax.tree.map(np.testing.assert_array_equal, merge(fixed, trainable), params)
    assert len(jax.tree.leaves(fixed)) == 2 * len(frozen)
    assert len(jax.tree.leaves(trainable)) + 2 * len(frozen) == len(jax.tree.leaves(params))


# --- groups.txt


def test_the_table_names_every_parameter_once(tmp_path):
    params = swin((1, 1, 2))
    optim = settings_of(early=0.0, middle=5e-5, late=1e-3)
    groups = groups_of(optim)
    write_groups_text(
        make_parameter_table(params, groups, optim), (*groups, FROZEN), tmp_path / "groups.txt"
    )
    text = (tmp_path / "groups.txt").read_text(encoding="utf-8")
    body, totals = text.split("\n\n")
    header, *lines = body.splitlines()
    rows = {line.split()[0]: line for line in lines}
    leaves = {
        ".".join(map(str, path)): leaf for path, leaf in traverse_util.flatten_dict(params).items()
    }
    assert len(lines) == len(rows)
    assert rows.keys() == leaves.keys()
    assert header.split("  ")[0] == "parameter"
    assert all(" × ".join(map(str, leaf.shape)) in rows[name] for name, leaf in leaves.items())

    def cells(name):
        return [cell.strip() for cell in rows[name].split("  ") if cell.strip()][1:]

    assert cells("stem.proj.kernel") == ["4 × 4 × 6 × 4", "early", "0", "0", "never"]
    assert cells("stages.1.merge.reduction.kernel") == [
        "16 × 8",
        "middle",
        "5e-05",
        "0.1",
        "from epoch 1",
    ]
    assert cells("head.classifier.bias") == ["4", "late", "0.001", "0", "from epoch 1"]
    counted = {
        line.split(":")[0]: int(line.split()[1].replace(",", "")) for line in totals.splitlines()
    }
    assert list(counted) == list(GROUPS)
    assert sum(counted.values()) == sum(leaf.size for leaf in leaves.values())
    late = jax.tree.leaves([params["stages"][2], params["head"]])
    assert counted["late"] == sum(leaf.size for leaf in late)


def test_the_table_says_when_and_how_fast_each_parameter_trains(tmp_path):
    params = swin((1, 1, 2))
    optim = settings_of(1e-3, 1e-3, 1e-3, finetune="gradual", gradual=(2, 9), layer_decay=0.5)
    groups = groups_of(optim)
    write_groups_text(
        make_parameter_table(params, groups, optim), (*groups, FROZEN), tmp_path / "groups.txt"
    )
    lines = (tmp_path / "groups.txt").read_text(encoding="utf-8").splitlines()
    rows = {
        line.split()[0]: [c.strip() for c in line.split("  ") if c.strip()]
        for line in lines
        if line
    }
    assert rows["head.classifier.kernel"][2:] == ["head", "0.001", "0.1", "from epoch 1"]
    last = ["stages.2", "0.0005", "0.1", "from epoch 3"]
    assert rows["stages.2.blocks.1.mlp.expand.kernel"][2:] == last
    assert rows["stages.2.merge.reduction.kernel"][3] == "0.00025"
    # Its turn would come in epoch 12 of 6.
    assert rows["stages.1.blocks.0.mlp.expand.kernel"][2:] == ["middle", "0", "0", "never"]

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ml_collections import ConfigDict

from hairjax.optim.groups import (
    GROUPS,
    ParameterGroup,
    frozen_parts,
    group_of,
    make_groups,
    parts_of,
    phase_starts,
)
from hairjax.system.errors import UserError


def settings_of(finetune="full", gradual=(3, 3, 4), **peaks) -> ConfigDict:
    peak = {"early": 1e-5, "middle": 5e-5, "late": 1e-3} | peaks
    return ConfigDict({"peak": peak, "finetune": finetune, "gradual": gradual})


def first_epochs(finetune, epochs=100, stages=4, **changes):
    """The first epoch of every part that trains."""
    groups = make_groups(settings_of(finetune, **changes), stages, epochs)
    return {part: g.first for g in groups.values() for part in g.parts if g.first}


@pytest.mark.parametrize(
    ("stages", "middle"), [(2, ()), (3, (1,)), (4, (1, 2)), (5, (1, 2, 3)), (7, range(1, 6))]
)
def test_groups_of_any_number_of_stages(stages, middle):
    found = {part: group_of(part, stages) for part in ["stem", "head"]}
    found |= {i: group_of(f"stages.{i}", stages) for i in range(stages)}
    expected = {"stem": "early", 0: "early", stages - 1: "late", "head": "late"}
    assert found == expected | dict.fromkeys(middle, "middle")


@pytest.mark.parametrize(
    ("peaks", "frozen"),
    [
        ({}, ()),
        ({"early": 0}, ("stem", "stages.0")),
        ({"middle": 0}, ("stages.1", "stages.2")),
        ({"late": 0}, ("stages.3", "head")),
        ({"early": 0, "middle": 0}, ("stem", "stages.0", "stages.1", "stages.2")),
    ],
)
def test_a_rate_of_0_freezes_its_group(peaks, frozen):
    groups = make_groups(settings_of(**peaks), 4, 10)
    assert frozen_parts(groups, 1) == frozen_parts(groups, 10) == frozen
    assert tuple(groups) == GROUPS
    assert phase_starts(groups) == [1]


@pytest.mark.parametrize(
    ("finetune", "expected"),
    [
        ("full", dict.fromkeys(parts_of(4), 1)),
        ("head", {"head": 1}),
        ("last:1", {"stages.3": 1, "head": 1}),
        ("last:3", dict.fromkeys(("stages.1", "stages.2", "stages.3", "head"), 1)),
        # For three epochs the head, for three the last stage too, for four the one before.
        (
            "gradual",
            {"head": 1, "stages.3": 4, "stages.2": 7, "stages.1": 11, "stages.0": 15, "stem": 15},
        ),
        ("head:1, stages.3:4,stages.2:7", {"head": 1, "stages.3": 4, "stages.2": 7}),
        ("late:1,early:5", {"head": 1, "stages.3": 1, "stem": 5, "stages.0": 5}),
        # The head may rest while others train.
        ("stages.3:1,head:100", {"stages.3": 1, "head": 100}),
    ],
)
def test_what_trains_from_which_epoch(finetune, expected):
    assert first_epochs(finetune) == expected


def test_a_part_trains_if_its_rate_and_finetune_let_it():
    assert first_epochs("last:2", middle=0) == {"stages.3": 1, "head": 1}
    # No stage whose turn does not come before the end.
    assert first_epochs("gradual", epochs=10) == {"head": 1, "stages.3": 4, "stages.2": 7}
    assert first_epochs("gradual", gradual=(1,), stages=3) == {
        "head": 1,
        "stages.2": 2,
        "stages.1": 3,
        "stages.0": 4,
        "stem": 4,
    }


def test_a_group_whose_parts_begin_apart_is_split_by_part():
    groups = make_groups(settings_of("head:1,stages.3:4,middle:7"), 4, 10)
    assert groups == {
        "early": ParameterGroup(("stem", "stages.0"), 1e-5, 0),
        "middle": ParameterGroup(("stages.1", "stages.2"), 5e-5, 7),
        "stages.3": ParameterGroup(("stages.3",), 1e-3, 4),
        "head": ParameterGroup(("head",), 1e-3, 1),
    }
    assert phase_starts(groups) == [1, 4, 7]
    every = parts_of(4)
    assert frozen_parts(groups, 3) == every[:5]
    assert frozen_parts(groups, 4) == frozen_parts(groups, 6) == every[:4]
    assert frozen_parts(groups, 7) == every[:2]


@given(st.integers(2, 6), st.integers(1, 20), st.data())
def test_the_parts_of_all_groups_are_those_of_the_model(stages, epochs, data):
    thaws = data.draw(
        st.dictionaries(st.sampled_from(parts_of(stages)[:-1]), st.integers(1, epochs))
    )
    finetune = ",".join(f"{part}:{epoch}" for part, epoch in (thaws | {"head": 1}).items())
    groups = make_groups(settings_of(finetune), stages, epochs)
    assert [part for group in groups.values() for part in group.parts] == list(parts_of(stages))
    for epoch in range(1, epochs + 1):
        frozen = [p for p in parts_of(stages) if thaws.get(p, epochs + 1) > epoch and p != "head"]
        assert list(frozen_parts(groups, epoch)) == frozen


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"finetune": "heads"}, "'heads'; it can be full, head, last:N .*stages.3.*early, middle"),
        ({"finetune": ""}, "it can be full"),
        ({"finetune": "last:0"}, "has 4 stages: give last:1 to last:4"),
        ({"finetune": "last:5"}, "give last:1 to last:4"),
        ({"finetune": "head:1,stages.4:2"}, "it can be full, .*the parts are stem, stages.0"),
        ({"finetune": "head:one"}, "it can be full"),
        ({"finetune": "head:0"}, "head train from epoch 0 of config.train.epochs=10; give 1 to 10"),
        ({"finetune": "head:1,stem:11"}, "stem train from epoch 11 of config.train.epochs=10"),
        ({"finetune": "late:1,head:3"}, "names head twice"),
        ({"finetune": "head:2"}, "head:2 and the rates .* nothing to train in epoch 1"),
        ({"finetune": "head", "late": 0}, "nothing to train in epoch 1"),
        ({"finetune": "gradual", "gradual": ()}, r"config.optim.gradual is \(\); .* 3,3,4"),
        ({"finetune": "gradual", "gradual": (3, 0)}, "whole numbers from 1"),
        ({"finetune": "gradual", "gradual": (1.5,)}, "whole numbers from 1"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        make_groups(settings_of(**changes), 4, 10)

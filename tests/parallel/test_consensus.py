import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

from hairjax.parallel.consensus import require_agreement
from hairjax.system.errors import UserError


def facts(**changes):
    return {
        "rate": 0.1,
        "sizes": (),
        "files": ("a", "b"),
        "split": np.array(["train", "test"]),
        "parameters": {"head": {"kernel": np.arange(6.0, dtype=np.float32)}},
        "checkpoint": None,
    } | changes


def compare(monkeypatch, *processes):
    """What process 0 finds where each of these processes has such facts."""
    sent = []  # by each process

    def record(mine):
        sent[-1].append(mine)
        return np.stack([mine, mine])

    def gather(mine):
        return np.stack([mine, *(others.pop(0) for others in sent)])

    monkeypatch.setattr(jax, "process_count", lambda: len(processes))
    monkeypatch.setattr(multihost_utils, "process_allgather", record)
    for values in processes[1:]:
        sent.append([])
        require_agreement(values)
    monkeypatch.setattr(multihost_utils, "process_allgather", gather)
    require_agreement(processes[0])


def test_processes_that_have_the_same_go_on(monkeypatch):
    compare(monkeypatch, facts(), facts(), facts())


@pytest.mark.parametrize(
    "changes",
    [
        {"rate": 0.2},
        {"sizes": (1,)},
        {"files": ("ab",)},
        {"split": np.array(["test", "train"])},
        {"parameters": {"head": {"kernel": np.arange(6.0, dtype=np.float32) + 1e-6}}},
        {"checkpoint": 10},
    ],
)
def test_what_differs_is_named_and_where(monkeypatch, changes):
    [name] = changes
    message = rf"the processes differ in {name} \(process 2 from process 0\)"
    with pytest.raises(UserError, match=message):
        compare(monkeypatch, facts(), facts(), facts(**changes))


def test_other_facts_are_those_of_another_version(monkeypatch):
    with pytest.raises(UserError, match="different versions of hairjax"):
        compare(monkeypatch, facts(), facts(new=1))


def test_a_process_that_is_alone_asks_nobody(monkeypatch):
    monkeypatch.setattr(multihost_utils, "process_allgather", None)
    require_agreement(facts())

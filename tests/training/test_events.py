"""TensorBoard's own reader finds in the events what the run's files say."""

import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from configs import top
from hairjax.builders.validation import check_config
from hairjax.runs.folder import RunFolder
from hairjax.system.errors import UserError
from hairjax.training.events import epoch_events


def rows_of(epoch, scale=1.0):
    metrics = {
        "epoch": epoch,
        "train": {"loss": scale / epoch, "accuracy": 0.5},
        "validation": {"accuracy": scale * epoch, "log_loss": 1.0},
        "rate": {"early": 0.0, "late": 1e-3 / epoch},
    }
    return metrics, {"epoch": epoch, "seconds": scale * 9.5, "peak_memory_bytes": 3 * 2**30}


def write(folder, epochs, scale=1.0, *, on=True):
    """What the loop does with its epochs."""
    with epoch_events(folder, on=on) as add:
        for epoch in epochs:
            metrics, timing = rows_of(epoch, scale)
            folder.append_line(folder.history, metrics)
            folder.append_line(folder.timing, timing)
            add(metrics, timing)


def events_of(folder):
    accumulator = EventAccumulator(str(folder.tensorboard), size_guidance={"scalars": 0})
    accumulator.Reload()
    return {
        tag: [(event.step, event.value) for event in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }


def test_every_number_is_an_event(tmp_path):
    folder = RunFolder(tmp_path)
    write(folder, range(1, 4))
    assert events_of(folder) == {
        "train/loss": [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))],
        "train/accuracy": [(1, 0.5), (2, 0.5), (3, 0.5)],
        "validation/accuracy": [(1, 1.0), (2, 2.0), (3, 3.0)],
        "validation/log_loss": [(1, 1.0), (2, 1.0), (3, 1.0)],
        "rate/early": [(1, 0.0), (2, 0.0), (3, 0.0)],
        "rate/late": [(e, pytest.approx(1e-3 / e)) for e in (1, 2, 3)],
        "timing/seconds": [(1, 9.5), (2, 9.5), (3, 9.5)],
        "timing/peak_memory_bytes": [(e, float(3 * 2**30)) for e in (1, 2, 3)],
    }


def test_an_undefined_metric_is_no_event(tmp_path):
    folder = RunFolder(tmp_path)
    metrics, timing = rows_of(1)
    with epoch_events(folder, on=True) as add:
        add(metrics | {"validation": {"quadratic_kappa": None, "accuracy": 1.0}}, timing)
    found = events_of(folder)
    assert found["validation/accuracy"] == [(1, 1.0)]
    assert "validation/quadratic_kappa" not in found


def test_off_writes_nothing(tmp_path):
    write(RunFolder(tmp_path), range(1, 3), on=False)
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.jsonl", "timing.jsonl"}


@pytest.mark.parametrize("kept", [0, 2])
def test_a_resumed_run_has_every_epoch_once(kept, tmp_path):
    """Epochs after the restored one are run again, with other timings; no trace of them stays."""
    folder = RunFolder(tmp_path)
    write(folder, range(1, 5))
    # A TensorBoard that is open all the while must not show them either. Events are told apart by
    # the second in which their file began.
    [file] = folder.tensorboard.iterdir()
    file.rename(folder.tensorboard / "events.out.tfevents.1000000000.here")
    watching = EventAccumulator(str(folder.tensorboard))
    watching.Reload()
    folder.cut_back(kept)
    write(folder, range(kept + 1, 4), scale=2.0)
    expected = [(epoch, 9.5 * (1 + (epoch > kept))) for epoch in range(1, 4)]
    assert events_of(folder)["timing/seconds"] == expected
    watching.Reload()
    assert [(e.step, e.value) for e in watching.Scalars("timing/seconds")] == expected


def test_switched_on_in_a_later_session(tmp_path):
    """What was trained without events has them too; a lost timing is only lost itself."""
    folder = RunFolder(tmp_path)
    write(folder, range(1, 3), on=False)
    folder.timing.write_text("")
    write(folder, range(3, 4))
    events = events_of(folder)
    assert [step for step, _ in events["train/loss"]] == [1, 2, 3]
    assert [step for step, _ in events["timing/seconds"]] == [3]


def test_a_missing_package_is_said_at_once(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    config = top.get_config("demo")
    check_config(config)
    config.log.tensorboard = True
    with pytest.raises(UserError) as refused:
        check_config(config)
    for fragment in ("config.log.tensorboard", "requirements-tensorboard.txt", "tensorboardX"):
        assert fragment in str(refused.value)
    assert "\n" not in str(refused.value)

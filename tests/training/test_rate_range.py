"""The sweep of rates: its rules on curves whose answer is known, and its step that of training."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.special import expit

import launch
from hairjax.runs.folder import RunFolder
from hairjax.system.errors import UserError
from hairjax.system.outputs import RECORD, read_record
from hairjax.training import rate_range as rates
from hairjax.training.rate_range import rate_of, smooth, steepest, suggestions, valley

EVERY = rate_of(np.arange(rates.STEPS))


def test_rates_rise_by_equal_factors():
    assert EVERY[[0, -1]] == pytest.approx([1e-7, 10])
    np.testing.assert_allclose(EVERY[1:] / EVERY[:-1], EVERY[1] / EVERY[0])


def test_smoothing_is_the_weighted_mean_of_what_came():
    losses = np.random.default_rng(0).normal(size=20)
    weights = rates.SMOOTHING ** np.arange(20)
    expected = [np.average(losses[: n + 1], weights=weights[n::-1]) for n in range(20)]
    np.testing.assert_allclose(smooth(losses), expected)
    np.testing.assert_allclose(smooth(np.full(5, 3.0)), 3)


@given(st.integers(12, 85))
def test_steepest_is_where_a_curve_falls_fastest(place):
    losses = 2 - expit(np.log(EVERY / EVERY[place]))
    assert abs(steepest(EVERY, losses) - place) <= 1


@given(st.integers(0, 40), st.integers(6, 40), st.integers(1, 20))
def test_valley_is_half_way_down_the_longest_fall(flat, falling, rising):
    losses = np.concatenate(
        [np.full(flat, 2.0), np.linspace(2, 1, falling), np.linspace(1.1, 5, rising)]
    )
    assert valley(np.empty(0), losses) == pytest.approx(flat + falling / 2, abs=3)


def patience(losses):
    """The length of the longest decreasing subsequence, by sorting into piles."""
    piles = []
    for loss in losses:
        for number, top_card in enumerate(piles):
            if top_card <= loss:
                piles[number] = loss
                break
        else:
            piles.append(loss)
    return len(piles)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40))
def test_valley_finds_the_longest_decreasing_subsequence(losses):
    losses = np.array(losses, float)
    length = patience(losses)
    end = next(n for n in range(len(losses)) if patience(losses[: n + 1]) == length)
    place = end - length + length // 3 + int(length / 3 / 2)
    assert valley(np.empty(0), losses) == max(place, 0)


def test_a_loss_that_falls_once_at_the_start_does_not_suggest_the_highest_rate():
    losses = np.concatenate([np.full(11, 1.0), [0.9], np.linspace(1.1, 5, 40)])
    found = suggestions(EVERY[: len(losses)], losses)
    assert found["valley"] == EVERY[10]


@pytest.mark.parametrize("losses", [np.linspace(1, 9, 60), np.ones(60), np.linspace(9, 1, 16)])
def test_a_loss_that_never_falls_suggests_nothing(losses):
    with pytest.raises(UserError, match="does not fall at any rate"):
        suggestions(EVERY[: len(losses)], losses)


# --- the command


@pytest.fixture
def options(monkeypatch, tiny_swin):
    monkeypatch.setattr(rates, "STEPS", 30)
    monkeypatch.setattr(rates, "SKIPPED", (3, 2))
    return {
        "model.name": "tiny",
        "data.count": 40,
        "data.fractions": "0.8,0.2,0",
        "data.image_size": 32,
        "optim.peak.middle": 1e-3,
        "optim.finetune": "middle:1,late:1",
        "train.epochs": 1,
        "train.batch_size": 24,  # one step to an epoch
        "optim.warmup_epochs": 0,
        "devices.mesh": 1,
    }


@pytest.mark.slow
def test_the_command_writes_what_training_would_see(options, tmp_path, capsys, monkeypatch):
    flags = [f"--config.{key}={value}" for key, value in options.items()]
    out = tmp_path / "rates"
    assert launch.main(["rates", "--config=configs/top.py:demo", f"--out={out}", *flags]) == 0
    assert {path.name for path in out.iterdir()} == {RECORD, *read_record(out)}
    rows = list(csv.DictReader((out / "rates.csv").read_text().splitlines()))
    losses = np.array([float(row["loss"]) for row in rows])
    found = np.array([float(row["rate"]) for row in rows])
    np.testing.assert_allclose(found, rate_of(np.arange(len(rows))))
    np.testing.assert_allclose([float(row["smoothed"]) for row in rows], smooth(losses))
    assert losses.min() < losses[0] - 0.1
    with Image.open(out / "rates.png") as picture:
        assert picture.width > 1000
    said = {line.split(":")[0]: line for line in capsys.readouterr().out.splitlines()}
    for rule, rate in suggestions(found, smooth(losses)).items():
        # Groups keep their shares: middle has half the rate of late.
        assert f"{rule}: {rate:.2g}" in said[rule]
        assert f"--config.optim.peak.middle={rate / 2:.2g}" in said[rule]
        assert f"--config.optim.peak.late={rate:.2g}" in said[rule]
    # The first loss is that of the first step of training: same weights, photographs, randomness.
    monkeypatch.setattr("hairjax.training.finish.finish_run", lambda *arguments: {})
    workdir = RunFolder(tmp_path / "run")
    line = ["--config=configs/top.py:demo", f"--workdir={workdir.path}", *flags]
    assert launch.main(line) == 0
    [row] = workdir.read_lines(workdir.history)
    assert row["train"]["loss"] == pytest.approx(losses[0], rel=1e-6)


def test_it_ends_where_the_loss_diverges(options):
    """And its numbers are those of the steps until then."""
    taken = iter([3.0, 2.0, 1.0, 500.0, 1.0])
    batches = [("photographs", "labels")] * 5
    found = rates._raise_rate(batches, lambda *_: (None, next(taken)), None)
    assert found.tolist() == [3, 2, 1, 500]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "rates needs --config"),
        (["--config=configs/top.py:demo", "--config.devices.processes=2"], "runs in one process"),
    ],
)
def test_a_mistake_ends_in_one_sentence(flags, message, capsys):
    assert launch.main(["rates", *flags]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1

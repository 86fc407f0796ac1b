"""Learning-rate range test: a short run with a rising learning rate."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from ml_collections import ConfigDict
from scipy.signal import lfilter

from hairjax.builders.data_set import load_data, split_photos
from hairjax.builders.model import find_model_weights, pretrained_model
from hairjax.builders.setup import resolve
from hairjax.optim.groups import GROUPS, ParameterGroup, frozen_parts, make_groups
from hairjax.optim.lora import require_matrices, with_pairs
from hairjax.optim.optimizer import make_optimizer
from hairjax.parallel.compilation import dispatch_inline, keep_compiled
from hairjax.parallel.mesh import make_mesh
from hairjax.report.figures.rate_range import rate_range_figure
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.files import write_csv
from hairjax.system.outputs import record_written, require_replaceable
from hairjax.training.batches import device_batches
from hairjax.training.learner import (
    classification_task,
    count_micro_batches,
    make_learner,
    step_options,
)
from hairjax.training.step import Step
from hairjax.training.train_state import TrainState

# Defaults of fastai's `lr_find`.
LOWEST, HIGHEST, STEPS = 1e-7, 10.0, 100
SMOOTHING = 0.98
DIVERGED = 4  # times the lowest smoothed loss
_WRITTEN = ("rates.csv", "rates.png")
SKIPPED = (STEPS // 10, 5)  # first and last steps, uninformative


def run_rate_range_test(config: ConfigDict, out: Path) -> dict[str, float]:
    """Raise the rate from 1e-7 to 10 step by step and record the loss.

    Step, batches and weights as in a training. The rate is that of the group with the highest peak;
    other groups keep their ratio to it. Writes ``rates.csv`` and ``rates.png``. Smith, "Cyclical
    Learning Rates for Training Neural Networks", WACV 2017.

    Returns:
        Suggested rates: ``valley`` and ``steepest``.

    Raises:
        UserError: unusable photographs or weights, or an uninformative loss; nothing is written.
    """
    require_replaceable(out, _WRITTEN)
    dispatch_inline()
    setup = resolve(config)
    keep_compiled(setup.devices.compiled)
    console.say(f"source: {setup.source.describe()}")
    mesh = make_mesh(setup.devices.mesh, setup.devices.shard)
    count_micro_batches(setup, mesh)  # raises before anything expensive
    weights = find_model_weights(setup.model)
    photos = load_data(setup.source, setup.prepare, None)
    split, _ = split_photos(photos, setup.source, setup.split, None)
    train = np.flatnonzero(split == "train")
    graphdef, params = pretrained_model(setup.model, len(photos.classes), weights)
    require_matrices(setup.optim.lora, setup.model.names, params)
    groups = make_groups(setup.optim, len(params["stages"]), setup.training.epochs)
    params = with_pairs(params, groups, setup.optim.lora, setup.seed)
    highest = max(group.peak for group in groups.values() if group.first == 1)
    tx = make_optimizer(setup.optim, _rising(groups, highest), params, groups, STEPS)
    task = classification_task(setup, photos.classes, photos.labels[train])
    learner = make_learner(graphdef, params, tx, step_options(setup, task, mesh), averaged=False)
    step = learner.step(frozen=frozen_parts(groups, 1), cached_stages=0)
    batches = device_batches(photos, train, range(STEPS), setup, mesh)
    losses = _raise_rate(batches, step, learner.begin(params))
    rates, smoothed = rate_of(np.arange(len(losses))), smooth(losses)
    found = suggestions(rates, smoothed)
    out.mkdir(parents=True, exist_ok=True)
    rows = zip(range(len(rates)), rates, losses, smoothed, strict=True)
    write_csv(out / "rates.csv", ("step", "rate", "loss", "smoothed"), rows)
    rate_range_figure(rates, losses, smoothed, found, out / "rates.png")
    record_written(out, _WRITTEN)
    for rule, rate in found.items():
        flags = (
            f"--config.optim.peak.{name}={setup.optim.peak[name] * rate / highest:.2g}"
            for name in GROUPS
        )
        console.say(f"{rule}: {rate:.2g}  ({' '.join(flags)})")
    console.say(f"written: {out / 'rates.png'}, {out / 'rates.csv'}")
    return found


def rate_of(step: Any) -> Any:
    """Rate at a step (or steps) from 0: geometric from lowest to highest."""
    return LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))


def _rising(groups: dict[str, ParameterGroup], highest: float) -> dict[str, optax.Schedule]:
    """Schedules by group; the group with the ``highest`` peak has `rate_of`."""
    return {
        name: lambda step, share=group.peak / highest: share * rate_of(step)
        for name, group in groups.items()
    }


def _raise_rate(
    batches: Iterable[Iterable[jax.Array]], step: Step, state: TrainState
) -> np.ndarray:
    """Loss of every step until divergence: float [steps]."""
    losses = list[float]()
    with console.training(STEPS, 0) as show:
        for batch in batches:
            state, loss = step(state, *batch)
            if not math.isfinite(float(loss)):
                break
            losses.append(float(loss))
            smoothed = smooth(np.array(losses))
            if smoothed[-1] > DIVERGED * smoothed.min():
                break
            show(len(losses), f"rate {rate_of(len(losses) - 1):.1e}  loss {losses[-1]:.3f}")
    return np.array(losses)


def smooth(losses: np.ndarray) -> np.ndarray:
    """Bias-corrected exponential moving average: float [n]."""
    total = lfilter([1 - SMOOTHING], [1, -SMOOTHING], losses)
    return total / (1 - SMOOTHING ** np.arange(1, len(losses) + 1))


def suggestions(rates: np.ndarray, smoothed: np.ndarray) -> dict[str, float]:
    """Suggested rate of each rule, from rates [n] and smoothed losses [n].

    Raises:
        UserError: too few steps before the loss rises, or it never falls.
    """
    chosen = slice(SKIPPED[0], max(len(rates) - SKIPPED[1], 0))
    rates, smoothed = rates[chosen], smoothed[chosen]
    if len(rates) < 2 or smoothed.min() == smoothed[0]:
        raise UserError(
            "the loss does not fall at any rate, so none can be suggested; check the weights and "
            "the labels"
        )
    rules: dict[str, Callable[[np.ndarray, np.ndarray], int]]
    rules = {"valley": valley, "steepest": steepest}
    return {name: float(rates[rule(rates, smoothed)]) for name, rule in rules.items()}


def valley(rates: np.ndarray, losses: np.ndarray) -> int:
    """Step inside the longest fall of the loss: fastai's default rule ``valley``.

    The fall is the longest decreasing subsequence, assumed contiguous before its end.
    """
    lengths = np.ones(len(losses), int)
    for i in range(1, len(losses)):
        higher = lengths[:i][losses[:i] > losses[i]]
        lengths[i] += higher.max(initial=0)
    end = int(lengths.argmax())
    third = lengths[end] / 3
    # For a single step down at the start the middle would lie before it.
    return max(end - int(lengths[end]) + int(third) + int(third / 2), 0)


def steepest(rates: np.ndarray, losses: np.ndarray) -> int:
    """Step with the steepest loss over log rate: fastai's rule ``steep``."""
    return int((np.diff(losses) / np.diff(np.log(rates))).argmin())

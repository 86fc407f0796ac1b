"""The best of several configurations, selected and corrected, where the truth is known.

Photographs in four stages; a configuration sees each a little off its stage. Part of the error is
shared by all configurations (hard photographs, hard people), so that they are as alike as trained
ones; how far it is off differs between configurations (spread) and between their seeds. Every
metric of so many people as there are follows from the normal distribution. Of every set hairjax
says which configuration is best, its value as selected and corrected, and which others cannot be
told from it.

    python -m benchmarks.selection
    python -m benchmarks.selection --sets=60 --samples=300
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.indistinguishable import find_best_set
from hairjax.evaluation.metrics.intervals import Interval, metric_interval
from hairjax.evaluation.metrics.selection import Resamples, correct_best, resample

TABLE = Path(__file__).with_suffix(".json")
CLASSES = 4
OFF = 0.5 / float(stats.norm.ppf(0.9))  # standard deviation, stages: an accuracy of 0.85
POINT = 0.01 / 0.337  # of the logarithm of that: a point of accuracy
SHARED, SHARED_BY_PERSON, OWN_BY_PERSON = 0.8, 0.15, 0.1  # of the variance
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sweep:
    """Configurations and the photographs by which one is selected.

    Attributes:
        photographs: their number.
        configurations: their number.
        spread: standard deviation of the configurations' true accuracy, points.
        seeds: of each configuration.
        seed_spread: standard deviation of true accuracy between seeds, points.
        people: whose photographs they are; 0: each of another person.
        metric: what the best is selected by.
    """

    photographs: int
    configurations: int
    spread: float
    seeds: int = 1
    seed_spread: float = 0.0
    people: int = 0
    metric: str = "accuracy"


SWEEPS = (
    Sweep(320, 12, 0),
    Sweep(320, 12, 1),
    Sweep(320, 36, 0),
    Sweep(320, 36, 1),
    Sweep(515, 12, 1),
    Sweep(1000, 12, 1),
    Sweep(320, 100, 1),
    Sweep(320, 12, 4),
    Sweep(320, 12, 1, metric="quadratic_kappa"),
    Sweep(320, 12, 0, seeds=3, seed_spread=1),
    Sweep(320, 12, 1, seeds=3, seed_spread=2),
    Sweep(320, 12, 0, people=40),
    Sweep(320, 12, 1, people=12),
    Sweep(320, 36, 1, people=12, metric="quadratic_kappa"),
)


@dataclass(frozen=True, eq=False)
class Drawn:
    """One set of photographs with the predictions of every run.

    Attributes:
        labels: int [n], true classes.
        unit: int [n], whose photograph each is.
        off: how far each configuration is off, with an average seed, float [c], stages.
        off_by_seed: the same with each of its seeds, float [c, seeds].
        predicted: int [c, seeds, n].
    """

    labels: NDArray[np.int64]
    unit: NDArray[np.int64]
    off: Floats
    off_by_seed: Floats
    predicted: NDArray[np.int64]

    @property
    def probabilities(self) -> list[list[Floats]]:
        """Certain predictions, [n, k] of each seed of each configuration."""
        certain = np.eye(CLASSES)
        return [[certain[one] for one in seeds] for seeds in self.predicted]


def draw(sweep: Sweep, generator: np.random.Generator) -> Drawn:
    """Draw photographs and what the runs of a sweep say of them."""
    n, c, seeds = sweep.photographs, sweep.configurations, sweep.seeds
    labels = generator.permutation(np.arange(n) % CLASSES)
    unit = np.arange(n)
    if sweep.people:
        unit = np.unique(generator.integers(0, sweep.people, n), return_inverse=True)[1]
    shared_by, own_by = (SHARED_BY_PERSON, OWN_BY_PERSON) if sweep.people else (0.0, 0.0)
    people = int(unit.max()) + 1
    off = OFF * np.exp(POINT * sweep.spread * generator.normal(size=c))
    by_seed = off[:, None] * np.exp(POINT * sweep.seed_spread * generator.normal(size=(c, seeds)))
    shared = np.sqrt(SHARED - shared_by) * generator.normal(size=n)
    shared += np.sqrt(shared_by) * generator.normal(size=people)[unit]
    own = np.sqrt(1 - SHARED - own_by) * generator.normal(size=(c, seeds, n))
    own += np.sqrt(own_by) * generator.normal(size=(c, 1, people))[..., unit]
    seen = labels + by_seed[..., None] * (shared + own)
    predicted = np.clip(np.rint(seen), 0, CLASSES - 1).astype(np.int64)
    return Drawn(labels, unit, off, by_seed, predicted)


def truth(metric: str, off: Floats) -> Floats:
    """The metric of all photographs that there could be: [...] → [...]."""
    edges = np.concatenate([[-np.inf], np.arange(CLASSES - 1) + 0.5, [np.inf]])
    below = stats.norm.cdf((edges - np.arange(CLASSES)[:, None]) / off[..., None, None])
    return metrics.COUNT_METRICS[metric](np.diff(below, axis=-1))


def truth_of_further_seeds(sweep: Sweep, off: Floats) -> Floats:
    """The mean of `truth` over the seeds that there could be, by Gauss-Hermite quadrature."""
    points, weights = np.polynomial.hermite_e.hermegauss(15)
    by_seed = off[..., None] * np.exp(POINT * sweep.seed_spread * points)
    return truth(sweep.metric, by_seed) @ weights / weights.sum()


def judge(sweep: Sweep, drawn: Drawn, samples: int, seed: int) -> dict[str, float]:
    """What hairjax says of one set, beside the truth."""
    resamples = resample(
        sweep.metric, drawn.labels, drawn.probabilities, drawn.unit, samples=samples, seed=seed
    )
    found, best = correct_best(resamples), find_best_set(resamples)
    assert found.corrected is not None and found.interval is not None
    true = truth(sweep.metric, drawn.off_by_seed).mean(1)[found.winner]
    further = truth_of_further_seeds(sweep, drawn.off)
    row = {
        "selected": found.selected,
        "true": true,
        "corrected": found.corrected,
        "error": found.corrected - true,
        "coverage": _holds(found.interval, true),
        "width": found.interval[1] - found.interval[0],
        "coverage_as_selected": _holds(as_selected(resamples), true),
        "width_of_percentiles": float(np.ptp(percentiles(resamples))),
        "best_in_set": int(np.argmax(further)) in best.configurations,
        "set": len(best.configurations),
    }
    if found.retrained is not None:
        retrained = further[found.winner]
        row["true_retrained"] = retrained
        row["error_retrained"] = found.retrained - retrained
        row["error_for_retrained"] = found.corrected - retrained
    return row


def as_selected(resamples: Resamples) -> Interval | None:
    """The winner's interval as if nothing had been selected."""
    sums, winner = resamples.sums, resamples.winner
    left_out = sums.seed_means(sums.left_out)[:, winner]
    value = float(resamples.whole[winner])
    return metric_interval(sums.metric, value, left_out, sums.classes)


def percentiles(resamples: Resamples) -> Floats:
    """BBC-CV's own interval: percentiles of the winners' values outside."""
    sums = resamples.sums
    winners = sums.seed_means(resamples.inside).argmax(1)
    outside = sums.seed_means(resamples.outside)[np.arange(len(winners)), winners]
    return np.quantile(outside, [0.025, 0.975])


def _holds(interval: Interval | None, value: float) -> bool:
    return interval is not None and interval[0] <= value <= interval[1]


def row_of(sweep: Sweep, sets: int, samples: int) -> dict[str, float | str]:
    """Means over sets, with the standard error of the correction's mean error."""
    rows = [
        judge(sweep, draw(sweep, np.random.default_rng([5, place])), samples, place)
        for place in range(sets)
    ]
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    means["optimism"] = means["selected"] - means["true"]
    means["error_sem"] = float(stats.sem([row["error"] for row in rows]))
    return asdict(sweep) | {name: round(value, 4) for name, value in means.items()}


def write_table(sweeps: Sequence[Sweep], sets: int, samples: int, out: Path) -> None:
    """Write a line of JSON for every sweep."""
    begun, lines = time.perf_counter(), []
    for sweep in sweeps:
        lines.append(json.dumps(row_of(sweep, sets, samples)))
        print(f"{sweep}: {time.perf_counter() - begun:.0f} s", flush=True)
    out.write_text("[\n " + ",\n ".join(lines) + "\n]\n")


def main() -> None:
    """Draw, select, correct, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=500, help="of photographs, of each sweep")
    parser.add_argument("--samples", type=int, default=500, help="bootstrap samples of each set")
    parser.add_argument("--out", default=str(TABLE))
    options = parser.parse_args()
    write_table(SWEEPS, options.sets, options.samples, Path(options.out))


if __name__ == "__main__":
    main()

"""Coverage of the 95 % intervals, simulated on small sets with known truth.

People have unequal numbers of images; classifiers err with a random effect per person, plus
occasional random grades. The truth is computed on a large population. Compared with percentile
bootstrap over subjects.

    python -m benchmarks.coverage
    python -m benchmarks.coverage --sets=200 --subjects=8,64
"""

import argparse
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.by_class import score_classes
from hairjax.evaluation.metrics.paired import METRICS as COMPARED
from hairjax.evaluation.metrics.paired import compare, summarise
from hairjax.evaluation.metrics.reliability import gap_sums
from hairjax.evaluation.metrics.sample import Sample
from hairjax.evaluation.metrics.selective import predict_selectively, weighted_area

TABLE = Path(__file__).with_suffix(".json")
CLASSES = 4
PEOPLE = 40_000  # population for the truth
RESAMPLES = 500
BEFORE = 4  # the slow bootstrap is computed for every fourth set
Floats = NDArray[np.float64]
Ends = tuple[float, float] | None


@dataclass(frozen=True)
class World:
    """Population, and two classifiers."""

    # True: each person is in one stage, with 15 % of the images in the next; False: in all stages
    one_stage: bool
    tilt: float  # standard deviation of the error per person, in stages
    noise: float  # mean standard deviation of the error per image, in stages
    lost: float  # fraction of random grades, unequal between people
    width: float  # width of the predicted probabilities, in stages
    second: float  # noise of the second classifier as a multiple of the first's


CLASSIFIERS = {
    "good": {"tilt": 0.2, "noise": 0.22, "lost": 0.03, "width": 0.35, "second": 1.1},
    "middling": {"tilt": 0.35, "noise": 0.4, "lost": 0.05, "width": 0.45, "second": 1.1},
    "poor": {"tilt": 0.55, "noise": 0.6, "lost": 0.1, "width": 0.5, "second": 1.0},
}
WORLDS = {
    f"{name}, {stages}": World(one_stage=stages == "one stage", **how)
    for name, how in CLASSIFIERS.items()
    for stages in ("one stage", "every stage")
}


@dataclass(frozen=True, eq=False)
class Set:
    """Images of some people, with the predictions of two classifiers."""

    labels: NDArray[np.int64]  # int [n]
    probabilities: tuple[Floats, Floats]  # float [n, k] for each classifier
    unit: NDArray[np.int64]  # person of each image, int [n]


def sample_set(world: World, people: int, generator: np.random.Generator) -> Set:
    """Sample the images of some people, balanced over stages as far as possible."""
    each = np.clip(np.ceil(generator.lognormal(np.log(8), 0.7, people)), 1, 60).astype(int)
    unit = np.repeat(np.arange(people), each)
    n = len(unit)
    if world.one_stage:
        stage = generator.permutation(np.arange(people) % CLASSES)[unit]
        beside = generator.choice([-1, 1], n) * (generator.random(n) < 0.15)
        labels = np.clip(stage + beside, 0, CLASSES - 1)
    else:
        labels = generator.integers(0, CLASSES, n)
    lost = generator.random(n) < generator.beta(0.5, 0.5 / world.lost - 0.5, people)[unit]
    anywhere = generator.uniform(-0.5, CLASSES - 0.5, n)
    spread = (world.noise * np.exp(generator.normal(0, 0.3, people)))[unit]
    tilt, noise = generator.normal(0, world.tilt, people), generator.normal(size=n)
    tilts = tilt, _correlated(tilt, world.tilt, generator)
    noises = noise, world.second * _correlated(noise, 1.0, generator)
    observed = (labels + one[unit] + spread * more for one, more in zip(tilts, noises, strict=True))
    first, second = (_probabilities(np.where(lost, anywhere, one), world.width) for one in observed)
    return Set(labels, (first, second), unit)


def _correlated(values: Floats, scale: float, generator: np.random.Generator) -> Floats:
    """Sample from the same distribution, with a correlation of 0.8."""
    return 0.8 * values + 0.6 * generator.normal(0, scale, len(values))


def _probabilities(observed: Floats, width: float) -> Floats:
    logits = -(((observed[:, None] - np.arange(CLASSES)) / width) ** 2) / 2
    p = np.exp(logits - logits.max(1, keepdims=True))
    return 0.97 * p / p.sum(1, keepdims=True) + 0.03 / CLASSES


def sample_of(photographs: Set) -> Sample:
    """Sample of the first classifier, as hairjax evaluates it."""
    p, unit = photographs.probabilities[0], photographs.unit
    return Sample(photographs.labels, p, unit, independent=False)


def truth_of(world: World) -> dict[str, float]:
    """True values of all metrics with intervals."""
    people = sample_set(world, PEOPLE, np.random.default_rng(0))
    # People of every stage, so that every metric is defined.
    first, second = (
        {
            name: metrics.comparable(value)
            for name, value in metrics.evaluate(people.labels, p).items()
        }
        for p in people.probabilities
    )
    predicted = people.probabilities[0].argmax(1)
    confusion = metrics.confusion_matrix(people.labels, predicted, CLASSES)
    classes = metrics.per_class(confusion)
    found = dict(first)
    for name in ("recall", "precision", "f1"):
        found |= {f"{name} {k}": float(classes[name][k]) for k in range(CLASSES)}
    once = np.ones((1, len(people.labels)))
    confidence = people.probabilities[0].max(1)
    found["area"] = float(weighted_area(predicted == people.labels, confidence, once)[0])
    # Equal distributions: the true difference is 0.
    same = world.second == 1.0
    return found | {f"Δ {name}": 0.0 if same else second[name] - first[name] for name in COMPARED}


def intervals_now(photographs: Set) -> dict[str, Ends]:
    """All intervals of hairjax."""
    sample = sample_of(photographs)
    found = dict(sample.intervals())
    for k, scores in enumerate(score_classes(sample, "abcd")):
        each = {n: getattr(scores, n) for n in ("recall", "precision", "f1")}
        found |= {f"{n} {k}": one and one[1] for n, one in each.items()}
    found["area"] = predict_selectively(sample).area_interval
    one, two = (
        summarise(photographs.labels, [p], photographs.unit) for p in photographs.probabilities
    )
    differences = compare(one, two).differences
    return found | {f"Δ {name}": one and one[1] for name, one in differences.items()}


def intervals_before(photographs: Set, generator: np.random.Generator) -> dict[str, Ends]:
    """Percentile bootstrap over subjects; basic bootstrap for the calibration error.

    Proportions of 0 or 1 have Wilson's interval, with subjects as trials.
    """
    unit, labels = photographs.unit, photographs.labels
    units = int(unit.max()) + 1
    weights = generator.multinomial(units, np.full(units, 1 / units), RESAMPLES).astype(float)
    first, second = (_resampled(labels, p, unit, weights) for p in photographs.probabilities)
    found: dict[str, Ends] = {name: _percentiles(values) for name, values in first.items()}
    gaps = gap_sums(labels, photographs.probabilities[0], unit)
    resampled = (weights @ gaps) / (weights @ np.bincount(unit))[:, None]
    whole = gaps.sum(0) / len(unit)
    error, chance = abs(whole).sum(), abs(resampled - whole).sum(1)
    low, high = (2 * error - end for end in _percentiles(abs(resampled).sum(1))[::-1])
    low = 0.0 if error <= np.quantile(chance, 0.975) else low
    found["expected_calibration_error"] = min(low, error), max(high, error)
    return found | {f"Δ {name}": _percentiles(second[name] - first[name]) for name in COMPARED}


def _resampled(
    labels: NDArray[np.int64], p: Floats, unit: NDArray[np.int64], weights: Floats
) -> dict[str, Floats]:
    units = weights.shape[1]
    counts = np.zeros((units, CLASSES, CLASSES))
    np.add.at(counts, (unit, labels, p.argmax(1)), 1)
    resampled = (weights @ counts.reshape(units, -1)).reshape(-1, CLASSES, CLASSES)
    # Earlier versions defined the kappa of a single class as 0.
    found = {n: np.nan_to_num(metric(resampled)) for n, metric in metrics.COUNT_METRICS.items()}
    losses = np.bincount(unit, metrics.negative_log_likelihood(labels, p))
    found["log_loss"] = (weights @ losses) / (weights @ np.bincount(unit))
    classes = metrics.per_class(resampled)
    occurs = {"recall": resampled.sum(-1), "precision": resampled.sum(-2)}
    occurs["f1"] = occurs["recall"] + occurs["precision"]
    for name, among in occurs.items():
        for k in range(CLASSES):
            found[f"{name} {k}"] = classes[name][:, k][among[:, k] > 0]
    return found


def _percentiles(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975]) if values.size else (np.nan, np.nan)
    if low == high and low in (0.0, 1.0):
        return (0.0, 1.0)  # wider than Wilson's
    return float(low), float(high)


@dataclass
class Count:
    """Number of intervals, number covering the truth, and total width."""

    given: int = 0
    held: int = 0
    width: float = 0.0

    def add(self, interval: Ends, truth: float) -> None:
        """Count an interval; None is skipped."""
        if interval is None or np.isnan(interval[0]):
            return
        self.given += 1
        self.held += interval[0] - 1e-9 <= truth <= interval[1] + 1e-9
        self.width += interval[1] - interval[0]

    @property
    def coverage(self) -> float:
        """Fraction covering the truth."""
        return self.held / max(self.given, 1)

    @property
    def mean_width(self) -> float:
        return self.width / max(self.given, 1)

    @property
    def error(self) -> float:
        """Standard error of the coverage."""
        return float(np.sqrt(self.coverage * (1 - self.coverage) / max(self.given, 1)))


def cover(
    world: World, truth: dict[str, float], people: int, sets: int
) -> tuple[dict[str, Count], dict[str, Count]]:
    """Counts per metric, current and earlier intervals; classes pooled."""
    generator, other = (np.random.default_rng([people, stream]) for stream in (1, 2))
    now: dict[str, Count] = {}
    before: dict[str, Count] = {}
    for place in range(sets):
        photographs = sample_set(world, people, generator)
        _add(now, intervals_now(photographs), truth)
        if place % BEFORE == 0:
            _add(before, intervals_before(photographs, other), truth)
    return now, before


def _add(counts: dict[str, Count], intervals: dict[str, Ends], truth: dict[str, float]) -> None:
    for name, interval in intervals.items():
        counts.setdefault(re.sub(r" \d$", "", name), Count()).add(interval, truth[name])


def main() -> None:
    """Simulate, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=1000, help="of each world and number of people")
    parser.add_argument("--subjects", default="8,12,16,24,32,64")
    parser.add_argument("--out", default=str(TABLE))
    options = parser.parse_args()
    start = time.perf_counter()
    rows = []
    for name, world in WORLDS.items():
        truth = truth_of(world)
        for people in map(int, options.subjects.split(",")):
            now, before = cover(world, truth, people, options.sets)
            rows += [row_of(name, people, of, now[of], before.get(of)) for of in now]
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    rows = worst(rows)
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    Path(options.out).write_text("[\n " + ",\n ".join(lines) + "\n]\n")
    show(rows)


def row_of(world: str, people: int, metric: str, now: Count, before: Count | None) -> dict:
    """Results of a metric in one world for a number of people."""
    return {
        "metric": metric,
        "subjects": people,
        "world": world,
        "coverage": round(now.coverage, 4),
        "error": round(now.error, 4),
        "width": round(now.mean_width, 4),
        "coverage_before": None if before is None else round(before.coverage, 4),
        "width_before": None if before is None else round(before.mean_width, 4),
    }


def worst(rows: list[dict]) -> list[dict]:
    """World of least coverage by metric and number of subjects; the bootstrap's may be another."""
    found: dict[tuple[str, int], list[dict]] = {}
    for row in rows:
        found.setdefault((row["metric"], row["subjects"]), []).append(row)
    least = []
    for of in found.values():
        before = [row["coverage_before"] for row in of if row["coverage_before"] is not None]
        row = min(of, key=lambda row: row["coverage"])
        least.append(row | {"coverage_before": min(before, default=None)})
    return least


def show(rows: list[dict]) -> None:
    """Print the least coverage, before and now."""
    people = sorted({row["subjects"] for row in rows})
    print("| | " + " | ".join(map(str, people)) + " |\n|" + "---|" * (len(people) + 1))
    for metric in dict.fromkeys(row["metric"] for row in rows):
        of = {row["subjects"]: row for row in rows if row["metric"] == metric}
        cells = (_cell(of[count]) for count in people)
        print(f"| {metric} | " + " | ".join(cells) + " |")
    least = min(rows, key=lambda row: row["coverage"])
    print(
        f"least: {least['coverage']:.3f} ± {least['error']:.3f} ({least['metric']}, "
        f"{least['subjects']} subjects, {least['world']})"
    )


def _cell(row: dict) -> str:
    before = row["coverage_before"]
    return f"{'–' if before is None else f'{before:.2f}'} → {row['coverage']:.3f}"


if __name__ == "__main__":
    main()

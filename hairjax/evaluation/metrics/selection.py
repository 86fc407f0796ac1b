"""Value of the best of several configurations, corrected for its having been selected.

The configuration that looks best on some photographs looks better there than it is. BBC-CV
(Tsamardinos, Greasidou & Borboudakis, Machine Learning 107, 2018) resamples the predictions, here
by subject: the winner is selected on each bootstrap sample and evaluated on what that sample left
out. The photographs are the same for all configurations, a configuration's value is the mean over
its seeds. What this corrects, and what its interval covers: ``python -m benchmarks.selection``.

Not corrected: the choice of each run's best epoch on the same photographs. Predictions are kept of
the best epoch alone, so it cannot be repeated in a resample; `EPOCHS_NOTE` says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hairjax.evaluation.metrics.expected_best import best_of_subset, tied_ranks
from hairjax.evaluation.metrics.intervals import Interval, metric_interval
from hairjax.evaluation.metrics.resampling import (
    RESAMPLES,
    UnitSums,
    bootstrap_counts,
    sign,
    sum_by_unit,
)
from hairjax.system.errors import UserError

EPOCHS_NOTE = (
    "Each run's best epoch was chosen on the same photographs, which the correction leaves out; "
    "the test photographs are free of both."
)
DECIMALS = 12  # beyond which values count as tied: sums in another order differ there
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Resamples:
    """Metric of every run in and out of each bootstrap sample, for c configurations.

    Attributes:
        sums: the sums from which they are computed.
        inside: on the sample, float64 [samples, runs].
        outside: on the photographs of the units left out of the sample, float64 [samples, runs].
        whole: on all photographs, the mean over seeds, float64 [c].
    """

    sums: UnitSums
    inside: Floats
    outside: Floats
    whole: Floats

    @property
    def gains(self) -> Floats:
        """``whole``, with the sign by which greater is better and ties equal."""
        return np.round(sign(self.sums.metric) * self.whole, DECIMALS)

    @property
    def winner(self) -> int:
        """Index of the best configuration on all photographs; the first on a tie."""
        return int(np.argmax(self.gains))


def resample(
    metric: str,
    labels: ArrayLike,
    configurations: Sequence[Sequence[ArrayLike]],
    unit: NDArray[np.int64],
    *,
    samples: int = RESAMPLES,
    seed: int = 0,
) -> Resamples:
    """Evaluate all configurations in and out of bootstrap samples of the units.

    Samples in or out of which the metric is undefined are left out.

    Args:
        metric: one of `resampling.SELECTED_BY`.
        labels: int [n], true classes.
        configurations: probabilities, float [n, k], of each seed of each configuration.
        unit: int [n], as `jackknife.subject_indices`.
        samples: number of bootstrap samples.
        seed: of the samples.

    Raises:
        UserError: the metric is undefined on these photographs.
        ValueError: as `resampling.sum_by_unit`.
    """
    sums = sum_by_unit(metric, labels, configurations, unit)
    whole = sums.seed_means(sums.whole)
    if not np.isfinite(whole).all():
        raise UserError(
            f"no configuration can be selected by {metric}: it is undefined where all photographs "
            "are of one class; select by accuracy, or on photographs of several classes"
        )
    counts = bootstrap_counts(sums.units, samples, seed)
    inside = sums.weighted(counts)
    outside = sums.weighted((counts == 0).astype(np.float64))
    defined = np.isfinite(inside).all(1) & np.isfinite(outside).all(1)
    return Resamples(sums, inside[defined], outside[defined], whole)


@dataclass(frozen=True)
class CorrectedBest:
    """The best configuration: as selected, and corrected for the selection.

    Attributes:
        winner: index of the best configuration on all photographs.
        selected: its metric on them.
        corrected: the same without the optimism of having selected it there, for the trained
            models as they are; None of a single unit.
        interval: 95 % interval of ``corrected``.
        retrained: expected metric of a further training of the winner, with a seed that selection
            did not see; None unless every configuration has two seeds or more.
    """

    winner: int
    selected: float
    corrected: float | None
    interval: Interval | None
    retrained: float | None


def correct_best(resamples: Resamples) -> CorrectedBest:
    """Correct the value of the best configuration.

    ``corrected`` is a little too low where configurations differ, as the winner of a sample was
    selected on 63 % of the photographs. ``interval`` is the union of the intervals (by
    `intervals.metric_interval`) around the value as selected, which is right if the winner is much
    the best, and around the corrected one, which is right if all are equal. The percentiles of
    BBC-CV, of metrics on 37 % of the photographs, are wider.

    ``retrained`` is `corrected` with the winner selected by all seeds but one and evaluated by
    that one, the mean over the seeds: else a configuration with lucky seeds is selected.
    """
    winner, sums = resamples.winner, resamples.sums
    selected = float(resamples.whole[winner])
    if not len(resamples.inside):
        return CorrectedBest(winner, selected, None, None, None)
    inside, outside = (sums.seed_means(part) for part in (resamples.inside, resamples.outside))
    corrected = float(_best_outside(sums.metric, inside, outside)[-1])
    return CorrectedBest(
        winner, selected, corrected, _interval(resamples, corrected), _retrained(resamples)
    )


def corrected_curve(resamples: Resamples) -> Floats:
    """Corrected value of the best of n configurations, for n = 1 … c, float64 [c].

    Mean over all subsets of n; at n = c it is `CorrectedBest.corrected`. Unlike
    `expected_best.expect_best` it does not grow by noise alone. Empty of a single unit.
    """
    if not len(resamples.inside):
        return np.empty(0)
    sums = resamples.sums
    inside, outside = (sums.seed_means(part) for part in (resamples.inside, resamples.outside))
    return _best_outside(sums.metric, inside, outside)


def _best_outside(metric: str, inside: Floats, outside: Floats) -> Floats:
    """Metric outside of the best inside among n of c, mean over subsets and samples: [c].

    Configurations that tie inside count alike.
    """
    less, upto = tied_ranks(np.round(sign(metric) * inside, DECIMALS))
    tied = outside / (upto - less)
    # Summed by the ends of the ties first: ranks are few and samples many.
    places = inside.shape[1] + 1
    by_rank = np.bincount(upto.ravel(), tied.ravel(), places)
    by_rank -= np.bincount(less.ravel(), tied.ravel(), places)
    return best_of_subset(inside.shape[1]) @ by_rank / len(inside)


def _interval(resamples: Resamples, corrected: float) -> Interval | None:
    sums, winner = resamples.sums, resamples.winner
    left_out = sums.seed_means(sums.left_out)[:, winner]
    moved = left_out - resamples.whole[winner]
    found = [
        metric_interval(sums.metric, value, moved + value, sums.classes)
        for value in (corrected, float(resamples.whole[winner]))
    ]
    ends = [interval for interval in found if interval is not None]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else None


def _retrained(resamples: Resamples) -> float | None:
    sums = resamples.sums
    if sums.runs.min() < 2:
        return None
    starts = np.cumsum(sums.runs) - sums.runs
    total = sums.seed_means(resamples.inside) * sums.runs
    found = []
    for turn in range(int(sums.runs.max())):
        held = starts + turn % sums.runs
        others = (total - resamples.inside[:, held]) / (sums.runs - 1)
        found.append(_best_outside(sums.metric, others, resamples.outside[:, held])[-1])
    return float(np.mean(found))

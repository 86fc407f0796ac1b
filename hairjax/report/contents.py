"""Contents of the report of a run, as plain data; the sections turn them into a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hairjax.data.inputs import InputSpecification
from hairjax.evaluation.analysis import Analysis
from hairjax.evaluation.metrics.classification import Metrics
from hairjax.evaluation.predictions import Predictions
from hairjax.optim.parameter_table import ParameterRow
from hairjax.runs.access import AccessRecord
from hairjax.runs.ancestry import Ancestry
from hairjax.runs.environment import Start, Weights
from hairjax.runs.overlap import Overlap


class Metric(NamedTuple):
    """Title and meaning of a metric."""

    title: str
    higher_is_better: bool
    meaning: str

    @property
    def named(self) -> str:
        """Its title within a sentence: “macro F1”."""
        return self.title[:1].lower() + self.title[1:]


METRICS = {
    "accuracy": Metric("Accuracy", True, "share of photographs given their true class"),
    "balanced_accuracy": Metric(
        "Balanced accuracy", True, "mean recall of the classes, each counting the same"
    ),
    "macro_f1": Metric(
        "Macro F1", True, "mean over the classes of F1, the harmonic mean of precision and recall"
    ),
    "quadratic_kappa": Metric(
        "Quadratic kappa",
        True,
        "agreement beyond chance; a mistake counts by the square of its distance. "
        "0 is chance, 1 is perfect; undefined (–) where all photographs are of one class",
    ),
    "mean_absolute_error": Metric(
        "Mean stage error", False, "mean distance between the true and the predicted class"
    ),
    "within_one": Metric("Within one stage", True, "share of photographs at most one class off"),
    "log_loss": Metric(
        "Log-loss", False, "mean surprise at the true class, in nats; punishes false certainty"
    ),
    "expected_calibration_error": Metric(
        "Calibration error",
        False,
        "mean distance between confidence and accuracy, in 15 bins (ECE); chance alone keeps it "
        "above 0",
    ),
}
HEADLINE = ("accuracy", "quadratic_kappa", "mean_absolute_error", "within_one")


@dataclass(frozen=True, eq=False)
class SplitResults:
    """Results of the best epoch on one split.

    Attributes:
        split: validation or test.
        predictions: predictions for every photograph.
        metrics: metrics of `evaluation.metrics.classification.evaluate`; None where undefined.
        intervals: (low, high) per metric, 95 %; None where it has none.
        interval_note: method of the intervals.
        baselines: metrics of each baseline by its name; a baseline may lack some, as undefined.
        confusion: int [k, k], rows true, columns predicted.
        analysis: analysis by class, by confidence and by slices.
        confusion_figure: the PNG of `figures.classification.confusion_figure`.
        reliability_figure: the PNG of `figures.calibration.reliability_figure`.
        risk_coverage_figure: the PNG of `figures.calibration.risk_coverage_figure`.
    """

    split: str
    predictions: Predictions
    metrics: Metrics
    intervals: Mapping[str, tuple[float, float] | None]
    interval_note: str
    baselines: Mapping[str, Metrics]
    confusion: NDArray[np.integer]
    analysis: Analysis
    confusion_figure: Path
    reliability_figure: Path
    risk_coverage_figure: Path


@dataclass(frozen=True, eq=False)
class Report:
    """Contents of a report.

    Attributes:
        folder: the run's directory, where a section finds what was stored for it.
        title: the headline.
        source: where the photographs are from: a folder, a data set's name, or how they were
            drawn.
        synthetic: the photographs were drawn by a program; stamped on the page.
        model: the model's name.
        method: method of its explanation maps, of `report.explanation.METHODS`.
        input_spec: input specification of the model.
        starts: environment of every start, the first start first.
        classes: k names.
        undrawable: names that figures show as boxes, for want of a font.
        counts: photographs of each class, per split.
        subjects: number of subjects of each split, 0 where they are not known.
        without_subject: number of photographs whose subject is not known.
        conflicting: number of photographs that are identical to one of another class.
        ancestry: from what the weights had learnt before; None where an earlier hairjax began the
            run, and did not look.
        overlap: photographs of validation and test from which they had; None likewise.
        best_epoch: epoch that is evaluated.
        best_by: metric that the best epoch was chosen by.
        results: results on validation and, once it was evaluated, on test.
        outdated: splits whose results are of another epoch or an earlier hairjax, and left out.
        accesses: test-set accesses, the oldest first.
        history: the lines of ``metrics.jsonl``.
        timing: the lines of ``timing.jsonl``.
        parameter_table: every parameter with its group.
        config: the resolved configuration, nested.
        division: what gave the split, in words; "" where it was drawn.
        curves_figure: the PNG of `figures.classification.learning_curves`.
        moved: where photographs lay when training began, by key, of those that lie elsewhere now.
    """

    folder: Path
    title: str
    source: str
    synthetic: bool
    model: str
    method: str
    input_spec: InputSpecification
    starts: Sequence[Start]
    classes: Sequence[str]
    undrawable: Sequence[str]
    counts: Mapping[str, Sequence[int]]
    subjects: Mapping[str, int]
    without_subject: int
    conflicting: int
    ancestry: Ancestry | None
    overlap: Overlap | None
    best_epoch: int
    best_by: str
    results: Sequence[SplitResults]
    outdated: Sequence[str]
    accesses: Sequence[AccessRecord]
    history: Sequence[Mapping[str, Any]]
    timing: Sequence[Mapping[str, Any]]
    parameter_table: Sequence[ParameterRow]
    config: Mapping[str, Any]
    division: str
    curves_figure: Path
    moved: Mapping[str, str] = field(default_factory=dict)

    @property
    def chosen_by(self) -> str:
        """Name of the metric that the best epoch was chosen by, within a sentence."""
        return METRICS[self.best_by].named if self.best_by in METRICS else self.best_by

    @property
    def ended_early(self) -> bool:
        """True if training ended before the last epoch, as ``train.patience`` asks."""
        train = self.config["train"]
        return train["patience"] > 0 and self.history[-1]["epoch"] < train["epochs"]

    @property
    def weights(self) -> Weights | None:
        """The pretrained weights that training began from, if any."""
        return self._last_read("weights")

    @property
    def second_weights(self) -> Weights | None:
        """Weights of the second of two streams, if any."""
        return self._last_read("second_weights")

    def _last_read(self, name: str) -> Weights | None:
        read = [getattr(start, name) for start in self.starts if getattr(start, name)]
        return read[-1] if read else None  # a start before the first checkpoint is begun anew

    @property
    def last(self) -> SplitResults:
        """The results to quote: those of test where there are any."""
        return self.results[-1]

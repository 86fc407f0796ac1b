"""Contents of a run's report, as plain data."""

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
from hairjax.system.wording import counted


class Metric(NamedTuple):
    """Title and definition of a metric."""

    title: str
    higher_is_better: bool
    meaning: str

    @property
    def in_sentence(self) -> str:
        """Title in lower case: “macro F1”."""
        return self.title[:1].lower() + self.title[1:]


METRICS = {
    "accuracy": Metric("Accuracy", True, "share of photographs predicted correctly"),
    "balanced_accuracy": Metric("Balanced accuracy", True, "mean recall of the classes"),
    "macro_f1": Metric(
        "Macro F1", True, "mean over the classes of F1, the harmonic mean of precision and recall"
    ),
    "quadratic_kappa": Metric(
        "Quadratic kappa",
        True,
        "Cohen's kappa with quadratic weights: agreement beyond chance; 0 is chance, 1 is perfect; "
        "undefined (–) where all photographs are of one class",
    ),
    "mean_absolute_error": Metric(
        "Mean absolute error", False, "mean distance of true and predicted class (MAE)"
    ),
    "within_one": Metric(
        "Within-one accuracy", True, "share of photographs predicted at most one class off"
    ),
    "log_loss": Metric("Log-loss", False, "mean negative log-likelihood, in nats"),
    "expected_calibration_error": Metric(
        "Calibration error",
        False,
        "expected calibration error (ECE): mean distance of confidence and accuracy, 15 bins; "
        "positive even for calibrated probabilities",
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
        intervals: 95 % interval (low, high) of each metric; None where it has none.
        interval_note: method of the intervals.
        baselines: metrics of each baseline by its name; undefined ones may be missing.
        confusion: int [k, k], rows true, columns predicted.
        analysis: per-class metrics, calibration, selective prediction, subgroups.
        confusion_figure: PNG of `figures.classification.confusion_figure`.
        reliability_figure: PNG of `figures.calibration.reliability_figure`.
        risk_coverage_figure: PNG of `figures.calibration.risk_coverage_figure`.
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
        folder: run directory.
        title: heading.
        source: origin of the photographs: a folder, a data set, or how they were synthesised.
        synthetic: True for synthetic photographs.
        model: name of the model.
        method: method of its explanation maps, a key of `report.explanation.METHODS`.
        input_spec: input specification of the model.
        starts: environment of every start, in order.
        classes: k names.
        missing_glyphs: names that no installed font can draw.
        counts: photographs of each class, by split.
        subjects: number of subjects, by split; 0 if unknown.
        without_subject: number of photographs of unknown subject.
        conflicting: number of photographs identical to one of another class.
        ancestry: training data of the initial weights; None for runs of earlier versions.
        overlap: their overlap with validation and test; None likewise.
        best_epoch: epoch that is evaluated.
        best_by: metric that chose it.
        results: results on validation and, once evaluated, on test.
        outdated: splits left out: their results are of another epoch or an earlier version.
        accesses: test-set accesses, in order.
        history: lines of ``metrics.jsonl``.
        timing: lines of ``timing.jsonl``.
        parameter_table: group, rate and decay of every parameter.
        config: resolved configuration, nested.
        split_source: origin of a given split, in words; "" if random.
        curves_figure: PNG of `figures.classification.learning_curves`.
        moved: former location of photographs that moved since training began, by key.
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
    missing_glyphs: Sequence[str]
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
    split_source: str
    curves_figure: Path
    moved: Mapping[str, str] = field(default_factory=dict)

    def size(self, split: str) -> str:
        """Number of photographs and of subjects of a split, in words."""
        photographs = counted(sum(self.counts[split]), "photograph")
        subjects = self.subjects[split]
        return f"{photographs} of {counted(subjects, 'subject')}" if subjects else photographs

    @property
    def best_by_name(self) -> str:
        """Title of the metric that chose the best epoch, in lower case."""
        return METRICS[self.best_by].in_sentence if self.best_by in METRICS else self.best_by

    @property
    def ended_early(self) -> bool:
        """True if training stopped early (``train.patience``)."""
        train = self.config["train"]
        return train["patience"] > 0 and self.history[-1]["epoch"] < train["epochs"]

    @property
    def weights(self) -> Weights | None:
        """Pretrained weights that training began from, if any."""
        return self._last_read("weights")

    @property
    def second_weights(self) -> Weights | None:
        """Pretrained weights of the second stream, if any."""
        return self._last_read("second_weights")

    def _last_read(self, name: str) -> Weights | None:
        read = [getattr(start, name) for start in self.starts if getattr(start, name)]
        return read[-1] if read else None  # before a checkpoint a start begins anew

    @property
    def last(self) -> SplitResults:
        """Results to report: on test if available, else on validation."""
        return self.results[-1]

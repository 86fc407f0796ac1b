"""Analysis beyond the metrics: per-class scores, calibration, selective prediction, slices."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hairjax.evaluation.metrics.by_class import ClassScores, score_classes
from hairjax.evaluation.metrics.calibration import (
    Bin,
    Calibration,
    Temperature,
    evaluate_temperature,
    find_temperature,
    measure_calibration,
)
from hairjax.evaluation.metrics.sample import Sample
from hairjax.evaluation.metrics.selective import Retained, SelectivePrediction, predict_selectively
from hairjax.evaluation.metrics.slices import Slice, Slices, slice_tables
from hairjax.evaluation.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Analysis:
    """Analysis of a set of predictions, as plain data."""

    classes: tuple[ClassScores, ...]  # precision, recall and F1 of each class
    calibration: Calibration  # calibration of the uncalibrated probabilities
    error_by_chance: float | None  # ECE of perfectly calibrated probabilities; None: one subject
    temperature: Temperature | None  # fitted temperature and its effect; None if there is none
    no_temperature: str  # reason for a missing temperature, else ""
    referral: SelectivePrediction
    slices: Slices  # metrics by further manifest columns


def analyse(
    predictions: Predictions,
    sample: Sample,
    validation: Predictions | str,
    columns: Mapping[str, Mapping[str, str]],
) -> Analysis:
    """Analyse predictions, also given as a sample; ``columns``: from `manifest.read_columns`.

    ``validation``: the run's validation predictions, to fit the temperature on (may be
    ``predictions`` itself); or the reason for their absence.
    """
    temperature, no_temperature = None, validation if isinstance(validation, str) else ""
    if not isinstance(validation, str):
        value, no_temperature = find_temperature(validation)
        if value is not None:
            own = validation is predictions
            temperature = evaluate_temperature(sample, value, len(validation.files), own)
    return Analysis(
        classes=score_classes(sample, predictions.classes),
        calibration=measure_calibration(sample),
        error_by_chance=sample.calibration_error().by_chance,
        temperature=temperature,
        no_temperature=no_temperature,
        referral=predict_selectively(sample),
        slices=slice_tables(sample, predictions.files, columns),
    )


def read_analysis(found: Mapping[str, Any]) -> Analysis:
    """Analysis from the contents of ``metrics.json``; inverse of ``dataclasses.asdict``.

    Intervals come back as lists; other keys are ignored.
    """
    temperature, retained, slices = found["temperature"], found["referral"]["kept"], found["slices"]
    if temperature is not None:
        after = temperature["after"]
        temperature = Temperature(**temperature | {"after": after and _calibration(after)})
    return Analysis(
        classes=tuple(ClassScores(**one) for one in found["classes"]),
        calibration=_calibration(found["calibration"]),
        error_by_chance=found["error_by_chance"],
        temperature=temperature,
        no_temperature=found["no_temperature"],
        referral=SelectivePrediction(
            **found["referral"] | {"kept": tuple(Retained(**one) for one in retained)}
        ),
        slices=Slices(
            tables={
                column: tuple(Slice(**part) for part in parts)
                for column, parts in slices["tables"].items()
            },
            left_out=tuple(slices["left_out"]),
        ),
    )


def _calibration(found: Mapping[str, Any]) -> Calibration:
    return Calibration(**{**found, "bins": tuple(Bin(**one) for one in found["bins"])})

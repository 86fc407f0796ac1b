"""Analysis beyond one metric: by class, calibration, selective prediction, and slices."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hairjax.evaluation.metrics.by_class import ClassScores, score_classes
from hairjax.evaluation.metrics.calibration import (
    Bin,
    Calibration,
    Temperature,
    find_temperature,
    measure_calibration,
    temper,
)
from hairjax.evaluation.metrics.sample import Sample
from hairjax.evaluation.metrics.selective import Retained, SelectivePrediction, predict_selectively
from hairjax.evaluation.metrics.slices import Slice, Slices, slice_tables
from hairjax.evaluation.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Analysis:
    """Analysis of a set of predictions beside its metrics, as plain data.

    Attributes:
        classes: precision, recall and F1 of each class.
        calibration: calibration of the model's own probabilities.
        error_by_chance: about the calibration error that right probabilities would have here; None
            of one subject.
        temperature: the temperature and its effect; None where there is none.
        no_temperature: why there is none, "" where there is one.
        referral: selective prediction.
        slices: metrics by the other columns of the manifest.
    """

    classes: tuple[ClassScores, ...]
    calibration: Calibration
    error_by_chance: float | None
    temperature: Temperature | None
    no_temperature: str
    referral: SelectivePrediction
    slices: Slices


def analyse(
    predictions: Predictions,
    sample: Sample,
    validation: Predictions | str,
    columns: Mapping[str, Mapping[str, str]],
) -> Analysis:
    """Analyse predictions.

    Args:
        predictions: predictions of the photographs that are judged.
        sample: sample of them.
        validation: the run's predictions for its validation photographs, on which the temperature
            is fitted; the same object as ``predictions`` where those are judged; or in words why
            there are none.
        columns: as `manifest.read_columns` returns them.
    """
    temperature, no_temperature = None, validation if isinstance(validation, str) else ""
    if not isinstance(validation, str):
        value, no_temperature = find_temperature(validation)
        if value is not None:
            own = validation is predictions
            temperature = temper(sample, value, len(validation.files), own)
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
    """The inverse of ``dataclasses.asdict``, from JSON: intervals come back as lists.

    Args:
        found: contents of ``metrics.json``; other keys are left alone.
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

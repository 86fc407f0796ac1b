"""The page's sections on confidence and on parts, and the rates of each class."""

import dataclasses
import re

import pytest

from hairjax.evaluation.analysis import analyse
from hairjax.evaluation.metrics.sample import Sample
from hairjax.report.sections.calibration import calibration_section
from hairjax.report.sections.mistakes import mistakes_section
from hairjax.report.sections.parts import parts_section
from hairjax.report.sections.selective_prediction import selective_prediction_section
from tests.evaluation.test_calibration import drawn
from tests.report.example import example_report

GIVEN = drawn(120, 0, temperature=2.0)
OTHERS = drawn(500, 1, temperature=2.0)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return example_report(tmp_path_factory.mktemp("figures"))


def with_analysis(report, given=GIVEN, *, validation=None, columns=None):
    """The report with another analysis of its only judgement."""
    sample = Sample.from_predictions(given)
    found = analyse(given, sample, given if validation is None else validation, columns or {})
    [judged] = report.results
    return dataclasses.replace(report, results=[dataclasses.replace(judged, analysis=found)])


def text(markup):
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", "".join(markup)))


def test_fitted_on_others_it_is_judged_here(report):
    given = with_analysis(report, validation=OTHERS)
    said = text(calibration_section(given))
    assert "with the temperature" in said
    assert "was fitted on the 500 validation photographs; here it changes the log-loss by −" in said
    assert f"{given.last.analysis.temperature.after.log_loss:.3f}" in said


def test_fitted_on_the_same_it_is_not(report):
    said = text(calibration_section(with_analysis(report)))
    assert "gives these very photographs the least log-loss" in said
    assert "with the temperature" not in said


def test_without_validation_predictions_the_reason_is_said(report):
    given = with_analysis(report, validation="there is no predictions.csv")
    assert "No temperature: there is no predictions.csv." in text(calibration_section(given))


def test_what_is_referred_and_what_is_gained(report):
    given = with_analysis(report)
    found = given.last.analysis.referral
    said = text(selective_prediction_section(given))
    for one in found.kept:
        share = f"{100 * one.coverage:.0f} %"
        assert f"{share} {one.photographs} {120 - one.photographs} {one.confidence:.3f}" in said
    assert f"Area under the risk–coverage curve: {found.area:.3f}" in said


def test_without_other_columns_there_are_no_parts(report):
    assert parts_section(with_analysis(report)) == []


def test_small_parts_are_marked_and_columns_left_out_named(report):
    columns = {
        "<site>": {str(i): "Bonn" if i < 5 else "Köln" for i in range(120)},
        "note": {str(i): "same" for i in range(120)},
    }
    content = parts_section(with_analysis(report, columns=columns))
    assert "<site>" not in "".join(content)
    assert "&lt;site&gt;, validation" in "".join(content)
    said = text(content)
    assert "Bonn 5 few" in said and "Köln 115 0." in said
    assert "Few: fewer than 10" in said
    assert "Columns without a table: note (one value only)." in said


def test_photographs_of_one_subject_have_no_intervals(report):
    alone = with_analysis(report, dataclasses.replace(GIVEN, subjects=("anna",) * 120))
    assert text(mistakes_section(alone)).count("no interval") == 12
    assert "no interval" in text(calibration_section(alone))
    assert "no interval" in text(selective_prediction_section(alone))


def test_every_split_has_its_own_numbers(report):
    [first] = report.results
    [other] = with_analysis(report, OTHERS, validation=GIVEN).results
    both = dataclasses.replace(report, results=[first, dataclasses.replace(other, split="test")])
    for section in (calibration_section, selective_prediction_section):
        content = "".join(section(both))
        assert content.count("<img ") == 2
        assert content.index("<h3>Validation") < content.index("<h3>Test")
    assert "fitted on the 120 validation photographs" in text(calibration_section(both))

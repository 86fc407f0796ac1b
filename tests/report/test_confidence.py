"""Sections on calibration, selective prediction, subgroups and per-class metrics."""

import dataclasses
import re

import pytest

from hairjax.evaluation.analysis import analyse
from hairjax.evaluation.metrics.sample import Sample
from tests.evaluation.test_calibration import drawn
from tests.report.example import example_report, section

GIVEN = drawn(120, 0, temperature=2.0)
OTHERS = drawn(500, 1, temperature=2.0)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return example_report(tmp_path_factory.mktemp("figures"))


def with_analysis(report, given=GIVEN, *, validation=None, columns=None):
    """The report with another analysis of its only results."""
    sample = Sample.from_predictions(given)
    found = analyse(given, sample, given if validation is None else validation, columns or {})
    [first] = report.results
    return dataclasses.replace(report, results=[dataclasses.replace(first, analysis=found)])


def text(markup):
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", markup))


def test_a_temperature_fitted_on_others_is_evaluated_here(report):
    given = with_analysis(report, validation=OTHERS)
    said = text(section("calibration", given))
    assert "temperature-scaled" in said
    assert "fitted on the 500 validation photographs, changes the log-loss here by −" in said
    assert f"{given.last.analysis.temperature.after.log_loss:.3f}" in said


def test_fitted_on_the_same_it_is_not(report):
    said = text(section("calibration", with_analysis(report)))
    assert "minimises the log-loss on these photographs" in said
    assert "temperature-scaled" not in said


def test_without_validation_predictions_the_reason_is_said(report):
    given = with_analysis(report, validation="there is no predictions.csv")
    assert "No temperature scaling: there is no predictions.csv." in text(
        section("calibration", given)
    )


def test_what_is_referred_and_what_is_gained(report):
    given = with_analysis(report)
    found = given.last.analysis.referral
    said = text(section("selective_prediction", given))
    for one in found.kept:
        share = f"{100 * one.coverage:.0f} %"
        assert f"{share} {one.photographs} {120 - one.photographs} {one.confidence:.3f}" in said
    assert f"Area under the risk–coverage curve (AURC): {found.area:.3f}" in said


def test_without_other_columns_there_are_no_parts(report):
    assert section("subgroups", with_analysis(report)) == ""


def test_small_parts_are_marked_and_columns_left_out_named(report):
    columns = {
        "<site>": {str(i): "Bonn" if i < 5 else "Köln" for i in range(120)},
        "note": {str(i): "same" for i in range(120)},
    }
    content = section("subgroups", with_analysis(report, columns=columns))
    assert "<site>" not in content
    assert "&lt;site&gt;, validation" in content
    said = text(content)
    assert "Bonn 5 few" in said and "Köln 115 0." in said
    assert "Few: fewer than 10" in said
    assert "Columns without a table: note (one value only)." in said


def test_photographs_of_one_subject_have_no_intervals(report):
    alone = with_analysis(report, dataclasses.replace(GIVEN, subjects=("anna",) * 120))
    assert text(section("confusion", alone)).count("no interval") == 12
    assert "no interval" in text(section("calibration", alone))
    assert "no interval" in text(section("selective_prediction", alone))


def test_every_split_has_its_own_numbers(report):
    [first] = report.results
    [other] = with_analysis(report, OTHERS, validation=GIVEN).results
    both = dataclasses.replace(report, results=[first, dataclasses.replace(other, split="test")])
    for name in ("calibration", "selective_prediction"):
        content = section(name, both)
        assert content.count("<img ") == 2
        assert content.index("<h3>Validation") < content.index("<h3>Test")
    assert "fitted on the 120 validation photographs" in text(section("calibration", both))

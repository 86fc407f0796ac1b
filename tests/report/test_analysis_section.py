import re
from dataclasses import replace

from hairjax.evaluation.analysis import analyse
from hairjax.evaluation.sample import Sample
from hairjax.report.analysis_section import AnalysisSection, analysis_sections, class_table
from tests.evaluation.test_calibration import drawn


def section(folder, *, validation=None, columns=None, subjects=None):
    for name in ("reliability.png", "risk.png"):
        (folder / name).write_bytes(b"picture")
    given = drawn(120, 0, temperature=2.0)
    if subjects:
        given = replace(given, subjects=tuple(subjects))
    sample = Sample.draw(given, 100, 0)
    found = analyse(given, sample, given if validation is None else validation, columns or {})
    return AnalysisSection(found, folder / "reliability.png", folder / "risk.png")


def text(markup):
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", markup))


def test_fitted_on_others_it_is_judged_here(tmp_path):
    given = section(tmp_path, validation=drawn(500, 1, temperature=2.0))
    said = text(analysis_sections(given))
    assert "with the temperature" in said
    assert "was fitted on the 500 validation photographs; here it changes the log-loss by −" in said
    assert f"{given.analysis.temperature.after.log_loss:.3f}" in said
    assert "Parts of the photographs" not in said


def test_fitted_on_the_same_it_is_not(tmp_path):
    said = text(analysis_sections(section(tmp_path)))
    assert "gives these very photographs the least log-loss" in said
    assert "with the temperature" not in said


def test_without_validation_predictions_the_reason_is_said(tmp_path):
    said = text(analysis_sections(section(tmp_path, validation="there is no predictions.csv")))
    assert "No temperature: there is no predictions.csv." in said


def test_small_parts_are_marked_and_columns_left_out_named(tmp_path):
    columns = {
        "<site>": {str(i): "Bonn" if i < 5 else "Köln" for i in range(120)},
        "note": {str(i): "same" for i in range(120)},
    }
    markup = analysis_sections(section(tmp_path, columns=columns))
    assert "<site>" not in markup and "&lt;site&gt;" in markup
    said = text(markup)
    assert "Bonn 5 few" in said and "Köln 115 0." in said
    assert "Few: fewer than 10" in said
    assert "Columns without a table: note (one value only)." in said


def test_photographs_of_one_subject_have_no_intervals(tmp_path):
    given = section(tmp_path, subjects=["anna"] * 120)
    assert text(class_table(given)).count("no interval") == 12
    analysis_sections(given)

import dataclasses

import pytest

from hairjax.data.inputs import InputSpecification
from hairjax.report.checklists.answers import checklist_answers
from hairjax.report.checklists.items import CHECKLISTS, read_checklist
from hairjax.report.checklists.results import result_answers
from hairjax.report.page import SECTIONS
from tests.report.example import CONFUSION, pictures, predictions, split_results

CAMERAS = {"camera": {name: str(i % 2) for i, name in enumerate(predictions(CONFUSION).files)}}


@pytest.fixture(scope="module")
def opened(folder, report):
    """Test was looked at, with a camera in the manifest; on validation the model was too sure."""
    other = predictions(CONFUSION + CONFUSION[:, ::-1])
    both = [*report.results, split_results("test", folder, other, CAMERAS)]
    return dataclasses.replace(report, results=both)


def test_every_item_that_is_answered_has_an_answer_and_leads_to_a_section(report):
    known = checklist_answers(report)
    asked = {item.answer for name in CHECKLISTS for item in read_checklist(name).items} - {""}
    assert asked == known.keys()
    sections = {section.name for section in SECTIONS}
    assert {answer.section for answer in known.values()} - {""} <= sections


def test_parts_of_the_photographs_are_told_by_their_columns(report, opened):
    known = result_answers(opened)
    of_parts = "accuracy, quadratic kappa, mean absolute error by camera, with 95 % intervals"
    assert of_parts in known["performance_subgroups"].text
    assert of_parts[1:] in known["robustness"].text
    assert {known[name].section for name in ("performance_subgroups", "robustness")} == {
        "subgroups"
    }
    without = result_answers(report)
    assert "camera" not in without["performance_subgroups"].text
    assert without["robustness"].text.startswith("No subgroups were evaluated")
    assert without["robustness"].section == ""


def test_what_a_temperature_would_change_is_told_of_other_photographs_only(report, opened):
    assert "can be evaluated on the test split" in result_answers(report)["updating"].text
    found = opened.last.analysis.temperature
    said = result_answers(opened)["updating"].text
    assert f"A temperature of {found.value:.2f}, fitted on validation, would change" in said
    change, _ = found.log_loss_change
    assert change > 0.1
    assert f"the log-loss on test by {change:.3f} (95 % interval " in said


def test_confidence_and_classes_are_told_with_intervals(opened):
    known = result_answers(opened)
    error = opened.last.analysis.calibration.error
    assert f"their calibration error on test is {error:.3f} (95 % interval " in (
        known["explanation"].text
    )
    assert known["explanation"].lacks
    assert "F1 of each class with 95 % intervals, on validation and test" in (
        known["by_class"].text
    )


def test_explanations_are_told_once_they_were_made(report, tmp_path):
    assert "launch.py explain" in result_answers(report)["explanation"].lacks
    pictures(tmp_path)
    explained = dataclasses.replace(report, folder=tmp_path)
    answer = result_answers(explained)["explanation"]
    assert answer.section == "explanation"
    assert answer.text.startswith(
        "Grad-CAM on 320 validation photographs (stage 4 of 4), validated by deletion and "
        "insertion against random maps: differences of the area deletion −0.160 (95 % interval "
        "−0.200 – −0.120), insertion −0.160 (95 % interval −0.200 – −0.120). Map "
        "mass inside the hair mask "
        "0.400 (95 % interval 0.350 – 0.460); area of the mask 0.250. "
        "Change of accuracy: without the mask −0.250 (95 % interval −0.300 – −0.200); mask of "
        "another photograph −0.250"
    )
    # Of another epoch's model they say nothing.
    other = dataclasses.replace(explained, best_epoch=4)
    assert result_answers(other)["explanation"] == result_answers(report)["explanation"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"on_leak": "refuse"}, "a certain one would have stopped the run"),
        ({"on_leak": "allow"}, "and allowed (data.on_leak=allow)"),
        ({"source": "synthetic"}, "Each photograph was synthesised independently"),
    ],
)
def test_copies_that_were_looked_for(report, data, said):
    config = report.config | {"data": report.config["data"] | data}
    known = checklist_answers(dataclasses.replace(report, config=config))
    assert said in known["disjoint"].text


@pytest.mark.parametrize(
    ("input_spec", "said"),
    [
        (InputSpecification(384, (6,), ("half",)), "RGB in [0, 1] minus mean (0.5, 0.5, 0.5)"),
        (InputSpecification(384, (1,), ("half",)), "384 × 384 pixels."),
        (
            InputSpecification(384, (3, 6), ("unit", "half")),
            "deviation (0.5, 0.5, 0.5) for the second model.",
        ),
    ],
)
def test_colours_are_told_as_the_model_had_them(report, input_spec, said):
    known = checklist_answers(dataclasses.replace(report, input_spec=input_spec))
    assert said in known["preprocessing"].text

"""What the report says of a run that ended early, or whose photographs moved since."""

import copy
import dataclasses

import pytest

from hairjax.report.checklists.answers import checklist_answers
from tests.report.example import example_report, section


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return example_report(tmp_path_factory.mktemp("figures"))


def said_in(report):
    """The text of the sections that tell of it."""
    answer = checklist_answers(report)["training"].text
    return f"{section('photographs', report)} {section('training', report)} {answer}"


def test_an_early_end_is_told(report):
    config = copy.deepcopy(dict(report.config))
    last = report.history[-1]["epoch"]
    config["train"] |= {"patience": 3, "epochs": last + 5}
    said = said_in(dataclasses.replace(report, config=config))
    early = f"Early stopping after epoch {last} of {last + 5}: no epoch since"
    assert early in said
    assert "(train.patience=3)" in said
    assert f"AdamW for {last} of {last + 5} epochs" in said
    assert "Early stopping" not in said_in(report)


def test_what_moved_is_told(report):
    moved = dataclasses.replace(report, moved={"data.photos": "/old/photos"})
    assert "the same checksums: data.photos was /old/photos." in said_in(moved)
    assert "checksums" not in said_in(report)

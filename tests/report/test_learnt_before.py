"""What the report says of the photographs that had trained the weights."""

import dataclasses
import re

import pytest

from hairjax.report.checklists.answers import checklist_answers
from hairjax.report.sections.ancestry import ancestry_sentences
from hairjax.runs.ancestry import Ancestry, RunImages
from hairjax.runs.environment import Weights
from hairjax.runs.overlap import Overlap
from tests.report.example import example_report, section

NONE = {"validation": 0, "test": 0}
HELD = {"validation": 320, "test": 319}
CLEAN = Overlap(HELD, NONE, NONE, 0, (), ())
LEAKY = Overlap(HELD, {"validation": 3, "test": 7}, NONE, 0, ("top",), ("a.png (test)",))
TOP = Ancestry((RunImages("top", frozenset("a"), frozenset("b"), frozenset()),))
BARE = Ancestry((RunImages("top", frozenset("a"), frozenset(), frozenset()),))
RUN, HUB, DRAWN = Weights("runs/top", "", "", 0), Weights("hf://timm/swin", "m", "f0", 1), None


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return example_report(tmp_path_factory.mktemp("figures"))


@pytest.mark.parametrize(
    ("weights", "ancestry", "overlap", "said"),
    [
        (DRAWN, None, None, []),
        (DRAWN, Ancestry(), CLEAN, []),
        (
            HUB,
            None,
            None,
            ["^The training photographs of the weights hf://timm/swin are unknown.$"],
        ),
        (HUB, Ancestry(), CLEAN, ["the weights hf://timm/swin are unknown."]),
        (
            RUN,
            None,
            None,
            ["weights .runs/top. were trained .* was not checked: an earlier version began"],
        ),
        (
            RUN,
            TOP,
            CLEAN,
            ["^The weights .top. were not trained on .* photographs or their subjects, by"],
        ),
        (
            RUN,
            BARE,
            CLEAN,
            ["^The weights .top. were not trained on validation or test photographs, by"],
        ),
        (
            RUN,
            TOP,
            LEAKY,
            [
                "leaks through the weights: 3 of the 320 validation and 7 of the 319 test "
                "photographs have trained these weights .training of top: a.png .*are optimistic"
            ],
        ),
        (
            RUN,
            dataclasses.replace(TOP, untraced=("old is not there",)),
            dataclasses.replace(CLEAN, selected=5),
            [
                "not trained",
                "^5 of the 319 test photographs were used to",
                "compared: old is not there.$",
            ],
        ),
    ],
)
def test_it_is_said_of_the_weights_that_were_read(weights, ancestry, overlap, said, report):
    starts = [dataclasses.replace(report.starts[0], weights=weights)]
    report = dataclasses.replace(report, starts=starts, ancestry=ancestry, overlap=overlap)
    found = ancestry_sentences(report)
    assert len(found) == len(said)
    for sentence, expected in zip(found, said, strict=True):
        assert re.search(expected, sentence), sentence
        assert sentence in checklist_answers(report)["disjoint"].text
        assert sentence in section("photographs", report)


def test_identical_files_in_two_classes_are_counted(report):
    assert "identical files in different" not in section("photographs", report)
    some = dataclasses.replace(report, conflicting=4)
    said = "4 photographs are identical files in different classes: at most one label"
    assert said in section("photographs", some)

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from hairjax.evaluation.analysis import Analysis, analyse, read_analysis
from hairjax.evaluation.metrics.calibration import Bin, Temperature
from hairjax.evaluation.metrics.sample import Sample
from tests.evaluation.test_calibration import drawn

GIVEN = drawn(90, 0, temperature=2.0)
FLAT = np.arange(40) % 4
COLUMNS = {
    "camera": {str(i): "old" if i % 3 else "new" for i in range(90)},
    "note": {str(i): "same" for i in range(90)},
}


@pytest.mark.parametrize("validation", [GIVEN, drawn(300, 1, temperature=2.0), "there is none"])
@pytest.mark.parametrize("columns", [{}, COLUMNS])
def test_what_metrics_json_holds_is_read_back(validation, columns):
    analysis = analyse(GIVEN, Sample.from_predictions(GIVEN), validation, columns)
    stored = json.dumps(asdict(analysis) | {"epoch": 3, "accuracy": 0.5})
    again = read_analysis(json.loads(stored))
    assert isinstance(again, Analysis)
    assert json.dumps(asdict(again)) == json.dumps(asdict(analysis))
    assert all(isinstance(one, Bin) for one in again.calibration.bins)
    assert again.temperature is None or isinstance(again.temperature, Temperature)
    assert list(again.slices.tables) == list(analysis.slices.tables)


def test_photographs_that_are_all_right_fit_no_temperature():
    """They would make a model surer without end, and wrong ones of others cost the more."""
    right = GIVEN.probabilities.argmax(1) == GIVEN.labels
    easy = GIVEN.subset(np.flatnonzero(right)[:8])
    for scored in (GIVEN, easy):
        found = analyse(scored, Sample.from_predictions(scored), easy, {})
        assert found.temperature is None
        assert "of the 8 validation photographs is lowest" in found.no_temperature


def test_a_model_that_is_no_better_than_chance_gets_no_temperature():
    probabilities = np.tile(np.float32([0.97, 0.01, 0.01, 0.01]), (40, 1))
    blind = replace(GIVEN.subset(np.arange(40)), probabilities=probabilities, labels=FLAT)
    found = analyse(GIVEN, Sample.from_predictions(GIVEN), blind, {})
    assert found.temperature is None
    assert "20.00" in found.no_temperature

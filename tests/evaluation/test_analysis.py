import json
from dataclasses import asdict

import pytest

from hairjax.evaluation.analysis import Analysis, analyse, read_analysis
from hairjax.evaluation.calibration import Bin, Temperature
from hairjax.evaluation.sample import Sample
from tests.evaluation.test_calibration import drawn

GIVEN = drawn(90, 0, temperature=2.0)
COLUMNS = {
    "camera": {str(i): "old" if i % 3 else "new" for i in range(90)},
    "note": {str(i): "same" for i in range(90)},
}


@pytest.mark.parametrize("validation", [GIVEN, drawn(300, 1, temperature=2.0), "there is none"])
@pytest.mark.parametrize("columns", [{}, COLUMNS])
def test_what_metrics_json_holds_is_read_back(validation, columns):
    analysis = analyse(GIVEN, Sample.draw(GIVEN, 50, 0), validation, columns)
    stored = json.dumps(asdict(analysis) | {"epoch": 3, "accuracy": 0.5})
    again = read_analysis(json.loads(stored))
    assert isinstance(again, Analysis)
    assert json.dumps(asdict(again)) == json.dumps(asdict(analysis))
    assert all(isinstance(one, Bin) for one in again.calibration.bins)
    assert again.temperature is None or isinstance(again.temperature, Temperature)
    assert list(again.slices.tables) == list(analysis.slices.tables)

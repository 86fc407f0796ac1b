"""docs/models.md names every model with its parameters."""

from pathlib import Path

import pytest

from hairjax.models.table import VARIANTS
from tests.models.test_contract import PARAMETERS

TEXT = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", [name for name in VARIANTS if not name.startswith(("swin", "tf_", "cifar"))]
)
def test_a_model_is_in_the_table_with_its_parameters(name):
    table = (line for line in TEXT.splitlines() if line.count("|") == 7)
    (row,) = (line for line in table if f"`{name}`" in line.split("|")[1])
    assert f"{PARAMETERS[name]:,}" in row
    assert row.split("|")[-2].strip() == VARIANTS[name].family.normalise

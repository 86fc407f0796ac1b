import jax.numpy as jnp
import pytest

from hairjax.config.recipe import default_config
from hairjax.optim.groups import make_groups
from hairjax.optim.parameter_table import (
    ParameterRow,
    make_parameter_table,
    read_groups_csv,
    write_groups_csv,
)
from hairjax.system.errors import UserError


def test_what_is_written_is_read_back(tmp_path):
    params = {
        "stem": {"proj": {"kernel": jnp.zeros((4, 4, 6, 8)), "bias": jnp.zeros(8)}},
        "stages": {i: {"norm": {"scale": jnp.zeros(()), "mean": jnp.zeros(3)}} for i in range(11)},
        "head": {"classifier": {"kernel": jnp.zeros((8, 4))}},
    }
    settings = default_config().optim
    settings.peak.update(early=0.0, middle=5e-5, late=1e-3)
    settings.update(weight_decay=0.01, layer_decay=0.7)
    groups = make_groups(settings, stages=11, epochs=1)
    rows = make_parameter_table(params, groups, settings)
    write_groups_csv(rows, tmp_path / "groups.csv")
    assert read_groups_csv(tmp_path / "groups.csv") == rows  # to the last digit of a rate
    found = {row.parameter: row for row in rows}
    assert len(found) == len(rows) == 3 + 2 * 11
    kernel = ParameterRow("head.classifier.kernel", (8, 4), "late", 0.001, 0.01, 1)
    assert found["head.classifier.kernel"] == kernel
    stem = ParameterRow("stem.proj.kernel", (4, 4, 6, 8), "early", 0.0, 0.0, 0)
    assert found["stem.proj.kernel"] == stem
    single = found["stages.10.norm.scale"]
    assert (single.shape, single.count, single.part) == ((), 1, "stages.10")
    assert found["stages.3.norm.mean"].cells()[2:] == ("statistics", "-", "-", "with its part")
    sizes = {"head": 32, "stem": 4 * 4 * 6 * 8 + 8} | {f"stages.{i}": 1 + 3 for i in range(11)}
    counted = dict.fromkeys(sizes, 0)
    for row in rows:
        counted[row.part] += row.count
    assert counted == sizes


def test_another_file_is_refused(tmp_path):
    (tmp_path / "groups.csv").write_text("parameter,shape,group\n")
    with pytest.raises(UserError, match="has the columns parameter, shape, group, not"):
        read_groups_csv(tmp_path / "groups.csv")


@pytest.mark.parametrize("row", ["stem.kernel,4 x,early,0.1,0,1", "stem.kernel,4,early"])
def test_a_damaged_row_is_named(row, tmp_path):
    columns = "parameter,shape,group,peak_rate,decay,first_epoch"
    (tmp_path / "groups.csv").write_text(f"{columns}\n{row}\n")
    with pytest.raises(UserError, match=f"groups.csv, line 2 is not a valid row: '{row}'; was it"):
        read_groups_csv(tmp_path / "groups.csv")

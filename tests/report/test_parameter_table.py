import jax.numpy as jnp
import pytest

from hairjax.config.load import load_config
from hairjax.optim.groups import make_groups
from hairjax.optim.parameter_table import write_parameter_table
from hairjax.report.parameter_table import ParameterRow, read_parameter_table
from hairjax.system.errors import UserError


def test_what_is_written_is_read_back(tmp_path):
    params = {
        "stem": {"proj": {"kernel": jnp.zeros((4, 4, 6, 8)), "bias": jnp.zeros(8)}},
        "stages": {i: {"norm": {"scale": jnp.zeros(())}} for i in range(11)},
        "head": {"classifier": {"kernel": jnp.zeros((8, 4))}},
    }
    settings = load_config("configs/top.py").optim
    settings.peak.update(early=0.0, middle=5e-5, late=1e-3)
    settings.update(weight_decay=0.01, layer_decay=1.0)
    groups = make_groups(settings, stages=11, epochs=1)
    write_parameter_table(tmp_path / "groups.txt", params, groups, settings)
    entries = {entry.parameter: entry for entry in read_parameter_table(tmp_path / "groups.txt")}
    assert len(entries) == 14
    kernel = ParameterRow(
        "head.classifier.kernel", "8 × 4", "late", "0.001", "0.01", "from epoch 1"
    )
    assert entries["head.classifier.kernel"] == kernel
    stem = ParameterRow("stem.proj.kernel", "4 × 4 × 6 × 8", "early", "0", "0", "never")
    assert entries["stem.proj.kernel"] == stem
    single = entries["stages.10.norm.scale"]
    assert (single.shape, single.count, single.part) == ("", 1, "stages.10")
    sizes = {"head": 32, "stem": 4 * 4 * 6 * 8 + 8} | {f"stages.{i}": 1 for i in range(11)}
    counted = dict.fromkeys(sizes, 0)
    for entry in entries.values():
        counted[entry.part] += entry.count
    assert counted == sizes


def test_another_file_is_refused(tmp_path):
    (tmp_path / "groups.txt").write_text("parameter  shape  group\n\n")
    with pytest.raises(UserError, match="lacks the columns peak rate, decay, trains"):
        read_parameter_table(tmp_path / "groups.txt")

"""The parameter table of a run: every parameter with its group, rate, decay and first epoch."""

from collections.abc import Mapping
from pathlib import Path

from flax import traverse_util
from ml_collections import ConfigDict

from hairjax.optim.groups import ParameterGroup
from hairjax.optim.layer_decay import layer_distances
from hairjax.optim.optimizer import decays
from hairjax.optim.parts import FROZEN, STATISTICS, label_parameters


def write_parameter_table(
    file: Path, params: dict, groups: Mapping[str, ParameterGroup], optim: ConfigDict
) -> None:
    """Write ``groups.txt``: every parameter, shape, group, peak rate, decay, when it trains."""
    labels = traverse_util.flatten_dict(label_parameters(params, groups))
    distances = traverse_util.flatten_dict(layer_distances(params))
    rows = [("parameter", "shape", "group", "peak rate", "decay", "trains")]
    groups = {**groups, FROZEN: ParameterGroup((), 0.0, 0)}
    totals = dict.fromkeys(groups, 0)
    for place, leaf in traverse_util.flatten_dict(params).items():
        name = labels[place]
        if name == STATISTICS:
            path = ".".join(map(str, place))
            rows.append((path, str(leaf.size), name, "-", "-", "with its part"))
            continue
        first = groups[name].first
        totals[name] += leaf.size
        peak = groups[name].peak * optim.layer_decay ** distances[place]
        rows.append(
            (
                ".".join(map(str, place)),
                " × ".join(map(str, leaf.shape)),
                name,
                f"{peak:g}" if first else "0",
                f"{optim.weight_decay:g}" if decays(place) and first else "0",
                f"from epoch {first}" if first else "never",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    said = (f"{name}: {count:,} parameters" for name, count in totals.items() if count)
    lines += ["", *said]
    file.write_text("\n".join(lines) + "\n")

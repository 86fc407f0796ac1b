"""The verbs that come before training: ``check``, ``show`` and ``rates``."""

import os
from pathlib import Path

from hairjax.check import check_config
from hairjax.errors import UserError
from hairjax.launcher import find_place
from hairjax.paths import require_paths
from hairjax.verbs.configuration import read_configuration, recipe, require_keys, weights_paths
from hairjax.verbs.flags import parse
from hairjax.verbs.places import beside, require_writable


def run_check(arguments: list[str]) -> int:
    """``launch.py check``."""
    names = ("photos", "masks", "manifest", "subject", "split", "out")
    given, _ = parse(arguments, names, {})
    if not given["photos"]:
        raise UserError("check needs --photos, a folder with a folder per class")
    require_paths(
        folders={"--photos": given["photos"], "--masks": given["masks"]},
        files={"--manifest": given["manifest"], "--split": given["split"]},
    )
    name = Path(given["photos"]).expanduser().absolute().name
    out = Path(given.pop("out") or Path("runs") / f"check-{name}").expanduser()
    require_writable("--out", out)
    # How photographs are read and divided is the recipe's, so that training finds them prepared.
    config = recipe()
    config.data.update(given)

    from hairjax.display import Display
    from hairjax.examine import examine

    examine(config, out, Display())
    return 0


def run_show(arguments: list[str]) -> int:
    """``launch.py show``."""
    given, config, reference = read_configuration("show", arguments, "out")
    check_config(config, reference)
    out = Path(given["out"] or beside(given["config"], "show")).expanduser()
    require_writable("--out", out)

    from hairjax.display import Display
    from hairjax.show import show

    show(config, out, Display())
    return 0


def run_rates(arguments: list[str]) -> int:
    """``launch.py rates``."""
    given, config, reference = read_configuration("rates", arguments, "out")
    if find_place(config.devices, os.environ):
        raise UserError("rates runs in one process: leave out config.devices.processes")
    check_config(config, reference)
    out = Path(given["out"] or beside(given["config"], "rates")).expanduser()
    require_writable("--out", out)
    for run in weights_paths(config):
        require_keys(run)

    from hairjax.display import Display
    from hairjax.rates import find_rates

    find_rates(config, out, Display())
    return 0

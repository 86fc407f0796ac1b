"""Verbs before training: ``check``, ``show`` and ``rates``."""

import os
from argparse import Namespace
from pathlib import Path

from hairjax.builders.validation import check_config
from hairjax.cli.configuration import (
    process_options,
    read_configuration,
    require_keys,
    weights_paths,
)
from hairjax.cli.places import beside, require_manifest, require_writable
from hairjax.config.recipe import default_config
from hairjax.data.options import FOLDERS
from hairjax.data.sources.masks import mask_folder
from hairjax.parallel.cluster import find_place
from hairjax.system.errors import UserError
from hairjax.system.paths import require_paths


def run_check(given: Namespace) -> int:
    """Run ``check``; return its exit status."""
    require_paths(
        folders={"--photos": given.photos, "--masks": mask_folder(given.masks)},
        files={
            "--manifest": given.manifest,
            "--split": given.split if given.split != FOLDERS else "",
        },
    )
    require_manifest(given)
    name = Path(given.photos).expanduser().absolute().name
    out = Path(given.out or Path("runs") / f"check-{name}").expanduser()
    require_writable("--out", out)
    # How photographs are read and divided is the recipe's, so that training finds them prepared.
    config = default_config()
    config.data.update({key: value for key, value in vars(given).items() if key in config.data})

    from hairjax.commands.check import check_photographs

    check_photographs(config, out)
    return 0


def run_show(given: Namespace) -> int:
    """Run ``show``; return its exit status."""
    config = read_configuration(given)
    check_config(config)
    out = Path(given.out or beside(given.config, "show")).expanduser()
    require_writable("--out", out)

    from hairjax.commands.show import show_data

    show_data(config, out)
    return 0


def run_rates(given: Namespace) -> int:
    """Run ``rates``; return its exit status."""
    config = read_configuration(given)
    if find_place(process_options(config), os.environ):
        raise UserError("rates runs in one process: leave out config.devices.processes")
    check_config(config)
    out = Path(given.out or beside(given.config, "rates")).expanduser()
    require_writable("--out", out)
    for run in weights_paths(config):
        require_keys(run)

    from hairjax.training.rate_range import run_rate_range_test

    run_rate_range_test(config, out)
    return 0

"""Configurations of a command and of its runs."""

from argparse import Namespace
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict, config_flags

from hairjax.config.load import load_config
from hairjax.config.recipe import known_keys
from hairjax.config.schema import check_keys, flatten, kind
from hairjax.config.streams import configured_streams
from hairjax.parallel.cluster import ProcessOptions
from hairjax.system.errors import UserError


def read_configuration(given: Namespace) -> ConfigDict:
    """Load the configuration of a command, with overrides."""
    config = load_config(given.config)
    check_keys(config, known_keys())
    return override(config, given.overrides)


def override(config: ConfigDict, overrides: list[tuple[str, str]]) -> ConfigDict:
    """Override keys of a configuration; values are parsed by the type of the default.

    Raises:
        UserError: a value that is not of the type.
    """
    defaults = dict(flatten(config))
    arguments = [f"--config.{key}={value}" for key, value in overrides]
    values = flags.FlagValues()
    argv = ["hairjax", *arguments]
    config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=argv)
    # One at a time, so that a message names the key and its value in words of ours.
    for (key, value), argument in zip(overrides, arguments, strict=True):
        try:
            values(["hairjax", argument])
        except flags.Error as error:
            raise UserError(
                f"config.{key} cannot be {value!r}; it must be {kind(defaults[key])}"
            ) from error
    return values["config"].value


def process_options(config: ConfigDict) -> ProcessOptions:
    """Process options of a configuration."""
    devices = config.devices
    return ProcessOptions(devices.coordinator, devices.processes, devices.process)


def weights_paths(config: ConfigDict) -> list[Path]:
    """Paths of weights, possibly runs."""
    return [Path(stream.source).expanduser() for stream in configured_streams(config)]


def require_keys(folder: Path) -> None:
    """Raise if a run has unknown keys, of a later version; other folders pass."""
    path = folder / "config.json"
    config = load_config(str(path)) if path.is_file() else ConfigDict()
    made = config.made.runs if "made" in config else ()
    for run in made:
        require_keys(folder / run)
    if made or (path.is_file() and (folder / "checkpoints").is_dir()):
        try:
            check_keys(config, known_keys())
        except UserError as error:
            raise UserError(f"{path}: {error}") from error

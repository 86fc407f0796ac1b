"""The configuration of a command, and those of the runs that it is given."""

from pathlib import Path

from ml_collections import ConfigDict

from hairjax.cli.flags import override, parse
from hairjax.config.load import load_config
from hairjax.config.recipe import known_keys
from hairjax.config.schema import check_keys
from hairjax.config.streams import configured_streams
from hairjax.parallel.cluster import ProcessOptions
from hairjax.system.errors import UserError

ROOT = Path(__file__).parents[2]  # where launch.py is


def read_configuration(
    verb: str, arguments: list[str], *names: str
) -> tuple[dict[str, str], ConfigDict]:
    """The flags of a verb that takes a configuration and the flags named, and what it is to run."""
    keys = {name: key.default for name, key in known_keys().items()}
    given, overrides = parse(arguments, ("config", *names), keys)
    if not given["config"]:
        raise UserError(f"{verb} needs --config, e.g. --config=configs/top.py:demo")
    config = load_config(given["config"])
    check_keys(config, known_keys())
    return given, override(config, overrides)


def process_options(config: ConfigDict) -> ProcessOptions:
    """Process options of a configuration."""
    devices = config.devices
    return ProcessOptions(devices.coordinator, devices.processes, devices.process)


def weights_paths(config: ConfigDict) -> list[Path]:
    """Where the weights may be a run."""
    return [Path(stream.source).expanduser() for stream in configured_streams(config)]


def require_keys(folder: Path) -> None:
    """Refuse a run with keys that are not known, of a later hairjax; another folder is none."""
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

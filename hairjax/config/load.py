"""Load configurations from Python or JSON."""

import difflib
import json
import runpy
import traceback
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from hairjax.config.places import FILE, at_places, places_of, read_places, require_places
from hairjax.config.recipe import known_keys
from hairjax.config.schema import complete, flatten
from hairjax.system.errors import UserError
from hairjax.system.paths import placed

SUFFIXES = (".py", ".json")
RUN_CONFIG = "config.json"


def load_config(source: str) -> ConfigDict:
    """Configuration from ``FILE.py``, ``FILE.py:variant``, or a run's ``config.json``.

    A run of an earlier version is completed with the former meaning of new keys. Moved photographs
    of a run are found at their recorded location.

    Raises:
        UserError: no such file or variant, or not a configuration.
    """
    path, variant = split_source(source)
    if not path.is_file():
        beside = [str(file) for file in sorted(path.parent.glob("*")) if file.suffix in SUFFIXES]
        meant = difflib.get_close_matches(str(path), beside, n=1, cutoff=0.8)
        if (path / "config.json").is_file():
            meant = [str(path / "config.json")]
        hint = f"did you mean {meant[0]}?" if meant else "give a .py file or a run's config.json"
        raise UserError(f"there is no configuration file {placed(path)}; {hint}")
    if path.suffix not in SUFFIXES:
        raise UserError(f"a configuration is a {' or '.join(SUFFIXES)} file, not {str(path)!r}")
    if path.suffix == ".py":
        return _run_python(path, variant)
    if variant:
        raise UserError(f"{path} has no variants such as {variant!r}; only a .py file may")
    config = read_initial_config(path)
    # Only beside a run's own config.json.
    return (
        at_places(config, read_places(path.with_name(FILE))) if path.name == RUN_CONFIG else config
    )


def read_initial_config(path: Path) -> ConfigDict:
    """Configuration at the start of a run, from its ``config.json``.

    Raises:
        UserError: not a configuration.
    """
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    if not isinstance(plain, dict):
        raise UserError(f"{path} is not a configuration: it is not a JSON object")
    return complete(from_plain(plain), known_keys())


def with_moved_places(run: Path, config: ConfigDict) -> ConfigDict:
    """Configuration of a resuming command, with recorded new locations of photographs.

    A location equal to the original one is replaced; any other given location wins.

    Raises:
        UserError: the photographs are not there.
    """
    begun = places_of(flatten(read_initial_config(run / RUN_CONFIG)))
    given, recorded = places_of(flatten(config)), read_places(run / FILE)
    moved = {key: now for key, now in recorded.items() if given.get(key) == begun.get(key)}
    # The run has its own copy of the split.
    needed = {key: place for key, place in (given | moved).items() if key != "data.split"}
    require_places(run, needed.values())
    return at_places(config, moved)


def split_source(source: str) -> tuple[Path, str]:
    """Split ``FILE:variant`` into file and variant ("" if there is none)."""
    path = Path(source).expanduser()
    if path.is_file() or ":" not in source:
        return path, ""
    name, _, variant = source.rpartition(":")
    return Path(name).expanduser(), variant


def _run_python(path: Path, variant: str) -> ConfigDict:
    try:
        get_config = runpy.run_path(str(path)).get("get_config")
        if get_config is None:
            raise UserError(f"{path} has no function get_config")
        config = get_config(variant) if variant else get_config()
    except UserError:
        raise
    except Exception as error:  # user code may raise anything
        message = f"{type(error).__name__}: {error}"
        if isinstance(error, ValueError):  # an unknown variant
            message = str(error)
        elif not isinstance(error, SyntaxError):  # its message has the line
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in frames if frame.filename == str(path)]
            message += f" (line {lines[-1]})" if lines else ""
        raise UserError(f"{path}: {message}") from error
    if not isinstance(config, ConfigDict):
        raise UserError(f"{path}: get_config must return a ConfigDict, not {type(config).__name__}")
    return config


def to_plain(config: ConfigDict) -> dict[str, Any]:
    """Configuration as nested dicts and lists, as in ``config.json``."""
    return json.loads(config.to_json())


def from_plain(plain: dict[str, Any]) -> ConfigDict:
    """Inverse of ``to_plain``; lists become tuples, which flags can override."""

    def restore(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: restore(item) for key, item in value.items()}
        return tuple(value) if isinstance(value, list) else value

    return ConfigDict(restore(plain))

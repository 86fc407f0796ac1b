"""Load a configuration, find its keys, and compare two."""

import difflib
import json
import runpy
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from hairjax.errors import UserError
from hairjax.paths import placed

SUFFIXES = (".py", ".json")


def load_config(source: str) -> ConfigDict:
    """A configuration from ``FILE.py``, ``FILE.py:variant``, or a run's ``config.json``.

    Raises:
        UserError: no such file or variant, or the file is not a configuration.
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
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    if not isinstance(plain, dict):
        raise UserError(f"{path} is not a configuration: it holds no names with values")
    return from_plain(plain)


def split_source(source: str) -> tuple[Path, str]:
    """``FILE:variant`` → the file and the variant, "" where there is none."""
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
    except Exception as error:  # whatever the file does
        message = f"{type(error).__name__}: {error}"
        if isinstance(error, ValueError):  # how a configuration refuses a variant
            message = str(error)
        elif not isinstance(error, SyntaxError):  # which says itself where it is
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in frames if frame.filename == str(path)]
            message += f" (line {lines[-1]})" if lines else ""
        raise UserError(f"{path}: {message}") from error
    if not isinstance(config, ConfigDict):
        raise UserError(f"{path}: get_config must return a ConfigDict, not {type(config).__name__}")
    return config


def to_plain(config: ConfigDict) -> dict[str, Any]:
    """Nested plain dicts and lists: what ``config.json`` holds."""
    return json.loads(config.to_json())


def from_plain(plain: dict[str, Any]) -> ConfigDict:
    """The inverse of ``to_plain``: lists become tuples, which flags can override."""

    def restore(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: restore(item) for key, item in value.items()}
        return tuple(value) if isinstance(value, list) else value

    return ConfigDict(restore(plain))


def flatten(config: ConfigDict | dict, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every ("section.key", value), in order."""
    for key, value in config.items():
        if isinstance(value, ConfigDict | dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", tuple(value) if isinstance(value, list) else value


class Stream(NamedTuple):
    """One of the models that run side by side."""

    name: str  # in the table of models
    source: str  # of its pretrained weights, or none
    channels: int  # that it sees


def streams(config: ConfigDict) -> tuple[Stream, ...]:
    """The model of a configuration, or where there is a second one both."""
    model, weights = config.model, config.weights
    channels = (3, 1) if model.second_sees == "mask" else (model.in_channels,) * 2
    found = [Stream(model.name, weights.source.replace("{model}", model.name), channels[0])]
    if model.second:
        source = (weights.second or weights.source).replace("{model}", model.second)
        found.append(Stream(model.second, source, channels[1]))
    return tuple(found)


def model_title(config: ConfigDict) -> str:
    """The model's name, or both."""
    return " + ".join(stream.name for stream in streams(config))


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence: the known name most like a mistyped one, or all of them."""
    known = list(known)
    if close := _close(name, known):
        return f"did you mean {' or '.join(close)}?"
    return f"the known ones are {', '.join(known)}"


def _close(name: str, known: list[str]) -> list[str]:
    def last(name: str) -> str:
        return name.lstrip("-").rpartition(".")[2]

    def alike(one: str, other: str) -> float:
        return difflib.SequenceMatcher(None, one, other).ratio()

    # The names alone must be alike as well: optim.lr is like optim.lora by its section only.
    close = [
        other
        for other in difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.8)
        if alike(last(name.lower()), last(other)) >= 0.7
    ][:1]
    # Or the right name in the wrong section.
    return close or [other for other in known if last(other) == last(name)]


def unknown_key(key: str, known: Iterable[str]) -> str:
    """A sentence for a key that no configuration has."""
    known = list(known)
    inside = [other for other in known if other.startswith(f"{key}.")]
    beside = [other for other in known if other.startswith(f"{key.rpartition('.')[0]}.")]
    if inside:
        return f"config.{key} is a section, not a value; its keys are {_listed(inside)}"
    if close := _close(key, known):
        hint = f"did you mean {_listed(close)}?"
    elif beside:
        hint = f"the keys there are {_listed(beside)}"
    else:
        sections = dict.fromkeys(other.partition(".")[0] for other in known)
        hint = f"it starts with one of {', '.join(sections)}; configs/top.py has every key"
    return f"unknown key config.{key}; {hint}"


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(f"config.{key}" for key in keys)


# What may differ between the processes of a run: where things lie on a machine, and which it is.
OF_A_PROCESS = (
    "weights.source",
    "weights.second",
    "data.photos",
    "data.masks",
    "data.second_photos",
    "data.second_masks",
    "data.manifest",
    "data.split",
    "data.cache",
    "data.beam",
    "data.memory",
    "devices.coordinator",
    "devices.processes",
    "devices.process",
    "devices.compiled",
)
# What may differ between a run and the command that resumes it: that, how many devices share the
# work, and what is shown.
FREE_ON_RESUME = (
    *OF_A_PROCESS,
    "train.log_every",
    "devices.mesh",
    "devices.shard",
    "log.tensorboard",
    "report.gallery",
)


def differences(old: ConfigDict, new: ConfigDict) -> list[str]:
    """What keeps ``new`` from resuming a run of ``old``, as "config.key: old → new"."""
    before, after = dict(flatten(old)), dict(flatten(new))
    return [
        f"config.{key}: {before.get(key)!r} → {after.get(key)!r}"
        for key in [*before, *(key for key in after if key not in before)]
        if before.get(key) != after.get(key)
        and not _may_differ(key, before.get(key), after.get(key))
    ]


def _may_differ(key: str, *values: Any) -> bool:
    """Whether a run may be of one of two values and the command that resumes it of the other."""
    # A file of weights may lie elsewhere; none at all, or another on the hub, is not the same one.
    named = "none" in values or all(str(value).startswith("hf:") for value in values)
    return key in FREE_ON_RESUME and not (key.startswith("weights.") and named)

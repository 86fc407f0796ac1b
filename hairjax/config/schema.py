"""Schema of configuration keys: default, meaning, kind and limits.

The keys are in ``configs/top.py``, read by `hairjax.config.recipe`.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from ml_collections import ConfigDict

from hairjax.config.suggestions import unknown_key
from hairjax.system.errors import UserError

NEVER: Final = object()  # every run has had the key


@dataclass(frozen=True)
class Key:
    """One configuration key."""

    default: Any  # default value; defines the type
    comment: str  # meaning
    choices: tuple = ()  # allowed values; (): any of the type
    least: float | None = None  # minimum of a number
    most: float | None = None  # maximum; None: no limit
    # "resume" if the command that resumes a run may differ, "process" if its processes may, too;
    # else ""
    free: Literal["", "resume", "process"] = ""
    before: Any = NEVER  # value implied by runs older than the key


@dataclass(frozen=True)
class Section:
    """Keys under a common comment."""

    comment: str
    keys: "Keys"


Keys = Mapping[str, "Key | Section | Keys"]


def flatten_keys(keys: Keys, prefix: str = "") -> Iterator[tuple[str, Key]]:
    """Every ("section.key", key), in order."""
    for name, entry in keys.items():
        if isinstance(entry, Key):
            yield f"{prefix}{name}", entry
        else:
            inside = entry.keys if isinstance(entry, Section) else entry
            yield from flatten_keys(inside, f"{prefix}{name}.")


def defaults(keys: Keys) -> ConfigDict:
    """Configuration with every key at its default."""

    def value(entry: "Key | Section | Keys") -> Any:
        if isinstance(entry, Key):
            return entry.default
        inside = entry.keys if isinstance(entry, Section) else entry
        return {name: value(one) for name, one in inside.items()}

    return ConfigDict(value(keys))


def flatten(config: ConfigDict | dict, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every ("section.key", value), in order."""
    for key, value in config.items():
        if isinstance(value, ConfigDict | dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", tuple(value) if isinstance(value, list) else value


def kind(default: Any) -> str:
    """Kind of values allowed for this default, in words."""
    match default:
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a finite number"
        case tuple():
            example = ",".join(map(str, default)) or "256,128, or () for none"
            return f"numbers with commas between, such as {example}"
        case _:
            return "text"


def _is_kind(value: Any, default: Any) -> bool:
    match default:
        case bool():
            return isinstance(value, bool)
        case int():
            return isinstance(value, int) and not isinstance(value, bool)
        case float():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return number and math.isfinite(value)
        case tuple():
            return isinstance(value, tuple) and all(_is_kind(item, 0.0) for item in value)
        case _:
            return isinstance(value, str)


def check_keys(config: ConfigDict, known: Mapping[str, Key]) -> None:
    """Raise unless a configuration has exactly the known keys, with values of their kinds.

    Raises:
        UserError: names the key, and the allowed keys or kind.
    """
    # Results derived from runs have a section `made` in addition.
    values = {key: v for key, v in flatten(config) if not key.startswith("made.")}
    for key in values:
        if key not in known:
            raise UserError(unknown_key(key, known))
    lacking = [f"config.{key}={one.default!r}" for key, one in known.items() if key not in values]
    if lacking:
        raise UserError(
            f"the configuration lacks keys; add them, here as in configs/top.py: "
            f"{', '.join(lacking)}"
        )
    for key, value in values.items():
        if not _is_kind(value, known[key].default):
            raise UserError(f"config.{key} is {value!r}; it must be {kind(known[key].default)}")


def check_limits(config: ConfigDict, known: Mapping[str, Key]) -> None:
    """Raise if a number is outside its limits (choices: see `builders.validation`).

    Raises:
        UserError: names the key, its value, and the limits.
    """
    for key, value in flatten(config):
        least, most = known[key].least, known[key].most
        if least is None:
            continue
        if not (least <= value and (most is None or value <= most)):
            limits = f"at least {least}" if most is None else f"between {least} and {most}"
            raise UserError(f"config.{key} is {value}; it must be {limits}")


def complete(config: ConfigDict, known: Mapping[str, Key]) -> ConfigDict:
    """Configuration of an earlier version, completed with the former meaning of new keys.

    Any other ``config.json`` is returned unchanged.
    """
    if not {"model", "data", "optim"} <= set(config.keys()):
        return config
    values, whole = dict(flatten(config)), config.to_dict()
    for key, one in known.items():
        if key in values or one.before is NEVER:
            continue
        *sections, name = key.split(".")
        place = whole
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = one.before
    return ConfigDict(whole)

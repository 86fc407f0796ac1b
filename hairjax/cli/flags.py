"""The arguments of a command: taken apart, checked, and keys of a configuration overridden."""

from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict, config_flags

from hairjax.config.schema import flatten, kind
from hairjax.config.suggestions import nearest, unknown_key
from hairjax.system.errors import UserError


def parse(
    arguments: list[str],
    names: tuple[str, ...],
    keys: dict[str, object],
    others: list[str] | None = None,
    switches: Sequence[str] = (),
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Take ``--name=value`` and ``--name value`` apart, without a look at the values.

    Args:
        arguments: arguments of the command line, after the verb.
        names: the flags there are, but for the switches.
        keys: the keys that ``--config.KEY`` may override, with their defaults; a true-or-false
            key alone means true.
        others: takes the arguments that are no flags, and everything after ``--``; None refuses
            them.
        switches: flags that alone mean true.

    Returns:
        The value of every flag, "" where it was not given ("false" of a switch); and the overrides
        in order.

    Raises:
        UserError: an unknown flag, one without a value, or a switch that is neither true nor false.
    """
    names = (*names, *switches)
    given, overrides = dict.fromkeys(names, ""), []
    known = [*(f"--{name}" for name in names), *(f"--config.{key}" for key in keys)]
    arguments = list(arguments)
    while arguments:
        argument = arguments.pop(0)
        if others is not None and argument == "--":
            others += arguments
            break
        if others is not None and not argument.startswith("-"):
            others.append(argument)
            continue
        flag, equals, value = argument.partition("=")
        name = flag.removeprefix("-").removeprefix("-")
        key = name.removeprefix("config.")
        if not flag.startswith("-"):
            is_run = (Path(argument).expanduser() / "config.json").is_file()
            meant = f"did you mean --workdir={argument}?" if is_run and "workdir" in names else ""
            hint = meant or _flag_like(flag, known)
            raise UserError(f"unexpected argument {argument!r}; {hint}")
        if keys and name.startswith("config.") and key not in keys:
            raise UserError(unknown_key(key, keys))
        if f"--{name}" not in known:
            raise UserError(f"unknown flag {flag}; {_flag_like(flag, known)}")
        if not equals and (name in switches or isinstance(keys.get(key), bool)):
            value = "true"
        elif not equals:
            if not arguments or arguments[0].startswith("--"):
                raise UserError(f"{flag} has no value; write {flag}=VALUE")
            value = arguments.pop(0)
        if name in given:
            given[name] = value
        else:
            overrides.append((key, value))
    for name in switches:
        require_one_of(name, given, ("false", "true"))
    return given, overrides


def _flag_like(flag: str, known: list[str]) -> str:
    hint = nearest(flag, known)
    if hint.startswith("did you mean"):
        return hint
    few = [name for name in known if not name.startswith("--config.")]
    more = " and --config.KEY" if len(few) < len(known) else ""
    return f"the flags here are {', '.join(few)}{more}; see python launch.py --help"


def require_one_of(name: str, given: dict[str, str], values: Sequence[str]) -> None:
    """Refuse another value of a flag; the first is the default, and filled in."""
    given[name] = given[name] or values[0]
    if given[name] not in values:
        raise UserError(f"--{name} is {given[name]!r}; it can be {' or '.join(values)}")


def whole_number(flag: str, value: str) -> int:
    """The value of a flag that takes a whole number."""
    try:
        return int(value)
    except ValueError:
        raise UserError(f"{flag} is {value!r}; it must be a whole number") from None


def different_runs(verb: str, workdirs: Sequence[str], *, least: int, example: str) -> list[Path]:
    """The runs given to a verb that takes ``least`` or more, none of them twice."""
    runs = [Path(workdir).expanduser() for workdir in workdirs]
    if len({run.resolve() for run in runs}) < max(least, len(runs)):
        raise UserError(
            f"{verb} needs {'two different runs or more' if least > 1 else 'different runs'}, not "
            f"{', '.join(workdirs) or 'none'}; e.g. {verb} {example}"
        )
    return runs


def override(config: ConfigDict, overrides: list[tuple[str, str]]) -> ConfigDict:
    """Set keys of a configuration, each value read as the type of the one it replaces."""
    defaults = dict(flatten(config))
    arguments = [f"--config.{key}={value}" for key, value in overrides]
    values = flags.FlagValues()
    argv = ["launch.py", *arguments]
    config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=argv)
    # One at a time, so that a message names the key and its value in words of ours.
    for (key, value), argument in zip(overrides, arguments, strict=True):
        try:
            values(["launch.py", argument])
        except flags.Error as error:
            raise UserError(
                f"config.{key} cannot be {value!r}; it must be {kind(defaults[key])}"
            ) from error
    return values["config"].value

"""Parse the arguments of a verb with argparse; help texts."""

from argparse import (
    SUPPRESS,
    ArgumentError,
    ArgumentParser,
    ArgumentTypeError,
    Namespace,
    RawDescriptionHelpFormatter,
)
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import fill

from hairjax.cli.verbs import VERBS, Flag, Verb
from hairjax.config.suggestions import nearest, unknown_key
from hairjax.system.errors import UserError
from hairjax.system.program import PROGRAM

WIDTH = 100  # of the help
OVERVIEW = f"""\
usage: {PROGRAM} [VERB] [--FLAG=VALUE ...]

Fine-tune a Swin Transformer to grade hair loss from photographs and hair masks.

{{examples}}

verbs:
{{verbs}}

{PROGRAM} VERB --help explains a verb and its flags.
Keys of a configuration: docs/configuration.md. Several devices: docs/devices.md.
"""


def _parser(name: str) -> ArgumentParser:
    verb = VERBS[name]
    given = [f"--{flag.name}={flag.name.upper()}" for flag in verb.flags if flag.needed]
    given += [f"{verb.takes} ..."] * bool(verb.takes) + ["[--FLAG=VALUE ...]"]
    given += ["[--config.KEY=VALUE ...]"] * verb.keys
    parser = ArgumentParser(
        usage=_command(name, *given),
        description=f"{fill(verb.text, WIDTH - 2)}\n\n{_examples(name)}",
        formatter_class=lambda prog: RawDescriptionHelpFormatter(prog, width=WIDTH),
        add_help=False,
        allow_abbrev=False,
        exit_on_error=False,
    )
    if verb.takes:
        parser.add_argument("others", nargs="*", help=SUPPRESS)
    for flag in verb.flags:
        how: dict = {"metavar": flag.example, "type": _reader(flag)}
        if flag.default is False:
            how = {"action": "store_true"}
        parser.add_argument(f"--{flag.name}", default=flag.default, help=flag.text, **how)
    return parser


def _reader(flag: Flag) -> Callable[[str], str | int]:
    def read(text: str) -> str | int:
        if text and flag.choices and text not in flag.choices:
            raise ArgumentTypeError(f"{text!r}; it can be {' or '.join(flag.choices)}")
        try:
            return type(flag.default)(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r}; it must be a whole number") from None

    return read


def _command(verb: str, *arguments: str) -> str:
    return " ".join([PROGRAM, *[verb] * (verb != "train"), *arguments])


def _examples(verb: str) -> str:
    return "\n".join(f"  {_command(verb, example)}" for example in VERBS[verb].examples)


def help_text(verb: str = "") -> str:
    """Help of a verb, or the overview."""
    if verb:
        return _parser(verb).format_help()
    lines = (f"  {name:9} {one.text.partition('. ')[0].rstrip('.')}" for name, one in VERBS.items())
    return OVERVIEW.format(examples=_examples("train"), verbs="\n".join(lines))


def parse(name: str, arguments: Sequence[str]) -> Namespace:
    """Parse the arguments of a verb.

    Returns:
        Flag values by name; ``others``: positional arguments; ``overrides``: (key, value) pairs of
        ``--config.KEY``, in order; ``arguments``: verb and all arguments.

    Raises:
        UserError: unknown flag or key, invalid value, or missing required argument.
    """
    verb = VERBS[name]
    own, others, overrides = _apart(verb, list(arguments))
    try:
        given = _parser(name).parse_args([*own, *["--"][: len(others)], *others])
    except ArgumentError as error:
        raise UserError(f"{error.argument_name} is {error.message}") from None
    lacking = [
        f"--{flag.name}" for flag in verb.flags if flag.needed and not vars(given)[flag.name]
    ]
    lacking += [verb.needs] if verb.needs and not others else []
    if lacking:
        raise UserError(
            f"{name} needs {' and '.join(lacking)}, e.g. {_command(name, verb.examples[0])}"
        )
    given.overrides, given.arguments = overrides, [name, *arguments]
    return given


def _apart(verb: Verb, arguments: list[str]) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """Split into flags, positional arguments, and overrides of existing keys.

    Values are joined to their flags by "=", as argparse takes one with a leading dash for a flag.
    """
    keys: dict[str, object] = {}
    if verb.keys:
        from hairjax.config.recipe import known_keys  # slow to import

        keys = {name: key.default for name, key in known_keys().items()}
    switches = {f"--{flag.name}" for flag in verb.flags if flag.default is False}
    known = [*(f"--{flag.name}" for flag in verb.flags), *(f"--config.{key}" for key in keys)]
    own: list[str] = []
    others: list[str] = []
    overrides: list[tuple[str, str]] = []
    while arguments:
        argument = arguments.pop(0)
        given, equals, value = argument.partition("=")
        flag = f"--{given.removeprefix('-').removeprefix('-')}"
        key = flag.removeprefix("--config.")
        if argument == "--" and verb.takes:
            return own, others + arguments, overrides
        if not given.startswith("-"):
            if not verb.takes:
                raise UserError(f"unexpected argument {argument!r}; {_meant(argument, known)}")
            others.append(argument)
            continue
        if keys and key != flag and key not in keys:
            raise UserError(unknown_key(key, keys))
        if flag not in known:
            raise UserError(f"unknown flag {given}; {_flag_like(given, known)}")
        if not equals and (flag in switches or isinstance(keys.get(key), bool)):
            value = "true"
        elif not equals:
            if not arguments or arguments[0].startswith("--"):
                raise UserError(f"{given} has no value; write {given}=VALUE")
            value = arguments.pop(0)
        if key in keys:
            overrides.append((key, value))
        elif flag not in switches:
            own += [f"{flag}={value}"] if value else []  # empty: not given
        elif value == "true":
            own.append(flag)
        elif value != "false":
            raise UserError(f"{flag} is {value!r}; it can be false or true")
    return own, others, overrides


def _meant(argument: str, known: list[str]) -> str:
    is_run = (Path(argument).expanduser() / "config.json").is_file()
    if is_run and "--workdir" in known:
        return f"did you mean --workdir={argument}?"
    return _flag_like(argument.partition("=")[0], known)


def _flag_like(flag: str, known: list[str]) -> str:
    hint = nearest(flag, known)
    if hint.startswith("did you mean"):
        return hint
    few = [name for name in known if not name.startswith("--config.")]
    more = " and --config.KEY" if len(few) < len(known) else ""
    return f"the flags here are {', '.join(few)}{more}; --help explains them"

"""Run a command: arguments to exit status."""

import sys
from collections.abc import Callable
from importlib import import_module

from hairjax.cli.flags import help_text, parse
from hairjax.cli.verbs import VERBS
from hairjax.config.suggestions import nearest
from hairjax.system.disk import full_disk, sentence
from hairjax.system.errors import UserError
from hairjax.system.interrupt import raise_again

_HELP = {"--help", "-h", "help"}


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    try:
        if not arguments or arguments[0] in _HELP:
            asked = [_known(one) for one in arguments[1:2] if not one.startswith("-")]
            print(help_text(*asked), end="")
            return 0
        verb, rest = "train", arguments
        if not arguments[0].startswith("-"):
            verb, *rest = arguments
            _known(verb)
        if rest == ["help"] or {"--help", "-h"} & set(rest):
            print(help_text(verb), end="")
            return 0
        return _understood(verb, rest)()
    except (UserError, OSError, MemoryError) as error:
        print(f"error: {sentence(error)}", file=sys.stderr)
        return 1
    except Exception as error:
        if full_disk(error):
            print(f"error: {sentence(error)}", file=sys.stderr)
            return 1
        if not (isinstance(error, RuntimeError) and "home directory" in str(error)):  # of pathlib
            raise
        given = [one for one in arguments if one.startswith("~") or "=~" in one]
        where = ", ".join(given) or "the configuration"
        print(f"error: whose home is meant by ~ is not known in {where}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr)
        return 130


def _known(verb: str) -> str:
    """Return a known verb, or raise UserError."""
    if verb not in VERBS:
        meant = nearest(verb, VERBS)
        if "." in verb or not meant.startswith("did you mean"):
            from hairjax.config.load import is_source

            meant = f"did you mean --config={verb}?" if is_source(verb) else meant
        raise UserError(f"there is no verb {verb!r}; {meant}")
    return verb


def _understood(verb: str, arguments: list[str]) -> Callable[[], int]:
    """Parse a command and import its function."""
    given = parse(verb, arguments)
    module, _, function = VERBS[verb].run.partition(".")
    run = getattr(import_module(f"hairjax.cli.{module}"), function)
    raise_again()
    return lambda: run(given)

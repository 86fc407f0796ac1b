"""The exception for errors a user can correct."""

from collections.abc import Sequence


class UserError(ValueError):
    """Mistake in a command, a configuration, or input files.

    The message says in a sentence: what is wrong, the bad value, the allowed ones, what to do.
    ``launch.py`` prints it without a traceback.
    """


def examples(names: Sequence[str], most: int) -> str:
    """First ``most`` names, with an ellipsis if there are more."""
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")

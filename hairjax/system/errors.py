"""The exception for errors that a user can put right, and the wording of its messages."""

from collections.abc import Sequence


class UserError(ValueError):
    """A mistake in a command, a configuration, or the files given.

    The message is a sentence for the person at the prompt: what was wrong, the bad value, the
    allowed ones, what to do. ``launch.py`` prints it without a traceback.
    """


def examples(names: Sequence[str], most: int) -> str:
    """The first of the names; an ellipsis where there are more."""
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")

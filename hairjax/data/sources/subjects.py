"""The regular expression that finds in a photograph's path whose it is."""

import re

from hairjax.data.sources.lookup import one_form
from hairjax.system.errors import UserError


def compile_subject(expression: str) -> re.Pattern[str] | None:
    """Return the compiled expression; None where there is none.

    Raises:
        UserError: it is not a regular expression.
    """
    try:
        return re.compile(expression) if expression else None
    except re.error as error:
        raise UserError(
            f"config.data.subject {expression!r} is not a regular expression: {error}; its first "
            r"group is the subject, as in --config.data.subject='/(\d+)_'"
        ) from error


def subject_of(pattern: re.Pattern[str], file: str) -> str:
    """Return the first group's match in a relative path, or the whole one's; "" where none is.

    In one form: macOS writes 김 as three letters, and a person must not become two by that.
    """
    match = pattern.search(one_form(file))
    return (match and match.group(1 if pattern.groups else 0)) or ""

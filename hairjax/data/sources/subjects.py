"""Regular expression for the subject in an image path."""

import re

from hairjax.data.sources.lookup import one_form
from hairjax.system.errors import UserError


def compile_subject(expression: str) -> re.Pattern[str] | None:
    """Compile the expression; None if empty.

    Raises:
        UserError: it is invalid.
    """
    try:
        return re.compile(expression) if expression else None
    except re.error as error:
        raise UserError(
            f"config.data.subject {expression!r} is not a regular expression: {error}; its first "
            r"group is the subject, as in --config.data.subject='/(\d+)_'"
        ) from error


def subject_of(pattern: re.Pattern[str], file: str) -> str:
    """First group of the match in a relative path, or the whole match; "" for none; in NFC."""
    match = pattern.search(one_form(file))
    return (match and match.group(1 if pattern.groups else 0)) or ""

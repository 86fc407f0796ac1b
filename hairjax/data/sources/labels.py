"""Missing labels, and measurements in place of classes."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from hairjax.data.sources.manifest import Row
from hairjax.data.sources.problems import NO_LABEL, Problem, shown
from hairjax.data.sources.severity import severity_places
from hairjax.data.sources.spelling import class_key, plain
from hairjax.system.errors import UserError, examples

# Missing values, letters only: `#N/A`, `<NA>`, `n.a.` are `na`.
_MISSING = frozenset((
    "na", "nan", "null", "nil", "missing", "unknown", "unlabeled", "unlabelled",
    "undefined", "notavailable", "notapplicable", "nolabel", "value", "ref", "미상", "모름",
    "알수없음", "결측", "결측치", "해당없음", "미분류", "라벨없음",
))  # fmt: skip
_NAMES = frozenset({"na", "nil", "null", "value", "ref"})
_NONE = frozenset({"none", "없음"})  # a class among words of severity
_MANY = 10  # distinct numbers of a possible measurement


def missing_labels(labels: Iterable[str], classes: Sequence[str]) -> set[str]:
    """Labels denoting a missing value, such as `nan`, `N/A`, `?` and `unknown`.

    Not those in `classes`; nor `none` and `없음` if all others are words of severity or amount.
    """
    known = {class_key(name) for name in classes}
    labels = [label for label in set(labels) if class_key(label) not in known or not label]
    bare = {label: re.sub(r"[\W_]", "", plain(label)) for label in labels}
    missing = {label for label in labels if bare[label] in _MISSING or _says_nothing(label)}
    nothing = {label for label in labels if bare[label] in _NONE}
    others = [*(set(labels) - missing - nothing), *classes]
    return missing | nothing if not others or severity_places(others) is None else missing


def is_unknown_subject(subject: str) -> bool:
    """True if a subject denotes an unknown person: `nan`, `N/A`, `?`, `unknown`.

    `na`, `nil` and `null` may be names or initials.
    """
    bare = re.sub(r"[\W_]", "", plain(subject))
    return _says_nothing(subject) or (bare in _MISSING and plain(subject) not in _NAMES)


def _says_nothing(label: str) -> bool:
    """True for `?`, `-`, `.` and the like, but not `+` and `<`."""
    return re.fullmatch(r"[\s?_./*#–—-]*", label) is not None


def leave_out_missing(
    rows: Sequence[Row], missing: set[str], root: Path, problems: list[Problem]
) -> list[Row]:
    """Rows with a label; the others become problems."""
    detail = "{!r} means that there is none; to make it a class name it in config.data.classes"
    problems += [
        Problem(shown(root / row.file), NO_LABEL, detail.format(row.label))
        for row in rows
        if row.label in missing
    ]
    return [row for row in rows if row.label not in missing]


def require_no_measurements(labels: Sequence[str], source: str) -> None:
    """Raise if the labels (one per image) are measurements, such as mean opinion scores.

    ``source``: their file or folder, for the message.

    Raises:
        UserError: all labels are numbers, and one is no multiple of 0.5, or at least ten are
            different, more than half as many as there are images.
    """
    found = sorted(set(labels))
    if not found or not all(re.fullmatch(r"-?[0-9]+(?:[.,][0-9]+)?", plain(one)) for one in found):
        return
    numbers = sorted({float(plain(one).replace(",", ".")) for one in found})
    between = [number for number in numbers if 2 * number % 1]
    many = len(numbers) >= _MANY and 2 * len(numbers) > len(labels)
    if between or many:
        shown_numbers = [f"{number:g}" for number in between or numbers]
        raise UserError(
            f"the labels of {source!r} are numbers such as {examples(shown_numbers, 5)}, "
            f"{len(numbers):,} different ones in {len(labels):,} photographs: they look like mean "
            "opinions or measurements, and a class is one stage; round them to stages in the "
            "column label (what they were may stay in another column), or if each is a stage name "
            "them all with --config.data.classes=LOWEST,…,HIGHEST"
        )

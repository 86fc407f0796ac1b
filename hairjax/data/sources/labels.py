"""Labels that are no classes: those that mean that there is none, and opinions of several."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from hairjax.data.sources.manifest import Row
from hairjax.data.sources.problems import NO_LABEL, Problem, shown
from hairjax.data.sources.severity import severity_places
from hairjax.data.sources.spelling import class_key, plain
from hairjax.system.errors import UserError, examples

# As programs write it, without what is no letter: `#N/A`, `<NA>`, `n.a.` are `na`.
_MISSING = frozenset((
    "na", "nan", "null", "nil", "missing", "unknown", "unlabeled", "unlabelled",
    "undefined", "notavailable", "notapplicable", "nolabel", "value", "ref", "미상", "모름",
    "알수없음", "결측", "결측치", "해당없음", "미분류", "라벨없음",
))  # fmt: skip
_NAMES = frozenset({"na", "nil", "null", "value", "ref"})
_NONE = frozenset({"none", "없음"})  # a class too, where the others say how much
_MANY = 10  # different numbers, from which they may be a scale that was measured


def missing_labels(labels: Iterable[str], classes: Sequence[str]) -> set[str]:
    """Return the labels that mean that there is none, such as `nan`, `N/A`, `?` and `unknown`.

    `none` and `없음` are classes where all other labels are words of severity or amount.

    Args:
        labels: all of the set.
        classes: names that are known to be classes, whatever they mean.
    """
    known = {class_key(name) for name in classes}
    labels = [label for label in set(labels) if class_key(label) not in known or not label]
    bare = {label: re.sub(r"[\W_]", "", plain(label)) for label in labels}
    missing = {label for label in labels if bare[label] in _MISSING or _says_nothing(label)}
    nothing = {label for label in labels if bare[label] in _NONE}
    others = [*(set(labels) - missing - nothing), *classes]
    return missing | nothing if not others or severity_places(others) is None else missing


def names_nobody(subject: str) -> bool:
    """True of a subject that means that the person is not known: `nan`, `N/A`, `?`, `unknown`.

    `na`, `nil` and `null` may be names and initials of people.
    """
    bare = re.sub(r"[\W_]", "", plain(subject))
    return _says_nothing(subject) or (bare in _MISSING and plain(subject) not in _NAMES)


def _says_nothing(label: str) -> bool:
    """True of `?`, `-`, `.` and the like; `+` and `<` say something."""
    return re.fullmatch(r"[\s?_./*#–—-]*", label) is not None


def leave_out_missing(
    rows: Sequence[Row], missing: set[str], root: Path, problems: list[Problem]
) -> list[Row]:
    """Return the rows that have a label; the others become problems."""
    detail = "{!r} means that there is none; to make it a class name it in config.data.classes"
    problems += [
        Problem(shown(root / row.file), NO_LABEL, detail.format(row.label))
        for row in rows
        if row.label in missing
    ]
    return [row for row in rows if row.label not in missing]


def require_no_opinions(labels: Sequence[str], source: str) -> None:
    """Refuse labels that are measured, such as the mean opinion of several people, as classes.

    Args:
        labels: the label of every photograph.
        source: the folder or the manifest that they are from.

    Raises:
        UserError: they are numbers of which some are neither whole nor halves, or ten and more
            that are different in more than half of the photographs.
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

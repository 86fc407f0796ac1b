"""Descriptions of a folder's contents, for error messages."""

import difflib
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

from hairjax.system.errors import examples
from hairjax.system.wording import counted

_KINDS_SHOWN = 4
_FOLDERS_SHOWN = 4
_MOST = 20_000  # maximum number of names to search for the nearest


def describe_holdings(folder: Path) -> str:
    """Describe the contents of a folder: `120 .json and 3 .csv in 4 folders (a, b, c, d)`."""
    counts: Counter[str] = Counter()
    folders = []
    for parent, inside, files in os.walk(folder):
        inside[:] = sorted(name for name in inside if not name.startswith("."))
        if Path(parent) == folder:
            folders = list(inside)
        counts.update(
            PurePath(name).suffix.lower() or "without suffix"
            for name in files
            if not name.startswith(".")
        )
    kinds = [f"{count:,} {suffix}" for suffix, count in counts.most_common(_KINDS_SHOWN)]
    said = f"{', '.join(kinds)}{', …' * (len(counts) > _KINDS_SHOWN)}" if kinds else "no file"
    if folders:
        said += f" in {counted(len(folders), 'folder')} ({examples(folders, _FOLDERS_SHOWN)})"
    return said


def near_name(name: str, names: Sequence[str]) -> str:
    """Most similar of `names`, by suffix, case or spelling; "" for none or ties."""
    alike = [one for one in names if one.casefold() == name.casefold()]
    alike = alike or [one for one in names if PurePath(one).stem == PurePath(name).stem]
    if len(alike) == 1:
        return alike[0]
    if alike or len(names) > _MOST:
        return ""
    # Names with other numbers are other images.
    same = [one for one in names if _numbers(one) == _numbers(name)]
    near = difflib.get_close_matches(name, same, n=2, cutoff=0.8)
    return near[0] if len(near) == 1 else ""


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall("[0-9]+", name)]

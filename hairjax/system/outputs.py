"""Protect a user's files in an output folder.

The folder records checksums of written files (``.hairjax.json``); only unchanged files of hairjax
are replaced.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from hairjax.system.errors import UserError, examples
from hairjax.system.files import replacing

RECORD = ".hairjax.json"
_EXAMPLES = 3


def require_replaceable(folder: Path, names: Iterable[str], flag: str = "--out") -> None:
    """Raise if a file to be written exists and is not an unchanged output of hairjax.

    ``folder`` may be missing; ``flag``: gives the folder, for the message.

    Raises:
        UserError: names the existing files.
    """
    written = read_record(folder)
    existing = [name for name in names if (folder / name).exists()]
    if foreign := [name for name in existing if written.get(name) != _digest(folder / name)]:
        raise UserError(
            f"{flag}={folder}: {examples(foreign, _EXAMPLES)} would be replaced, but hairjax has "
            f"not written it, or it has changed since: move it away, or give another {flag}"
        )


def record_written(folder: Path, names: Iterable[str]) -> None:
    """Record the checksums of those names that exist."""
    found = {name: _digest(folder / name) for name in names if (folder / name).exists()}
    with replacing(folder / RECORD) as file:
        file.write_text(json.dumps(read_record(folder) | found, indent=1) + "\n")


def with_svg(*pictures: str) -> list[str]:
    """File names of figures as PNG and SVG."""
    return [str(Path(name).with_suffix(suffix)) for name in pictures for suffix in (".png", ".svg")]


def read_record(folder: Path) -> dict[str, str]:
    """Recorded checksums by name.

    Raises:
        UserError: the record is damaged.
    """
    path = folder / RECORD
    try:
        found = json.loads(path.read_text()) if path.is_file() else {}
    except ValueError as error:
        raise UserError(f"{path} cannot be read ({error}): remove it") from error
    return dict(found)


def _digest(path: Path) -> str:
    """SHA-256 of a file, or of a folder's contents."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(
            f"{file.relative_to(path)} {_digest(file)}\n".encode(errors="surrogateescape")
        )
    return digest.hexdigest()

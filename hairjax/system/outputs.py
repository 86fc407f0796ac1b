"""What is written into a folder that a person chose: a file of theirs is never replaced.

The folder keeps checksums of what was written there (``.hairjax.json``), by which a file that
hairjax wrote, and nobody has changed since, is told from any other.
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
    """Refuse a folder where something of these names is not what hairjax has written there.

    Args:
        folder: where files are to be written; may be missing.
        names: names of the files and folders to be written in it.
        flag: the flag by which the folder is given.

    Raises:
        UserError: names what is there.
    """
    written = read_record(folder)
    there = [name for name in names if (folder / name).exists()]
    if theirs := [name for name in there if written.get(name) != _digest(folder / name)]:
        raise UserError(
            f"{flag}={folder}: {examples(theirs, _EXAMPLES)} would be replaced, which hairjax has "
            f"not written there, or not as it is now: move it away, or give another {flag}"
        )


def record_written(folder: Path, names: Iterable[str]) -> None:
    """Keep the checksums of what was written, of these names those that are there."""
    found = {name: _digest(folder / name) for name in names if (folder / name).exists()}
    with replacing(folder / RECORD) as file:
        file.write_text(json.dumps(read_record(folder) | found, indent=1) + "\n")


def with_svg(*pictures: str) -> list[str]:
    """Names of figures that are written as PNG and, beside it, as SVG."""
    return [str(Path(name).with_suffix(suffix)) for name in pictures for suffix in (".png", ".svg")]


def read_record(folder: Path) -> dict[str, str]:
    """Checksums of what was written into a folder, by name; none where nothing was."""
    path = folder / RECORD
    try:
        found = json.loads(path.read_text()) if path.is_file() else {}
    except ValueError as error:
        raise UserError(f"{path} cannot be read ({error}): remove it") from error
    return dict(found)


def _digest(path: Path) -> str:
    """Checksum of a file, or of all that is in a folder."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(
            f"{file.relative_to(path)} {_digest(file)}\n".encode(errors="surrogateescape")
        )
    return digest.hexdigest()

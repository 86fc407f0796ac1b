"""CSV tables; other formats are refused by name."""

import codecs
import csv
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hairjax.system.errors import UserError

_SAVE = "open it and save the sheet as “CSV UTF-8”"
_WRITE = "write its table as CSV in UTF-8"
# Leading bytes of other formats, their name, and advice.
_SIGNATURES = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls), or one with a password", _SAVE),
    (b"PAR1", "a Parquet file", _WRITE),
    (b"SQLite format 3", "an SQLite database", _WRITE),
    (b"\x1f\x8b", "compressed by gzip", "decompress it"),
    (b"%PDF", "a PDF", _WRITE),
    (b"{\\rtf", "a text document (.rtf)", "save it as plain text in UTF-8"),
)
_MARKUP = ("<html", "<!doctype", "<?xml", "<table")  # often saved with the suffix .xls


@dataclass(frozen=True)
class Table:
    """Table of text.

    Attributes:
        path: the file.
        columns: column names, stripped.
        rows: (line number, cell by column) of each non-empty row.
        too_long: line numbers of rows with too many cells.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    too_long: tuple[int, ...]


def read_table(path: Path, what: str, key: str) -> Table:
    """Read a CSV file in UTF-8, with or without byte-order mark.

    `what` is its kind for messages, ``manifest`` or ``split``, `key` its configuration key.

    Raises:
        UserError: the file is unreadable, no CSV, or repeats a column name.
    """
    try:
        # `strict` refuses an unclosed quotation mark, which would swallow the other rows.
        text = io.StringIO(_text(path, what), newline="")
        reader = csv.DictReader(text, restval="", strict=True)
        columns = tuple(name.strip() for name in reader.fieldnames or ())
        reader.fieldnames = columns
        _require_different(columns, path, what)
        rows, too_long = [], []
        for cells in reader:
            if None in cells:
                too_long.append(reader.line_num)
            elif any(cell.strip() for cell in cells.values()):
                rows.append((reader.line_num, {name: cells[name].strip() for name in columns}))
        return Table(path, columns, tuple(rows), tuple(too_long))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"the {what} {str(path)!r} cannot be read as CSV in UTF-8 ({error}): correct "
            f"--config.data.{key} or save the file again"
        ) from error


def _require_different(columns: Sequence[str], path: Path, what: str) -> None:
    repeated = [name for name in dict.fromkeys(columns) if name and columns.count(name) > 1]
    if repeated:
        raise UserError(
            f"the {what} {str(path)!r} has more than one column {' and '.join(repeated)}: "
            "leave one of them"
        )


def separator(columns: Sequence[str]) -> str:
    """Hint at another separator in a header of one column; "" for none."""
    cut = next((cut for cut in ";\t" if len(columns) == 1 and cut in columns[0]), "")
    return f"; separated by {cut!r}, and commas are needed" if cut else ""


def _text(path: Path, what: str) -> str:
    data = path.read_bytes()
    found = _other_kind(data)
    if found:
        kind, advice = found
        raise UserError(f"the {what} {str(path)!r} is {kind}, and must be CSV: {advice}")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data:
        raise UserError(
            f"the {what} {str(path)!r} is in UTF-16, as a spreadsheet's “Unicode text” is, and "
            "must be in UTF-8: save it as “CSV UTF-8”"
        )
    return data.decode("utf-8-sig")


def _other_kind(data: bytes) -> tuple[str, str] | None:
    """Format of a file other than CSV by content, and advice; None for text."""
    if data.startswith(b"PK\x03\x04"):
        return _zipped(data)
    for start, kind, advice in _SIGNATURES:
        if data.startswith(start):
            return kind, advice
    begin = data[:200].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if begin.startswith(tuple(word.encode() for word in _MARKUP)):
        return "a web page or XML, as some systems save under the name .xls", _SAVE
    if begin.startswith((b'{"', b"{\n", b"[{", b"[\n", b"{'")):
        return "JSON", _WRITE
    return None


def _zipped(data: bytes) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            kind = archive.read("mimetype") if "mimetype" in names else b""
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return "a damaged ZIP archive, as a workbook (.xlsx, .ods) is", _SAVE
    if any(name.startswith("xl/") for name in names):
        return "an Excel workbook (.xlsx)", _SAVE
    if kind.startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
        return "an OpenDocument workbook (.ods)", _SAVE
    if any(name.endswith(".iwa") for name in names):
        return "a document of Apple Numbers", "export it as CSV in UTF-8"
    return "a ZIP archive", "unpack it and give the CSV file in it"

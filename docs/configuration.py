"""Write docs/configuration.md from configs/top.py, its comments and what the checks allow.

python -m docs.configuration
"""

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hairjax.builders.validation import choices
from hairjax.config.load import flatten, load_config
from hairjax.config.resume import FREE_ON_RESUME
from hairjax.config.schema import RANGES, kind

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "configuration.md"
WHOLE = "The whole run"  # heading of the keys outside every section

INTRODUCTION = """\
# Configuration

Every key, its default, what it means and what it may be. This page is written by
`python -m docs.configuration` from `configs/top.py`, whose comments are its text: change them
there.

A configuration is a Python file whose `get_config` returns all of these keys, or the `config.json`
that a run wrote. A key that does not exist, is missing, or has a value that it cannot have is
refused with the allowed ones before anything is read. An optional number is off at 0, an optional
text when empty.

## Overriding a key

On the command line, any number of times; the last one counts:

```
python launch.py --config=configs/top.py --config.optim.peak.late=3e-4 --config.train.epochs=50
python launch.py --config=runs/top/config.json --workdir=runs/again --config.seed=1
```

| kind | how it is written |
|---|---|
| text | `--config.data.view=side`; empty: `--config.data.split=` |
| number | `--config.optim.peak.late=3e-4` |
| true or false | `--config.model.remat` (true), `--config.model.remat=false` |
| several numbers | `--config.data.fractions=0.6,0.2,0.2`; one: `256,`; none: `()` |

A file of your own starts from the recipe and changes what differs:

```python
from configs import top


def get_config(variant=""):
    config = top.get_config()
    config.optim.peak.late = 3e-4
    if variant == "blind":
        config.model.in_channels = 3
    elif variant:
        raise ValueError(f"there is no variant {variant!r}; the variants are: blind")
    return config
```

## Variants

`--config=FILE:VARIANT` calls `get_config("VARIANT")` of a Python file, and overrides come after it:
`--config=configs/top.py:demo --config.train.epochs=5`. Without `--workdir` the run is written to
`runs/FILE-VARIANT`.
"""

RESUMING = """\
## Going on with a run

The same command goes on with a run that was stopped. Only these keys may then differ: """


@dataclass(frozen=True)
class Key:
    """One key as the source has it; a section has no default."""

    name: str
    default: str | None
    meaning: str


def main() -> None:
    """Write the page."""
    TARGET.write_text(page(), encoding="utf-8")
    print(f"written: {TARGET}")


def page() -> str:
    """The whole document.

    Raises:
        ValueError: keys of ``configs/top.py`` lack a comment, or are not in its dictionary.
    """
    source = ROOT / "configs" / "top.py"
    keys = list(read_keys(source.read_text(encoding="utf-8")))
    defaults = dict(flatten(load_config(str(source))))
    named = {key.name for key in keys if key.default is not None}
    if named != defaults.keys():
        raise ValueError(f"{source}: not in its dictionary: {sorted(named ^ defaults.keys())}")
    if silent := [key.name for key in keys if key.default is not None and not key.meaning]:
        raise ValueError(f"{source}: no comment says what these keys mean: {', '.join(silent)}")
    sections: dict[str, list[Key]] = {}
    for key in keys:
        top = key.name.partition(".")[0]
        inside = "." in key.name or key.default is None
        sections.setdefault(top if inside else WHOLE, []).append(key)
    tables = [_section(name, members, defaults) for name, members in sections.items()]
    free = RESUMING + ", ".join(f"`{key}`" for key in FREE_ON_RESUME) + ".\n"
    return "\n".join([INTRODUCTION, *tables, free])


def read_keys(source: str) -> Iterator[Key]:
    """Every key and section of the dictionary given to ``ConfigDict``, in order, with its comment.

    A key's comment stands after it, goes on in lines of their own that are indented further, or
    stands above it.

    Raises:
        ValueError: there is no such dictionary.
    """
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="ConfigDict"), args=[ast.Dict() as whole]):
                return _walk(whole, "", source, _comments(source))
    raise ValueError("there is no dictionary in ConfigDict({…})")


def _comments(source: str) -> dict[int, tuple[int, bool, str]]:
    """Line → column, whether the comment has the line to itself, and its text."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: (
            token.start[1],
            token.line.lstrip().startswith("#"),
            token.string.lstrip("# "),
        )
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _walk(
    section: ast.Dict, prefix: str, source: str, comments: dict[int, tuple[int, bool, str]]
) -> Iterator[Key]:
    for name, value in zip(section.keys, section.values, strict=True):
        assert isinstance(name, ast.Constant), "keys are written out"
        path = f"{prefix}{name.value!s}"
        if isinstance(value, ast.Dict):
            yield Key(path, None, _comment_of(name, None, comments))
            yield from _walk(value, f"{path}.", source, comments)
        else:
            meaning = _comment_of(name, value.end_lineno, comments)
            yield Key(path, ast.get_source_segment(source, value), meaning)


def _comment_of(
    name: ast.Constant, last: int | None, comments: dict[int, tuple[int, bool, str]]
) -> str:
    """The comment of a key whose value ends in the line ``last``; of a section where it is None."""
    lines: list[str] = []
    line = name.lineno - 1
    while line in comments and comments[line][:2] == (name.col_offset, True):
        lines.insert(0, comments[line][2])
        line -= 1
    end = last or name.lineno
    lines += [comments[line][2] for line in range(name.lineno, end + 1) if line in comments]
    line = end + 1
    while last and line in comments and comments[line][1] and comments[line][0] > name.col_offset:
        lines.append(comments[line][2])
        line += 1
    return " ".join(lines)


def _section(name: str, keys: list[Key], defaults: dict[str, object]) -> str:
    lines = [f"## {name}", ""]
    for key in keys:
        if key.default is None and key.meaning:
            lines += [f"`{key.name}`: {key.meaning}", ""]
    lines += ["| key | default | meaning | allowed |", "|---|---|---|---|"]
    for key in keys:
        if key.default is not None:
            default = defaults[key.name]
            shown = default if isinstance(default, str) else key.default
            cells = (
                f"`{key.name}`",
                f"`{shown}`" if shown else "empty",
                key.meaning,
                allowed(key.name, default),
            )
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def allowed(key: str, default: object) -> str:
    """What a key may be, as a cell of the table."""
    if key in choices():
        return ", ".join(f"`{choice}`" for choice in choices()[key])
    if key not in RANGES:
        return kind(default)
    least, most = RANGES[key]
    number = "a whole number, " if isinstance(default, int) else ""
    return number + (f"{least} or more" if most is None else f"{least} … {most}")


if __name__ == "__main__":
    main()

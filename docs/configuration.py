"""Write docs/configuration.md from the keys of configs/top.py.

python -m docs.configuration
"""

from collections.abc import Iterator
from pathlib import Path

from hairjax.builders.validation import choices
from hairjax.config.resume import free_on_resume
from hairjax.config.schema import Key, Keys, Section, flatten_keys, kind
from hairjax.configs.top import KEYS

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "configuration.md"
WHOLE = "The whole run"  # heading of the keys outside every section

INTRODUCTION = """\
# Configuration

Every key, its default, what it means and what it may be. This page is written by
`python -m docs.configuration` from `configs/top.py`: change it there.

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
from hairjax.configs import top


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

A name without a suffix, as in `--config=top:demo`, is `top.py` here, or else hairjax's own
configuration of that name: where hairjax is installed as a package (`pip install`), its command is
`hairjax --config=top:demo`, in any folder.
"""

RESUMING = """\
## Going on with a run

The same command goes on with a run that was stopped. Only these keys may then differ: """


def main() -> None:
    """Write the page."""
    TARGET.write_text(page(KEYS), encoding="utf-8")
    print(f"written: {TARGET}")


def page(keys: Keys) -> str:
    """The whole document."""
    own = {name: entry for name, entry in keys.items() if isinstance(entry, Key)}
    sections = {WHOLE: own} | {name: {name: keys[name]} for name in keys if name not in own}
    tables = [_section(name, inside) for name, inside in sections.items()]
    free = RESUMING + ", ".join(f"`{key}`" for key in free_on_resume()) + ".\n"
    return "\n".join([INTRODUCTION, *tables, free])


def _section(title: str, keys: Keys) -> str:
    lines = [f"## {title}", ""]
    for name, comment in _comments(keys):
        lines += [f"`{name}`: {comment}", ""]
    lines += ["| key | default | meaning | allowed |", "|---|---|---|---|"]
    for name, key in flatten_keys(keys):
        shown = (
            key.default if isinstance(key.default, str) else repr(key.default).replace("e-0", "e-")
        )
        cells = (f"`{name}`", f"`{shown}`" if shown else "empty", key.comment, allowed(name, key))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def _comments(keys: Keys, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Sections within sections that have a comment, with it."""
    for name, entry in keys.items():
        if isinstance(entry, Section):
            yield f"{prefix}{name}", entry.comment
        elif not isinstance(entry, Key):
            yield from _comments(entry, f"{prefix}{name}.")


def allowed(name: str, key: Key) -> str:
    """What a key may be, as a cell of the table."""
    if name in choices():
        return ", ".join(f"`{choice}`" for choice in choices()[name])
    if key.least is None:
        return kind(key.default)
    number = "a whole number, " if isinstance(key.default, int) else ""
    return number + (f"{key.least} or more" if key.most is None else f"{key.least} … {key.most}")


if __name__ == "__main__":
    main()

"""The reference of every key: complete, and not stale."""

import ast
import re

from configs import top
from docs import configuration
from docs.configuration import page
from hairjax.builders.validation import choices
from hairjax.config.recipe import known_keys

DEFAULTS = {name: key.default for name, key in known_keys().items()}


def test_the_page_is_that_of_the_configuration():
    written = configuration.TARGET.read_text(encoding="utf-8")
    assert written == page(top.KEYS), "stale: run python -m docs.configuration"


def rows():
    """Key → the other cells of its row, as Markdown has them."""
    lines = page(top.KEYS).splitlines()
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("| `")]
    return {first.strip().strip("`"): [c.strip() for c in rest] for first, *rest in cells}


def test_every_key_has_a_row_with_its_default_and_meaning():
    table = {key: cells for key, cells in rows().items() if key in DEFAULTS}
    assert table.keys() == DEFAULTS.keys()
    for key, (default, meaning, allowed) in table.items():
        text = "" if default == "empty" else default.strip("`")
        expected = DEFAULTS[key]
        assert (text if isinstance(expected, str) else ast.literal_eval(text)) == expected, key
        assert meaning, key
        assert allowed, key


def test_what_is_said_to_be_allowed_is_what_is_checked():
    table = rows()
    for key in DEFAULTS:
        allowed = table[key][2]
        names = re.findall("`([^`]+)`", allowed)
        numbers = [float(number) for number in re.findall(r"-?[\d.]*\d(?:e[+-]?\d+)?", allowed)]
        least, most = known_keys()[key].least, known_keys()[key].most
        if least is not None:
            assert numbers == [limit for limit in (least, most) if limit is not None], key
        else:
            assert names == [str(choice) for choice in choices().get(key, ())], key

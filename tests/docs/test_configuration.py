"""The reference of every key: complete, as the source has it, and not stale."""

import ast
import re

import pytest

from configs import top
from docs import configuration
from docs.configuration import Key, page, read_keys
from hairjax.builders.validation import choices
from hairjax.config.load import flatten
from hairjax.config.schema import RANGES

DEFAULTS = dict(flatten(top.get_config()))


def test_the_page_is_that_of_the_configuration():
    written = configuration.TARGET.read_text(encoding="utf-8")
    assert written == page(), "stale: run python -m docs.configuration"


def rows():
    """Key → the other cells of its row, as Markdown has them."""
    lines = page().splitlines()
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
        if key in RANGES:
            assert numbers == [limit for limit in RANGES[key] if limit is not None], key
        else:
            assert names == [str(choice) for choice in choices().get(key, ())], key


SOURCE = """
from ml_collections import ConfigDict

def get_config():
    return ConfigDict(
        {
            # above, and
            # above again
            "a": 1,
            "b": "x#y",  # after
            # of the section
            "c": {
                # above d
                "d": (
                    1,  # inside
                    2,
                ),  # and after
                "e": -1e-5,  # a comment that is long
                             # and goes on
                      # and on
            },
            "h": True,
        }
    )
"""


def test_comments_are_found_where_people_write_them():
    assert list(read_keys(SOURCE)) == [
        Key("a", "1", "above, and above again"),
        Key("b", '"x#y"', "after"),
        Key("c", None, "of the section"),
        Key("c.d", "(\n                    1,  # inside\n                    2,\n                )",
            "above d inside and after"),
        Key("c.e", "-1e-5", "a comment that is long and goes on and on"),
        Key("h", "True", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("  # steps between looks at the loss", ""), "mean: train.log_every$"),
        (("return config\n", "config.more = 3\n    return config\n"), r"dictionary: \['more'\]"),
        (("ConfigDict(\n", "dict(\n"), "no dictionary in ConfigDict"),
    ],
)
def test_a_key_that_nothing_explains_is_refused(change, message, tmp_path, monkeypatch):
    source = (configuration.ROOT / "configs" / "top.py").read_text()
    assert change[0] in source
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "top.py").write_text(source.replace(*change, 1))
    monkeypatch.setattr(configuration, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=message):
        page()

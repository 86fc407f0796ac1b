"""README.md and README.ko.md say the same, and what they name is there."""

import re
from pathlib import Path

import pytest

from configs import top
from hairjax.config import flatten

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "README.ko.md")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_commands_and_code_are_the_same():
    english, korean = (re.findall(r"```.*?```", read(name), re.DOTALL) for name in PAGES)
    assert len(english) > 5
    assert korean == english


def test_numbers_of_tables_are_the_same():
    def numbers(name):
        rows = [line for line in read(name).splitlines() if line.startswith("|")]
        # In any order: another language has another order of words.
        return [sorted(re.findall(r"\d[\d.,e-]*", row)) for row in rows]

    english, korean = map(numbers, PAGES)
    assert sum(map(len, english)) > 100
    assert korean == english


def test_headings_and_pictures_are_the_same():
    def shape(name):
        text = re.sub(r"```.*?```", "", read(name), flags=re.DOTALL)
        headings = re.findall(r"^(#+) ", text, re.MULTILINE)
        return headings, re.findall(r"!\[.*?\]\((.*?)\)", text)

    assert shape("README.md") == shape("README.ko.md")


@pytest.mark.parametrize("name", PAGES)
def test_what_is_named_is_there(name):
    text = read(name)
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).exists(), target
    keys = dict(flatten(top.get_config()))
    named = set(re.findall(r"--config\.([a-z_.]+[a-z_])", text))
    assert len(named) > 10
    assert named <= keys.keys()

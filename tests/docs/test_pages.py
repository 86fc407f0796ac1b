"""The English pages and the Korean ones say the same, and what pages name is there."""

import re
from pathlib import Path

import pytest

from configs import top
from hairjax.config.schema import flatten

ROOT = Path(__file__).parents[2]
PAIRS = (("README.md", "README.ko.md"), ("docs/results.md", "docs/results.ko.md"))
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md"))
)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("pair", PAIRS)
def test_commands_and_code_are_the_same(pair):
    english, korean = (re.findall(r"```.*?```", read(name), re.DOTALL) for name in pair)
    assert len(english) > 2
    assert korean == english


@pytest.mark.parametrize("pair", PAIRS)
def test_numbers_of_tables_are_the_same(pair):
    def numbers(name):
        rows = [line for line in read(name).splitlines() if line.startswith("|")]
        # In any order: another language has another order of words.
        return [sorted(re.findall(r"\d[\d.,e-]*", row)) for row in rows]

    english, korean = map(numbers, pair)
    assert sum(map(len, english)) > 20
    assert korean == english


@pytest.mark.parametrize("pair", PAIRS)
def test_headings_and_pictures_are_the_same(pair):
    def shape(name):
        text = re.sub(r"```.*?```", "", read(name), flags=re.DOTALL)
        headings = re.findall(r"^(#+) ", text, re.MULTILINE)
        return headings, re.findall(r"!\[.*?\]\((.*?)\)", text)

    english, korean = map(shape, pair)
    assert len(english[0]) > 4
    assert korean == english


@pytest.mark.parametrize("name", PAGES)
def test_what_is_linked_to_is_there(name):
    for target in re.findall(r"\]\(([^)#:]+)\)", read(name)):
        assert ((ROOT / name).parent / target).exists(), target


def anchors(name):
    """The addresses of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", read(name), flags=re.DOTALL)
    titles = (title.lower() for title in re.findall(r"^#+ (.*)", text, re.MULTILINE))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", PAGES)
def test_headings_that_are_linked_to_are_there(name):
    for page, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", read(name)):
        target = (ROOT / name).parent / page if page else name
        assert anchor in anchors(target), f"{page}#{anchor}"


def test_what_was_broken_on_purpose_and_what_saw_it_are_there():
    rows = re.findall(
        r"^\| (\w+) \| `([\w/]+\.py)`:.* \| `([\w/.]+\.py)::(\w+).*` ",
        read("docs/testing.md"),
        re.M,
    )
    assert len(rows) > 10
    for room, file, tests, test in rows:
        assert (ROOT / "hairjax" / room / file).is_file(), file
        assert f"def {test}(" in read(f"tests/{tests}"), test


@pytest.mark.parametrize("name", PAGES)
def test_keys_that_are_named_exist(name):
    keys = dict(flatten(top.get_config()))
    # Not the beginning of a key, as in `--config.devices.`.
    named = set(re.findall(r"--config\.([a-z_.]*[a-z_])(?![a-z_.])", read(name)))
    assert named <= keys.keys()
    if name == "docs/commands.md":
        assert len(named) > 10


@pytest.mark.parametrize("name", PAIRS[0])
def test_the_readme_is_short(name):
    assert len(read(name).splitlines()) <= 150

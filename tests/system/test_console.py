"""What is printed is what was said, whatever names hold."""

import io
from contextlib import contextmanager

import pytest
from rich.console import Console

from hairjax.system import console

ODD = ["stage [late]", "a[/]b", "[/x]", ":on:", "[bold]", "정상", "$x_1$"]


@contextmanager
def shown(width=80):
    text = io.StringIO()
    with console.shown_on(Console(file=text, width=width, highlight=False, soft_wrap=True)):
        yield text


@pytest.mark.parametrize("name", ODD)
def test_names_are_printed_as_they_are(name):
    with shown() as text:
        console.table(f"table of {name}", [f"head {name}", name], [[f"row {name}", name]])
        console.say(f"said {name}")
    for part in (f"table of {name}", f"head {name}", f"row {name}", f"said {name}"):
        assert part in text.getvalue()


def test_a_table_too_wide_keeps_its_numbers():
    long = "very_long_name_of_a_class_" * 5
    with shown() as text:
        console.table("", ["", *"abcdef"], [[long, *("0.123 (4)" for _ in range(6))]])
    lines = text.getvalue().splitlines()
    assert sum(line.count("0.123 (4)") for line in lines) == 6
    assert "…" not in text.getvalue()
    assert "".join(line.split("0.123")[0].strip() for line in lines[3:]) == long
    assert max(map(len, lines)) <= 80


def test_a_line_is_never_broken():
    with shown(width=20) as text:
        console.say("word " * 20)
    assert text.getvalue() == "word " * 20 + "\n"


def test_what_is_redirected_is_followed_and_comes_back(capsys):
    console.say("one")
    with shown() as text:
        console.say("two")
    console.say("three")
    assert (capsys.readouterr().out, text.getvalue()) == ("one\nthree\n", "two\n")

"""What is printed is what was said, whatever names hold."""

import io

import pytest
from rich.console import Console

from hairjax.display import Display

ODD = ["stage [late]", "a[/]b", "[/x]", ":on:", "[bold]", "정상", "$x_1$"]


def shown(width=80):
    console = Console(file=io.StringIO(), width=width, highlight=False, soft_wrap=True)
    return Display(console), console.file


@pytest.mark.parametrize("name", ODD)
def test_names_are_printed_as_they_are(name):
    display, text = shown()
    display.table(f"table of {name}", [f"head {name}", name], [[f"row {name}", name]])
    display.say(f"said {name}")
    for part in (f"table of {name}", f"head {name}", f"row {name}", f"said {name}"):
        assert part in text.getvalue()


def test_a_table_too_wide_keeps_its_numbers():
    display, text = shown()
    long = "very_long_name_of_a_class_" * 5
    display.table("", ["", *"abcdef"], [[long, *("0.123 (4)" for _ in range(6))]])
    lines = text.getvalue().splitlines()
    assert sum(line.count("0.123 (4)") for line in lines) == 6
    assert "…" not in text.getvalue()
    assert "".join(line.split("0.123")[0].strip() for line in lines[3:]) == long
    assert max(map(len, lines)) <= 80


def test_a_line_is_never_broken():
    display, text = shown(width=20)
    display.say("word " * 20)
    assert text.getvalue() == "word " * 20 + "\n"

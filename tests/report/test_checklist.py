import re

import pytest

from hairjax.report.checklists.items import CHECKLISTS, read_checklist

# The parts of TRIPOD+AI's 27 items, as published: 52 lines in all.
PARTS = {3: 3, 5: 2, 6: 3, 8: 3, 9: 3, 12: 7, 18: 6, 20: 3, 23: 2, 27: 3}


def test_claim_has_its_44_items():
    assert [item.number for item in read_checklist("claim").items] == [str(n) for n in range(1, 45)]


def test_tripod_has_its_27_items_and_their_parts():
    numbers = [f"{n}{part}" for n in range(1, 28) for part in "abcdefg"[: PARTS.get(n, 0)] or [""]]
    assert len(numbers) == 52
    assert [item.number for item in read_checklist("tripod_ai").items] == numbers


@pytest.mark.parametrize("name", CHECKLISTS)
def test_items_differ(name):
    checklist = read_checklist(name)
    asked = [item.asks for item in checklist.items]
    assert len(set(asked)) == len(asked)
    assert not any(re.search(r"\s$|\.$", asks) for asks in asked)

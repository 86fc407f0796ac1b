from pathlib import Path

import pytest

from docs.situations import TARGET, page, situations


def test_the_page_is_what_the_tests_say():
    assert TARGET.read_text() == page(situations()), "run python -m docs.situations"


def test_what_is_wanting_in_a_mark_is_said(tmp_path: Path):
    (tmp_path / "test_a.py").write_text(
        '@pytest.mark.situation("Mask", "a", "b")\ndef test_a(): ...'
    )
    with pytest.raises(ValueError, match=r"test_a\.py:1: a situation is a part of .*'Mask'"):
        situations(tmp_path)

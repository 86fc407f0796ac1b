import csv

import pytest

from hairjax.system.files import replacing, write_csv


@pytest.mark.parametrize("before", [None, "old"])
def test_a_file_is_written_whole_or_not_at_all(before, tmp_path):
    path = tmp_path / "file.txt"
    if before is not None:
        path.write_text(before)
    with pytest.raises(KeyboardInterrupt), replacing(path) as unfinished:
        unfinished.write_text("half")
        raise KeyboardInterrupt
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == (
        {} if before is None else {"file.txt": before}
    )
    with replacing(path) as unfinished:
        unfinished.write_text("new")
        assert (path.read_text() if path.exists() else None) == before
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"file.txt": "new"}


def test_a_table_is_read_back_as_it_was_given(tmp_path):
    rows = [["a,b", 'says "c"', "d\r", "e\nf"], ["", "정상", "0.5", "\udcff"]]
    write_csv(tmp_path / "table.csv", list("wxyz"), rows)
    with (tmp_path / "table.csv").open(
        encoding="utf-8", errors="surrogateescape", newline=""
    ) as file:
        assert [*csv.reader(file)] == [list("wxyz"), *rows]

import unicodedata

import pytest

from hairjax.data.sources.manifest import Manifest, read_columns
from hairjax.system.errors import UserError


def read(folder, text):
    manifest = folder / "manifest.csv"
    manifest.write_text(text, "utf-8")
    return read_columns(Manifest(str(manifest)), str(folder))


def test_without_a_manifest_there_are_none():
    assert read_columns(Manifest(""), "photos") == {}


def test_other_columns_by_file(tmp_path):
    text = "file,site, age ,label,subject,mask,\n./a.jpg,Bonn, 31 ,0,anna,,\nb.jpg,,40,1,,,\n"
    assert read(tmp_path, text) == {
        "site": {"a.jpg": "Bonn", "b.jpg": ""},
        "age": {"a.jpg": "31", "b.jpg": "40"},
    }


def test_files_are_named_as_on_the_disk(tmp_path):
    name = unicodedata.normalize("NFD", "é.jpg")
    (tmp_path / name).touch()
    written = unicodedata.normalize("NFC", name)
    assert read(tmp_path, f"file,label,site\n{written},0,Bonn\n") == {"site": {name: "Bonn"}}


def test_two_columns_of_one_name_are_refused(tmp_path):
    with pytest.raises(UserError, match="more than one column age: leave one"):
        read(tmp_path, "file,label,age,age\na.jpg,0,1,2\n")

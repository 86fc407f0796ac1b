"""Manifests as other people write them: columns, paths, files that are no CSV."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hairjax.data.sources.columns import PARTS, find_columns, parse_columns
from hairjax.data.sources.listed import other_starts
from hairjax.data.sources.manifest import Manifest, read_columns
from hairjax.data.sources.photos import Search, find_photos
from hairjax.data.sources.table import Table
from hairjax.system.errors import UserError
from tests.messages import messages

NAMES = [f"{stem}_{number}" for stem in ("anna", "ben", "carl", "dora") for number in (1, 2)]


@pytest.fixture
def photos(tmp_path):
    """Eight photographs in one folder, `anna_1.jpg` …; finding never opens them."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.jpg").touch()
    return folder


def listing(header, rows):
    return "\n".join([header, *rows, ""])


def find(photos, text, **changes):
    path = photos.parent / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    arguments = {"masks": "", "subject": "", "classes": None, "need_masks": False}
    return find_photos(Search(photos=str(photos), manifest=str(path), **(arguments | changes)))


def found(index):
    return {entry.file: (index.classes[entry.label], entry.subject) for entry in index.entries}


def refused(photos, text, **changes):
    with pytest.raises(UserError) as error:
        find(photos, text, **changes)
    return str(error.value)


USUAL = {f"{name}.jpg": (str(i % 2), "") for i, name in enumerate(NAMES)}
ROWS = [f"{name}.jpg,{i % 2}" for i, name in enumerate(NAMES)]


# Columns -----------------------------------------------------------------------------------------


@pytest.mark.situation(
    "Folders and manifests",
    "columns of a manifest in capitals, with spaces or by usual names (`Image Path`, `LABEL`)",
    "recognised where one column alone can be meant, and said",
)
@pytest.mark.parametrize(
    "header",
    ["File,Label", "IMAGE, LABEL ", "filename,class", "Image_Path,labels", "\ufefffile,label"],
)
def test_usual_names(photos, header):
    with messages() as said:
        index = find(photos, listing(header, ROWS))
    assert found(index) == USUAL and not index.problems
    usual = header.lstrip("\ufeff") == "file,label"
    assert [line for line in said if line.startswith("manifest: ")] == [
        f"manifest: {header.split(',')[0]!r} is the file, "
        f"{header.split(',')[1].strip()!r} is the label"
    ] * (not usual)


@pytest.mark.situation(
    "Folders and manifests",
    "a column of people in capitals or under another usual name (`Subject`, `patient_id`)",
    "recognised as the subject and said, so that nobody is on both sides",
)
@pytest.mark.parametrize("name", ["Subject", "SUBJECT_ID", "patient_id", "Patient ID"])
def test_people_under_other_names(photos, name):
    rows = [f"{row},{row.split('_')[0]}" for row in ROWS]
    index = find(photos, listing(f"file,label,{name}", rows))
    assert found(index)["anna_2.jpg"] == ("1", "anna")
    # As a run read it that knew only the names just so.
    assert found(find(photos, listing(f"file,label,{name}", rows), columns="exact")) == USUAL


@pytest.mark.situation(
    "Folders and manifests",
    "columns of other names (`id_code,diagnosis`)",
    "refused with the columns there are and the key that names them, filled in where it can be",
)
def test_other_names_are_asked_for(photos):
    text = listing("id_code,diagnosis", ROWS)
    said = refused(photos, text)
    assert "lacks file and label" in said and "names id_code, diagnosis" in said
    assert "--config.data.columns=file=id_code,label=diagnosis" in said
    index = find(photos, text, columns="file=id_code,label=diagnosis")
    assert found(index) == USUAL
    more = listing("id_code,age,diagnosis", [row.replace(",", ",40,") for row in ROWS])
    assert "columns=file=id_code,label=COLUMN" in refused(photos, more)
    assert found(find(photos, more, columns="file=ID_Code, label=diagnosis")) == USUAL


@pytest.mark.situation(
    "Folders and manifests",
    "several columns that could be the file or the label",
    "refused with their names; a column called just `file` or `label` is it",
)
def test_several_columns_that_could_be_it(photos):
    rows = [f"{row},x" for row in ROWS]
    said = refused(photos, listing("image,label,path", rows))
    assert "has the columns 'image' and 'path', and which is the file cannot be known" in said
    assert "--config.data.columns=file=image" in said
    assert found(find(photos, listing("image,label,path", rows), columns="file=image")) == USUAL
    assert found(find(photos, listing("file,label,class", rows))) == USUAL
    assert "more than one column label" in refused(photos, listing("file,label,label ", rows))


def test_what_the_key_may_be():
    assert parse_columns('file=id,"label=a, b"') == {"file": "id", "label": "a, b"}
    assert parse_columns("file=id, split=") == {"file": "id", "split": ""}
    assert parse_columns("") == parse_columns("exact") == {}
    for wrong in ("id_code", "files=id", "file=a,file=b", "file=a;label=b,"):
        with pytest.raises(UserError, match=r"config\.data\.columns is .*; it can be exact"):
            parse_columns(wrong)


def test_a_column_that_is_not_there_is_named(photos):
    said = refused(photos, listing("file,grade", ROWS), columns="label=stage")
    assert "names the column 'stage' for the label" in said and "has file, grade" in said


@pytest.mark.situation(
    "Folders and manifests",
    "a column for each class (`image,MEL,NV,…` with 0 and 1)",
    "recognised where every row has exactly one 1 and there is no other column, and said",
)
@pytest.mark.parametrize(("one", "zero"), [("1", "0"), ("1.0", "0.0"), ("True", "False")])
def test_a_column_for_each_class(photos, one, zero):
    rows = [f"{name}.jpg,{(one, zero)[i % 2]},{(zero, one)[i % 2]},{zero}" for i, name in
            enumerate(NAMES)]  # fmt: skip
    with messages() as said:
        index = find(photos, listing("image, MEL, NV, UNK", rows))
    assert {file: label for file, (label, _) in found(index).items()} == {
        file: ("MEL", "NV")[int(label)] for file, (label, _) in USUAL.items()
    }
    assert (
        "manifest: 'image' is the file, the label is the one of MEL, NV, UNK that is 1" in said[0]
    )


@pytest.mark.situation(
    "Folders and manifests",
    "a column for each class, and rows with no 1 or with several",
    "refused with their lines; where the key names the classes they are in the report of problems",
)
def test_rows_without_one_class(photos):
    rows = [f"{name}.jpg,{i % 2},{1 - i % 2}" for i, name in enumerate(NAMES)]
    rows[2], rows[5] = "ben_1.jpg,0,0", "carl_2.jpg,1,1"
    text = listing("image,MEL,NV", rows)
    said = refused(photos, text)
    assert "1 row has no 1 (line 4) and 1 row has more than one (line 7)" in said
    assert "--config.data.columns=label=MEL|NV" in said
    index = find(photos, text, columns="label=MEL|NV")
    assert len(index.entries) == 6
    assert [(one.kind, one.detail) for one in index.problems] == [
        ("no label", "none of MEL, NV is 1"),
        ("no label", "MEL and NV are 1"),
    ]


@pytest.mark.situation(
    "Folders and manifests",
    "two columns of 0 and 1 beside others (`file,male,female,grade`)",
    "not taken for classes: refused, and the key asks for the label",
)
def test_other_columns_of_0_and_1_are_not_the_classes(photos):
    rows = [f"{name}.jpg,{i % 2},{1 - i % 2},{i % 3}" for i, name in enumerate(NAMES)]
    text = listing("file,male,female,grade", rows)
    assert "lacks label" in refused(photos, text)
    index = find(photos, text, columns="label=grade")
    assert index.classes == ("0", "1", "2")


def test_a_column_each_for_train_and_test_is_not_the_label(photos):
    rows = [f"{name}.jpg,{i % 2},{1 - i % 2}" for i, name in enumerate(NAMES)]
    assert "lacks label" in refused(photos, listing("file,train,test", rows))


@given(st.sampled_from(sorted(PARTS["file"])), st.sampled_from(sorted(PARTS["label"])), st.data())
def test_names_in_any_case_and_width(tmp_path_factory, file, label, data):
    def spelt(name):
        forms = [str.lower, str.upper, str.title, lambda text: f" {text}", "_".join]
        return data.draw(st.sampled_from(forms))(name)

    header = (spelt(file), spelt(label), "age")
    table = Table(tmp_path_factory.getbasetemp() / "t.csv", header, (), ())
    columns = find_columns(table, "", tmp_path_factory.getbasetemp())
    assert (columns.file, columns.label) == (header[0], (header[1],))


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=12),
    st.sampled_from([("1", "0"), ("1.0", "0.0"), ("true", "false")]),
)
def test_one_1_in_each_row_is_its_label(tmp_path_factory, labels, words):
    names = ("a", "b", "c", "d")
    rows = tuple(
        (
            line + 2,
            {"file": f"{line}.jpg"} | {n: words[k != label] for k, n in enumerate(names)},
        )
        for line, label in enumerate(labels)
    )
    table = Table(tmp_path_factory.getbasetemp() / "t.csv", ("file", *names), rows, ())
    columns = find_columns(table, "", tmp_path_factory.getbasetemp())
    assert [columns.label_of(cells) for _, cells in rows] == [(names[k], "") for k in labels]


# Paths -------------------------------------------------------------------------------------------


@pytest.mark.situation(
    "Folders and manifests",
    "names without suffix (`000c1434d8d7` for `000c1434d8d7.png`)",
    "found where one picture has the name, and said; two of one name are in the report of problems",
)
def test_names_without_suffix(photos):
    (photos / "anna_1.png").touch()
    rows = [row.replace(".jpg", "") for row in ROWS]
    with messages() as said:
        index = find(photos, listing("file,label", rows))
    assert found(index) == {file: it for file, it in USUAL.items() if file != "anna_1.jpg"}
    [problem] = index.problems
    assert problem.kind == "several files of this name"
    assert problem.detail.endswith("anna_1.jpg, anna_1.png: name one with its suffix")
    assert "manifest: names lack their suffix: anna_2 is anna_2.jpg" in said[0]


def test_a_dot_in_a_name_is_no_suffix(photos):
    for name in ("IMG.1", "IMG.2"):
        (photos / f"{name}.jpg").touch()
    index = find(photos, listing("file,label", ["IMG.1,0", "IMG.2,1"]))
    assert {*found(index)} == {"IMG.1.jpg", "IMG.2.jpg"}


@pytest.mark.situation(
    "Folders and manifests",
    "absolute paths of photographs below the folder",
    "read as paths below it",
)
def test_absolute_paths_below_the_folder(photos):
    rows = [f"{photos}/{row}" for row in ROWS]
    assert found(find(photos, listing("file,label", rows))) == USUAL
    (photos.parent / "link").symlink_to(photos)
    assert found(find(photos.parent / "link", listing("file,label", rows))) == USUAL


@pytest.mark.situation(
    "Folders and manifests",
    "paths from another machine or folder (`/data/old/photos/a.jpg`, `photos/a.jpg`)",
    "refused with the start that could be dropped; `data.prefix` drops it",
)
@pytest.mark.parametrize("start", ["/data/old/photos/", "photos/", "C:\\old\\", "..\\x\\"])
def test_paths_from_another_start(photos, start):
    text = listing("file,label", [f"{start}{row}" for row in ROWS])
    plain = start.replace("\\", "/")
    said = refused(photos, text)
    assert "8 of 8 are there without" in said and f"--config.data.prefix={plain}" in said
    assert found(find(photos, text, prefix=plain)) == USUAL
    assert found(find(photos, text, prefix=start)) == USUAL
    assert "no path of the manifest begins with it" in refused(photos, text, prefix="elsewhere")


@pytest.mark.situation(
    "Folders and manifests",
    "Windows' separators in all paths (`train\\a.jpg`)",
    "read as `/`, and said",
)
def test_windows_separators(photos):
    (photos / "train").mkdir()
    for name in NAMES:
        (photos / f"{name}.jpg").rename(photos / "train" / f"{name}.jpg")
    with messages() as said:
        index = find(photos, listing("file,label", [f"train\\{row}" for row in ROWS]))
    assert {*found(index)} == {f"train/{file}" for file in USUAL}
    assert said[0] == r"manifest: \ in paths is read as /"


@pytest.mark.situation(
    "Folders and manifests",
    "a folder one level too high for the manifest's paths",
    "refused with the folder in which they are",
)
def test_a_folder_too_high(photos):
    said = refused(photos.parent, listing("file,label", ROWS))
    assert "8 of 8 are there in its folder photos: if these are the photographs, give " in said
    assert f"--config.data.photos={photos} (of check, evaluate and explain" in said


@pytest.mark.situation(
    "Folders and manifests",
    "a manifest of other photographs than the folder's, or of files of another suffix",
    "refused with what is there",
)
def test_what_is_there_is_said(photos):
    said = refused(photos, listing("file,label", [f"other{i}.jpg,0" for i in range(4)]))
    assert "not one of the 4 photographs" in said and "the folder holds 8 .jpg" in said
    said = refused(photos, listing("file,label", [row.replace("jpg", "png") for row in ROWS]))
    assert "the first is 'anna_1.png', and anna_1.jpg is there" in said
    (photos / "anna_1.jpg").rename(photos / "anna_1.HEIC")
    (photos / "ben_1.jpg").rename(photos / "Ben_1.JPG")
    (photos / "carl_1.jpg").unlink()
    index = find(photos, listing("file,label", ROWS))
    assert [one.detail for one in index.problems] == [
        "line 2: No such file or directory; anna_1.HEIC is there",
        "line 4: No such file or directory; Ben_1.JPG is there",
        "line 6: No such file or directory",  # carl_2.jpg is near, and another
    ]


def test_few_rows_do_not_change_how_paths_are_read(photos):
    rows = [*ROWS[:-2], "dora_1,0", "dora\\2.jpg,0"]
    index = find(photos, listing("file,label", rows))
    assert len(index.entries) == 6 and len(index.problems) == 2


def test_starts_are_counted_by_the_longest_common_end():
    below = {"a.jpg": ["x/1/a.jpg", "y/2/a.jpg"]}
    assert dict(other_starts(["old/1/a.jpg"], below)) == {("old", "x"): 1}
    assert dict(other_starts(["/a.jpg"], below)) == {("/", "x/1"): 1, ("/", "y/2"): 1}
    assert dict(other_starts(["x/1/a.jpg"], below)) == {}


@pytest.mark.situation(
    "Folders and manifests",
    "a photograph listed twice, with different labels",
    "both rows are in the report of problems, with lines and labels",
)
def test_a_photograph_twice(photos):
    index = find(photos, listing("file,label", [*ROWS, "./anna_1.jpg,1"]))
    assert "anna_1.jpg" not in found(index)
    assert {one.detail for one in index.problems} == {"anna_1.jpg in lines 2, 10, labelled 0 and 1"}


# Masks -------------------------------------------------------------------------------------------


@pytest.fixture
def masks(photos):
    """A mask of each photograph, `anna_1_hair.png` …."""
    folder = photos.parent / "masks"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}_hair.png").touch()
    return folder


def with_masks(photos, masks, path, **changes):
    rows = [f"{row},{path.format(name=name)}" for row, name in zip(ROWS, NAMES, strict=True)]
    return find(photos, listing("file,label,mask", rows), masks=str(masks), **changes)


@pytest.mark.situation(
    "Folders and manifests",
    "masks in a manifest without suffix, as absolute paths below their folder, or with `\\`",
    "read as photographs are, in one way for all of them, and said",
)
@pytest.mark.parametrize("path", ["{name}_hair", "ROOT/{name}_hair.png", ".\\{name}_hair.png"])
def test_paths_of_masks_are_read_as_those_of_photographs(photos, masks, path):
    with messages() as said:
        index = with_masks(photos, masks, path.replace("ROOT", str(masks)))
    assert {e.file: e.mask for e in index.entries} == {
        f"{name}.jpg": masks / f"{name}_hair.png" for name in NAMES
    }
    assert not index.problems
    told = [line for line in said if line.startswith("manifest, masks: ")]
    assert len(told) == ("ROOT" not in path)
    # As a run of before read it.
    if "ROOT" not in path:
        with pytest.raises(UserError, match="no photograph has a mask"):
            with_masks(photos, masks, path, columns="exact")


@pytest.mark.situation(
    "Folders and manifests",
    "masks in a manifest from another machine or folder (`/old/masks/a.png`, `masks/a.png`)",
    "refused with the start that could be dropped; `data.prefix` takes it, beside that of the "
    "photographs",
)
def test_masks_from_another_start(photos, masks):
    path = "/old/masks/{name}_hair.png"
    with pytest.raises(UserError) as caught:
        with_masks(photos, masks, path)
    said = str(caught.value)
    assert "the paths of masks of the manifest, such as '/old/masks/anna_1_hair.png'" in said
    assert "8 of 8 are there without /old/masks/" in said
    assert "--config.data.prefix=/old/masks/ (of check" in said
    assert len(with_masks(photos, masks, path, prefix="/old/masks").entries) == 8
    rows = [
        f"/old/photos/{row},{path.format(name=name)}" for row, name in zip(ROWS, NAMES, strict=True)
    ]
    text = listing("file,label,mask", rows)
    said = refused(photos, text, masks=str(masks), prefix="/old/photos/")
    assert "--config.data.prefix=/old/photos/,/old/masks/ (of" in said
    index = find(photos, text, masks=str(masks), prefix="/old/photos/,/old/masks/")
    assert len(index.entries) == 8 and not index.problems
    said = refused(photos, text, masks=str(masks), prefix="/old/photos/,/old/masks/,/x")
    assert "config.data.prefix is '/x/', and no path of the manifest begins with it" in said
    # One start of both, and a prefix that is too short.
    above = photos.parent
    assert len(find(above, text, masks=str(above), prefix="/old/").entries) == 8
    said = refused(photos, text, masks=str(masks), prefix="/old/")
    assert "--config.data.prefix=/old/,/old/photos/ (of" in said


def test_masks_that_are_not_there_are_named_with_their_like(photos, masks):
    (masks / "anna_1_hair.png").rename(masks / "anna_1_Hair.png")
    index = with_masks(photos, masks, "{name}_hair.png")
    [problem] = index.problems
    assert problem.kind == "no mask" and problem.path.endswith("anna_1.jpg")
    assert problem.detail.endswith("No such file or directory; anna_1_Hair.png is there")


def test_masks_that_a_manifest_names_are_pictures(photos, masks):
    (masks / "all.json").write_text("{}")
    with pytest.raises(UserError, match=r"all\.json', and the manifest names pictures as masks"):
        with_masks(photos, masks / "all.json", "{name}_hair.png")


# Other columns -----------------------------------------------------------------------------------


def test_columns_that_mean_something_are_no_others(photos):
    path = photos.parent / "list.csv"
    rows = [f"{row.replace('.jpg', '')},{row[0]},train,40" for row in ROWS]
    path.write_text(listing("Image,Class,Patient,split,age", rows))
    others = read_columns(Manifest(str(path)), str(photos))
    assert [*others] == ["age"] and {*others["age"]} == {*USUAL}
    path.write_text(listing("file,label,Patient,split,age", rows))
    # A run that knew only the names just so took the split for one more column.
    assert [*read_columns(Manifest(str(path), "exact"), str(photos))] == ["Patient", "split", "age"]


# What is no CSV ----------------------------------------------------------------------------------


def workbook(*names, mimetype=b""):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        if mimetype:
            archive.writestr("mimetype", mimetype)
        for name in names:
            archive.writestr(name, "x")
    return file.getvalue()


@pytest.mark.situation(
    "Folders and manifests",
    "a workbook (.xlsx, .xls, .ods) as manifest, also when named .csv",
    "refused: what it is, and how it becomes CSV",
)
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (workbook("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook (.xlsx), and must"),
        (
            workbook("content.xml", mimetype=b"application/vnd.oasis.opendocument.spreadsheet"),
            "an OpenDocument workbook (.ods)",
        ),
        (workbook("Index/Document.iwa"), "a document of Apple Numbers"),
        (workbook("labels.csv"), "a ZIP archive, and must be CSV: unpack it"),
        (workbook("xl/workbook.xml")[:60], "a damaged ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "an old Excel workbook (.xls)"),
        (b"PAR1" + bytes(9), "a Parquet file"),
        (b"\xef\xbb\xbf <html><table></table></html>", "a web page or XML"),
        (b'[{"file": "a.jpg", "label": 0}]', "JSON"),
    ],
)
def test_a_workbook_is_called_one(photos, data, kind):
    said = refused(photos, data)
    assert kind in said and "must be CSV: " in said


@pytest.mark.situation(
    "Folders and manifests",
    "a manifest with semicolons or tabs, in UTF-16, or with a byte-order mark",
    "the mark is read over; the others are refused with what to do",
)
def test_separators_and_encodings(photos):
    text = listing("file,label", ROWS)
    assert found(find(photos, text.encode("utf-8-sig"))) == USUAL
    assert "separated by ';', and commas are needed" in refused(photos, text.replace(",", ";"))
    assert "is in UTF-16" in refused(photos, text.encode("utf-16"))

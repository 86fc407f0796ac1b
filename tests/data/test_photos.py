import os
import unicodedata
from pathlib import Path

import pytest

from hairjax.data.sources.class_order import class_order
from hairjax.data.sources.classes import label_index
from hairjax.data.sources.photos import Index, Search, find_photos
from hairjax.data.sources.problems import Problem, describe_problems
from hairjax.system.errors import UserError


def touch(*paths: Path) -> None:
    """Make files without contents: finding never opens them."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def find(folder: Path, **changes) -> Index:
    arguments = {
        "photos": str(folder / "photos"),
        "masks": "",
        "manifest": "",
        "subject": "",
        "classes": None,
        "need_masks": False,
    }
    return find_photos(Search(**(arguments | changes)))


def problems(index: Index, folder: Path) -> list[tuple[str, str]]:
    return [
        (problem.path.removeprefix(f"{folder}{os.sep}"), problem.kind) for problem in index.problems
    ]


def two_classes(folder: Path) -> None:
    touch(folder / "photos/level_0/a.jpg", folder / "photos/level_1/b.png")


def write_manifest(folder: Path, text: str, encoding: str = "utf-8") -> str:
    path = folder / "manifest.csv"
    path.write_bytes(text.encode(encoding))
    return str(path)


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (["level_10", "level_2", "level_0"], ["level_0", "level_2", "level_10"]),
        (["mild_1", "severe_3", "normal_0", "moderate_2"],
         ["normal_0", "mild_1", "moderate_2", "severe_3"]),
        (["2 mild", "10 bald", "1 normal"], ["1 normal", "2 mild", "10 bald"]),
        (["3", "0", "12"], ["0", "3", "12"]),
        (["1.0", "0.5"], ["0.5", "1.0"]),
        (["10.0", "9.0", "0.0"], ["0.0", "9.0", "10.0"]),
        (["0.75", "0,5", "0.25"], ["0.25", "0,5", "0.75"]),
        (["level_1", "level_0.5", "level_10"], ["level_0.5", "level_1", "level_10"]),
        (["0", "-1", "-2"], ["-2", "-1", "0"]),
        (["stage-2", "stage-10"], ["stage-2", "stage-10"]),
        (["v2_stage_1", "v1_stage_2"], ["v2_stage_1", "v1_stage_2"]),
        (["thin", "bald", "full"], ["bald", "full", "thin"]),
        (["level_1", "other"], ["level_1", "other"]),
        (["b_1", "a_1"], ["a_1", "b_1"]),
        (["b", "a", "b"], ["a", "b"]),
    ],
)  # fmt: skip
def test_classes_are_ordered_by_number_else_alphabetically(names, ordered):
    assert class_order(names) == tuple(ordered)


def test_folder_per_class(tmp_path):
    photos = tmp_path / "photos"
    touch(
        photos / "level_1/z.JPEG", photos / "level_1/deep/er/b.PNG", photos / "level_0/사진 1.jpg"
    )
    index = find(tmp_path)
    assert index.classes == ("level_0", "level_1")
    assert [(entry.file, entry.label) for entry in index.entries] == [
        ("level_0/사진 1.jpg", 0),
        ("level_1/deep/er/b.PNG", 1),
        ("level_1/z.JPEG", 1),
    ]
    assert all(entry.path == photos / entry.file for entry in index.entries)
    assert all(entry.mask is None and entry.subject == "" for entry in index.entries)
    assert index.problems == () and not index.has_masks


def test_hidden_and_unrelated_files_are_ignored(tmp_path):
    two_classes(tmp_path)
    folder = tmp_path / "photos/level_0"
    touch(
        *(folder / name for name in [".DS_Store", "._a.jpg", "Thumbs.db", "notes.txt", "a.csv"]),
        *(folder / name for name in ["labels.json", "README", ".hidden/x.jpg"]),
        tmp_path / "photos/.cache/x.jpg",
        tmp_path / "photos/readme.txt",
    )
    index = find(tmp_path)
    assert [entry.file for entry in index.entries] == ["level_0/a.jpg", "level_1/b.png"]
    assert index.classes == ("level_0", "level_1") and index.problems == ()


@pytest.mark.situation(
    "Photographs",
    "pictures of kinds that are not read",
    "named in the report, never passed over",
)
def test_pictures_that_are_not_read_are_reported(tmp_path):
    two_classes(tmp_path)
    touch(
        tmp_path / "photos/level_0/c.JXL",
        tmp_path / "photos/level_0/d.jp2",
        tmp_path / "photos/loose.jpg",
    )
    index = find(tmp_path)
    assert len(index.entries) == 2
    found = dict(problems(index, tmp_path))
    assert found["photos/loose.jpg"] == "in no class folder"
    assert found["photos/level_0/c.JXL"] == ".jxl is not read: save it as JPEG or PNG"
    assert found["photos/level_0/d.jp2"] == ".jp2 is not read: save it as JPEG or PNG"


def test_links_are_followed_but_not_in_circles(tmp_path):
    touch(tmp_path / "elsewhere/a.jpg", tmp_path / "photos/level_1/b.jpg")
    (tmp_path / "photos/level_0").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere/again").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert [entry.file for entry in find(tmp_path).entries] == ["level_0/a.jpg", "level_1/b.jpg"]


def test_unreadable_folder_is_reported(tmp_path, monkeypatch):
    two_classes(tmp_path)
    touch(tmp_path / "photos/level_0/closed/x.jpg")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    (problem,) = find(tmp_path).problems
    assert problem.path.endswith("closed")
    assert (problem.kind, problem.detail) == ("folder cannot be read", "Permission denied")


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_name_that_is_not_text_is_reported_and_can_be_printed(tmp_path):
    two_classes(tmp_path)
    try:
        Path(os.fsdecode(os.fsencode(tmp_path / "photos/level_0") + b"/\xff.jpg")).touch()
    except OSError:
        pytest.skip("this file system holds only names in UTF-8")
    (problem,) = find(tmp_path).problems
    assert problem.kind == "the name is not UTF-8"
    describe_problems([problem]).encode("utf-8")


def test_masks_lie_under_the_same_path_with_any_image_suffix(tmp_path):
    two_classes(tmp_path)
    touch(tmp_path / "photos/level_1/deep/c.d.jpg")
    masks = tmp_path / "masks"
    touch(
        masks / "level_0/a.PNG",
        masks / "level_0/a.txt",
        masks / "level_0/._a.png",
        masks / "level_1/b.tiff",
        masks / "level_1/deep/c.d.gif",
    )
    index = find(tmp_path, masks=str(masks), need_masks=True)
    assert index.has_masks and index.problems == ()
    assert [entry.mask for entry in index.entries] == [
        masks / "level_0/a.PNG",
        masks / "level_1/b.tiff",
        masks / "level_1/deep/c.d.gif",
    ]


@pytest.mark.situation(
    "Masks",
    "photographs without a mask, or with two",
    "named; `data.on_bad=skip` leaves them out",
)
def test_missing_and_ambiguous_masks_are_reported(tmp_path):
    two_classes(tmp_path)
    touch(tmp_path / "photos/level_1/c.jpg")
    masks = tmp_path / "masks"
    touch(masks / "level_0/a.png", masks / "level_1/b.png", masks / "level_1/b.jpg")
    index = find(tmp_path, masks=str(masks))
    assert [entry.file for entry in index.entries] == ["level_0/a.jpg"]
    assert problems(index, tmp_path) == [
        ("photos/level_1/b.png", "several masks"),
        ("photos/level_1/c.jpg", "no mask"),
    ]
    assert index.problems[0].detail == "b.jpg, b.png"
    assert index.problems[1].detail == str(masks / "level_1/c.*")


@pytest.mark.situation(
    "Masks",
    "`a.jpg` and `a.png` with one mask `a.png`",
    "named, unless a manifest says whose it is",
)
def test_a_mask_that_two_photographs_may_have_is_reported_unless_a_manifest_says_so(tmp_path):
    two_classes(tmp_path)
    touch(tmp_path / "photos/level_0/a.webp", tmp_path / "photos/level_1/deep/a.png")
    masks = tmp_path / "masks"
    touch(masks / "level_0/a.png", masks / "level_1/b.png", masks / "level_1/deep/a.png")
    index = find(tmp_path, masks=str(masks))
    assert [entry.file for entry in index.entries] == ["level_1/b.png", "level_1/deep/a.png"]
    kind = "one mask for several photographs"
    assert problems(index, tmp_path) == [
        ("photos/level_0/a.jpg", kind),
        ("photos/level_0/a.webp", kind),
    ]
    assert index.problems[0].detail == f"{masks}/level_0/a.png: level_0/a.jpg, level_0/a.webp"
    rows = "level_0/a.jpg,0,level_0/a.png\nlevel_0/a.webp,0,level_0/a.png\nlevel_1/b.png,1,\n"
    manifest = write_manifest(tmp_path, f"file,label,mask\n{rows}")
    index = find(tmp_path, masks=str(masks), manifest=manifest)
    assert len(index.entries) == 3 and not index.problems


def test_masks_that_match_nothing_are_refused_at_once(tmp_path):
    two_classes(tmp_path)
    touch(tmp_path / "masks/other/a.png")
    with pytest.raises(UserError, match=r"no photograph has a mask below .*'level_0/a\.\*'"):
        find(tmp_path, masks=str(tmp_path / "masks"))


def test_needed_masks_that_are_not_given_are_refused_with_both_ways_out(tmp_path):
    two_classes(tmp_path)
    with pytest.raises(UserError, match=r"--config\.data\.masks=.*--config\.model\.in_channels=3"):
        find(tmp_path, need_masks=True)


@pytest.mark.parametrize(
    ("subject", "found"),
    [(r"(p\d+)_", "p07"), (r"p\d+", "p07"), (r"level_0/(?:p)(\d+)", "07")],
)
def test_subject_is_the_first_group_or_the_match(tmp_path, subject, found):
    touch(tmp_path / "photos/level_0/p07_1.jpg", tmp_path / "photos/level_1/p08.jpg")
    assert find(tmp_path, subject=subject).entries[0].subject == found


@pytest.mark.parametrize("how", ["expression", "manifest"])
@pytest.mark.situation(
    "Subjects",
    "a name composed (NFC) in one place and not (NFD) in another",
    "one person",
)
def test_a_name_in_two_forms_is_one_subject(tmp_path, how):
    """As of photographs from a Mac beside others: 김 in one letter, or in three."""
    forms = [unicodedata.normalize(form, "김é") for form in ("NFC", "NFD")]
    assert forms[0] != forms[1]
    for label, form in enumerate(forms):
        touch(tmp_path / f"photos/level_{label}/{form}_1.png")
    given = {"subject": "/([가-힣]é)_"}
    if how == "manifest":
        rows = "".join(f"level_{k}/{form}_1.png,{k},{form}\n" for k, form in enumerate(forms))
        given = {"manifest": write_manifest(tmp_path, f"file,label,subject\n{rows}")}
    index = find(tmp_path, **given)
    assert not index.problems
    assert [entry.subject for entry in index.entries] == [forms[0], forms[0]]


def test_file_without_subject_is_reported(tmp_path):
    touch(tmp_path / "photos/level_0/p1.jpg", tmp_path / "photos/level_0/x.jpg")
    touch(tmp_path / "photos/level_1/p2.jpg", tmp_path / "photos/level_1/p.jpg")
    index = find(tmp_path, subject=r"p(\d*)")
    assert [entry.subject for entry in index.entries] == ["1", "2"]
    kind = r"no subject: config.data.subject 'p(\\d*)' finds none"
    assert problems(index, tmp_path) == [
        ("photos/level_0/x.jpg", kind),
        ("photos/level_1/p.jpg", kind),
    ]


def test_bad_expression_is_refused(tmp_path):
    two_classes(tmp_path)
    with pytest.raises(UserError, match=r"config\.data\.subject '\(' is not a regular expression"):
        find(tmp_path, subject="(")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_manifest(tmp_path, encoding):
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    touch(photos / "a.jpg", photos / "x/가.png", photos / "not listed.jpg")
    touch(masks / "somewhere/m.png", masks / "x/가.bmp")
    text = (
        "file, label,subject,mask,age\n./a.jpg,mild,p1,somewhere/m.png,40\n\nx/가.png , bald,,,50\n"
    )
    manifest = write_manifest(tmp_path, text, encoding)
    index = find(tmp_path, manifest=manifest, masks=str(masks))
    assert index.classes == ("bald", "mild") and index.problems == ()
    a, b = index.entries
    assert (a.file, a.label, a.subject, a.mask) == ("a.jpg", 1, "p1", masks / "somewhere/m.png")
    assert (b.file, b.label, b.subject, b.mask) == ("x/가.png", 0, "", masks / "x/가.bmp")


def test_expression_decides_over_the_manifest(tmp_path):
    two_classes(tmp_path)
    manifest = write_manifest(
        tmp_path, "file,label,subject\nlevel_0/a.jpg,0,p1\nlevel_1/b.png,1,p2\n"
    )
    index = find(tmp_path, manifest=manifest, subject=r"/(\w)")
    assert [entry.subject for entry in index.entries] == ["a", "b"]
    index = find(tmp_path, manifest=manifest)
    assert [entry.subject for entry in index.entries] == ["p1", "p2"]


@pytest.mark.situation(
    "Folders and manifests",
    "a manifest with rows of missing, repeated or outside files",
    "all named in one report",
)
def test_manifest_problems_are_collected(tmp_path):
    photos = tmp_path / "photos"
    touch(photos / "a.jpg", photos / "b.jpg", photos / "c.jxl", photos / "d.txt", photos / "e.jpg")
    text = (
        "file,label,mask\na.jpg,0,m.png\nb.jpg,1,\nb.jpg,0,\nc.jxl,0,\nd.txt,0,\ngone.jpg,1,\n"
        f"{tmp_path / 'a.jpg'},0,\n,1,\ne.jpg,1,gone.png\n"
    )
    touch(tmp_path / "masks/m.png")
    manifest = write_manifest(tmp_path, text)
    index = find(tmp_path, manifest=manifest, masks=str(tmp_path / "masks"))
    assert [entry.file for entry in index.entries] == ["a.jpg"]
    kinds = [(path, kind.split(":")[0]) for path, kind in problems(index, tmp_path)]
    assert kinds == [
        ("manifest.csv, line 3", "listed more than once in the manifest"),
        ("manifest.csv, line 4", "listed more than once in the manifest"),
        ("photos/c.jxl", ".jxl is not read"),
        ("photos/d.txt", "not named like a photograph"),
        ("photos/gone.jpg", "no such file"),
        ("manifest.csv, line 8", "not a path below config.data.photos"),
        ("manifest.csv, line 9", "no file"),
        ("photos/e.jpg", "no mask"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("where,label\na.jpg,0\n", "lacks file: .* names where, label"),
        ("name;stage\na.jpg;0\n", "lacks file and label: .* names name;stage; separated by ';'"),
        ("", "lacks file and label: .* names nothing"),
        ("file,label\n", "holds 0 classes"),
        ("file,label\nlevel_0/a.jpg,0\n", "holds 1 class 0: at least two"),
        ("file,label\n" + "x" * 200_000 + ",0\n", "cannot be read as CSV in UTF-8"),
    ],
)
def test_unusable_manifest_is_refused(tmp_path, text, message):
    two_classes(tmp_path)
    with pytest.raises(UserError, match=message):
        find(tmp_path, manifest=write_manifest(tmp_path, text))


def test_manifest_that_is_missing_or_not_utf8_is_refused(tmp_path):
    two_classes(tmp_path)
    with pytest.raises(UserError, match=r"none\.csv' cannot be read .*--config\.data\.manifest"):
        find(tmp_path, manifest=str(tmp_path / "none.csv"))
    manifest = write_manifest(tmp_path, "file,label\n가.jpg,0\n", "cp949")
    with pytest.raises(UserError, match="cannot be read as CSV in UTF-8"):
        find(tmp_path, manifest=manifest)


def test_classes_of_a_run_decide(tmp_path):
    two_classes(tmp_path)
    run = ("level_1", "level_0", "level_2")
    index = find(tmp_path, classes=run)
    assert index.classes == run
    assert [entry.label for entry in index.entries] == [1, 0]
    (tmp_path / "photos/level_1/b.png").unlink()
    (tmp_path / "photos/level_1").rmdir()
    assert [entry.label for entry in find(tmp_path, classes=run).entries] == [1]


@pytest.mark.situation(
    "Classes and labels",
    "new photographs labelled `0`, `1` for a run of `level_0`, `level_1`",
    "taken for the run's classes",
)
def test_bare_numbers_mean_the_runs_classes(tmp_path):
    two_classes(tmp_path)
    manifest = write_manifest(tmp_path, "file,label\nlevel_0/a.jpg,0\nlevel_1/b.png,1\n")
    index = find(tmp_path, manifest=manifest, classes=("level_0", "level_1"))
    assert [entry.label for entry in index.entries] == [0, 1]
    index = find(tmp_path, classes=("0", "1", "2"))
    assert [entry.label for entry in index.entries] == [0, 1]


@pytest.mark.parametrize(
    ("label", "index"),
    [("0.0", 0), ("3.0", 3), ("2,0", 2), ("02", 2), ("grade 1", 1)]
    # Between stages, what could not be graded, and other scales.
    + [(label, None) for label in ("1.5", "0.3", "1-2", "-1", "-1.0", "13", "3/3", "")],
)
@pytest.mark.parametrize("run", [("0", "1", "2", "3"), ("0.0", "1.0", "2.0", "3.0")])
def test_numbers_are_classes_only_where_they_are_equal(run, label, index):
    if index is not None:
        assert label_index(label, run) == index
        return
    with pytest.raises(UserError, match=f"class {label!r} is not one of the run's"):
        label_index(label, run)


@pytest.mark.parametrize("run", [("mild", "bald"), ("stage_0", "stage_1"), ("a_0", "b_0")])
def test_class_unknown_to_the_run_is_refused(tmp_path, run):
    two_classes(tmp_path)
    with pytest.raises(UserError, match=f"'level_0' is not one of .*: {', '.join(run)};"):
        find(tmp_path, classes=run)


@pytest.mark.parametrize("key", ["photos", "masks"])
def test_missing_folder_is_refused(tmp_path, key):
    two_classes(tmp_path)
    touch(tmp_path / "file")
    how = rf"--config\.data\.{key}=FOLDER; a run whose photographs have moved is told by --moved"
    with pytest.raises(UserError, match=f"none' does not exist: .*{how}"):
        find(tmp_path, **{key: str(tmp_path / "none")})
    with pytest.raises(UserError, match="file' is not a folder"):
        find(tmp_path, **{key: str(tmp_path / "file")})


@pytest.mark.situation(
    "Folders and manifests",
    "no folder of a class, one only, or files beside the folders",
    "refused with what is there",
)
def test_unusable_class_folders_are_refused(tmp_path):
    photos = tmp_path / "photos"
    with pytest.raises(UserError, match="the folder '' does not exist"):
        find(tmp_path, photos="")
    touch(photos / "a.jpg")
    with pytest.raises(UserError, match=r"holds no folders, but 1 \.jpg: .*level_0"):
        find(tmp_path)
    touch(photos / "level_0/a.jpg")
    with pytest.raises(UserError, match="holds 1 class level_0: at least two"):
        find(tmp_path)
    touch(photos / "level_0/_classes.csv")
    inside = photos / "level_0"
    with pytest.raises(UserError) as caught:
        find(tmp_path)
    assert f"--config.data.photos={inside} --config.data.manifest={inside}/_classes.csv" in str(
        caught.value
    )
    touch(photos / "level_1/notes.txt")
    with pytest.raises(UserError, match=r"class folder .*level_1' holds no photograph \(.*\.jpg"):
        find(tmp_path)


def nested(folder: Path, **inside: str) -> None:
    for outer, names in inside.items():
        touch(*(folder / "photos" / outer / name / "a.jpg" for name in names.split()))


@pytest.mark.parametrize(
    "inside",
    [{"train": "level_0 level_1 level_2", "test": "level_0 level_1"},
     {"train": "mild bald", "val": "bald mild"},
     {"top": "0 1 2 3", "side": "0 1 2 3"},
     {"fold_0": "level_0 level_1", "fold_1": "level_0 level_1"},
     {"everything": "level_0 level_1"}],
)  # fmt: skip
@pytest.mark.situation(
    "Folders and manifests",
    "`photos/train/level_0`",
    "refused with the ways out",
)
def test_classes_below_other_folders_are_refused_with_the_ways_out(tmp_path, inside):
    nested(tmp_path, **inside)
    largest = max(sorted(inside), key=lambda outer: len(inside[outer]))
    message = f"holds folders of the same names .*photos/{largest}; .*data.manifest=FILE"
    with pytest.raises(UserError, match=message):
        find(tmp_path)
    (tmp_path / "photos" / min(inside) / "loose.jpg").touch()
    if {*inside} <= {"train", "val", "test"}:
        with pytest.raises(UserError, match="named like the parts of a split, not like classes"):
            find(tmp_path)
        assert find(tmp_path, given=(*inside,)).classes == (*inside,)
    elif len(inside) > 1:
        assert find(tmp_path).classes == class_order(inside)


@pytest.mark.parametrize(
    "inside",
    [{"level_0": "anna ben", "level_1": "carl dora"},
     {"level_0": "p1 p2 p3", "level_1": "p2 p3 p9"},
     {"level_0": "left right", "level_1": "left right"},
     {"level_0": "2024", "level_1": "2024"}],
)  # fmt: skip
def test_folders_in_classes_are_not_taken_for_the_classes(tmp_path, inside):
    nested(tmp_path, **inside)
    assert find(tmp_path).classes == ("level_0", "level_1")


def test_home_is_expanded(tmp_path, monkeypatch):
    two_classes(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(find(tmp_path, photos="~/photos").entries) == 2


def test_problems_are_described_by_kind_and_cut_short():
    few = [Problem("a.jpg", "no mask", ""), Problem("b.jpg", "cannot be read", "truncated")]
    assert describe_problems(few) == (
        "  no mask (1):\n    a.jpg\n  cannot be read (1):\n    b.jpg: truncated"
    )
    many = [Problem(f"{i}.jpg", "no mask", "") for i in range(1500)]
    lines = describe_problems([*few, *many]).splitlines()
    assert lines[0] == "  no mask (1,501):"
    assert lines[-1] == "  and 1,482 more"
    assert len(lines) == 20 + 3

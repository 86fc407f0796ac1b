"""A split that people bring: files, a column of the manifest, folders; and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from configs import top
from hairjax.builders.consistency import check_consistency
from hairjax.builders.data_set import divide_photos, find_data, load_data, split_photos
from hairjax.builders.setup import resolve
from hairjax.data.own_split import find_own_split
from hairjax.data.photoset import PhotoSet
from hairjax.data.sources.own_parts import is_part, part_of
from hairjax.data.split import check_split, write_split
from hairjax.system.errors import UserError
from tests.messages import messages

PARTS = ("train", "val", "test")


def set_of(count=24, subjects=True, sha256=None):
    """Photographs of two classes, two of each subject, each subject in a part of its own."""
    return PhotoSet(
        images=np.zeros((count, 1, 1, 4), np.uint8),
        labels=np.arange(count, dtype=np.int32) % 2,
        files=tuple(f"level_{i % 2}/{i // 2:02}_{i % 2}.jpg" for i in range(count)),
        subjects=tuple(f"p{i // 2}" if subjects else "" for i in range(count)),
        sha256=tuple(sha256 or (f"{i:064x}" for i in range(count))),
        classes=("level_0", "level_1"),
        has_masks=False,
    )


PHOTOS = set_of()
GIVEN = np.array([("train", "validation", "test")[(i // 2) % 3] for i in range(len(PHOTOS))])
WORDS = {"train": "train", "validation": "val", "test": "test"}


def setup_of(**keys):
    config = top.get_config("demo")
    with config.unlocked():
        config.data.update({"source": "photos", "cache": "", "masks": ""} | keys)
        config.model.in_channels = 3
        config.train.batch_size = 4
    return resolve(config)


def by_file(tmp_path, lines, photos=PHOTOS, **keys):
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([*lines, ""]), "utf-8")
    setup = setup_of(photos=str(tmp_path), split=str(path), **keys)
    return find_own_split(setup.source, photos)


def listed(name=lambda file: file, header="file,split"):
    pairs = zip(PHOTOS.files, GIVEN, strict=True)
    return [header, *(f"{name(file)},{WORDS[part]}" for file, part in pairs)]


# A file ------------------------------------------------------------------------------------------


@pytest.mark.situation(
    "Splits and leaks",
    "a split of one's own with only `file,split`, and parts called val, valid, dev, training …",
    "taken, and said what the names were taken for; people and copies on both sides are refused",
)
@pytest.mark.parametrize("header", ["file,split", "Image,Split", "filename,set"])
def test_a_file_of_names_and_parts(tmp_path, header):
    own = by_file(tmp_path, listed(header=header))
    assert [*own.parts] == [*GIVEN]
    assert own.source == f"{tmp_path / 'mine.csv'} (val is validation)"
    check_split(PHOTOS, own.parts)


@pytest.mark.parametrize(
    ("name", "part"),
    [("Train", "train"), ("TRAINING", "train"), ("val", "validation"), (" Valid ", "validation"),
     ("dev", "validation"), ("validation", "validation"), ("testing", "test"), ("TEST", "test")],
)  # fmt: skip
def test_names_of_parts(name, part):
    assert part_of(name) == part
    assert not is_part("holdout") and not is_part("") and not is_part("0")


@pytest.mark.situation(
    "Splits and leaks",
    "a split that lists names without suffix, without folder, or with Windows' separators",
    "found where no two photographs have one name, in one way for all, and said",
)
@pytest.mark.parametrize(
    ("name", "said"),
    [
        (lambda file: f"./{file}", ""),
        (lambda file: file.replace("/", "\\"), ""),
        (lambda file: file.removesuffix(".jpg"), "names without suffix, "),
        (lambda file: file.split("/")[1], "names without folder, "),
        (lambda file: f"/old/{file}", "names without folder, "),
        (lambda file: file.split("/")[1].removesuffix(".jpg"), "names without folder and suffix, "),
    ],
)
def test_names_as_others_write_them(tmp_path, name, said):
    own = by_file(tmp_path, listed(name))
    assert [*own.parts] == [*GIVEN]
    assert own.source.endswith(f"({said}val is validation)")


def test_names_that_several_photographs_have_are_not_compared(tmp_path):
    twice = replace(PHOTOS, files=tuple(f"{i}/a.jpg" for i in range(len(PHOTOS))))
    with pytest.raises(UserError, match=r"lists neither the file of 24 of 24"):
        by_file(tmp_path, ["file,split", "a.jpg,train"], twice)


def test_a_file_with_people_divides_their_other_photographs(tmp_path):
    lines = ["file,subject,split", *(f"x{i}.jpg,p{i},{PARTS[i % 3]}" for i in range(12))]
    own = by_file(tmp_path, lines)
    assert [*own.parts] == [*GIVEN]
    with pytest.raises(UserError, match=r"separates photographs of 1 subject, .*: p0"):
        by_file(tmp_path, [*lines, "y.jpg,p0,test"])


@pytest.mark.situation(
    "Splits and leaks",
    "a split in which a photograph stands in two parts, or that leaves some out",
    "refused with their names",
)
def test_what_a_file_may_not_say(tmp_path):
    with pytest.raises(UserError, match=r"1 of the photographs in two parts: level_0/00_0\.jpg"):
        by_file(tmp_path, [*listed(), f"{PHOTOS.files[0]},test"])
    with pytest.raises(UserError, match=r"2 of 24 photographs: level_0/11_0.jpg, level_1"):
        by_file(tmp_path, listed()[:-2])
    with pytest.raises(UserError, match=r"needs a column file and a column split .* id, part;"):
        by_file(tmp_path, ["id,part;", "a,b"])
    with pytest.raises(UserError, match="separated by ';', and commas are needed"):
        by_file(tmp_path, ["file;split", "a;train"])


@pytest.mark.situation(
    "Splits and leaks",
    "a part of a split that is called otherwise (`holdout`, an empty cell)",
    "refused with its lines and the names that are known",
)
def test_a_part_of_another_name(tmp_path):
    lines = [line.replace(",test", ",holdout") for line in listed()]
    lines[1] = lines[1].replace(",train", ",")
    with pytest.raises(UserError, match=r"holds nothing in line 2, 'holdout' in line 6, 7, 12, 13"):
        by_file(tmp_path, lines)


def test_a_split_of_a_run_is_read_as_before(tmp_path):
    write_split(tmp_path / "split.csv", PHOTOS, GIVEN)
    setup = setup_of(photos=str(tmp_path), split=str(tmp_path / "split.csv"))
    moved = replace(PHOTOS, files=tuple(f"moved/{file}" for file in PHOTOS.files))
    assert [*find_own_split(setup.source, moved).parts] == [*GIVEN]


# A column ----------------------------------------------------------------------------------------


def manifest(tmp_path, header, rows, photos=PHOTOS):
    for file in photos.files:
        path = tmp_path / "photos" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    path = tmp_path / "list.csv"
    path.write_text("\n".join([header, *rows, ""]))
    return {"photos": str(tmp_path / "photos"), "manifest": str(path)}


def listed_in(setup, photos=PHOTOS):
    """The photographs, with what the manifest says of them."""
    [index] = find_data(setup.source, None)
    return replace(photos, further=index.further)


def column(words=WORDS, header="file,label,split"):
    pairs = zip(PHOTOS.files, GIVEN, strict=True)
    return header, [f"{file},{file[6]},{words[part]}" for file, part in pairs]


@pytest.mark.situation(
    "Splits and leaks",
    "a manifest with a column `split` of train, val and test",
    "is the split, which is said; `data.columns=split=` leaves it aside",
)
def test_a_column_of_the_manifest_is_the_split(tmp_path):
    keys = manifest(tmp_path, *column(header="file,label,Split"))
    setup = setup_of(**keys)
    photos = listed_in(setup)
    with messages() as said:
        split, given = split_photos(photos, setup.source, setup.split, None)
    assert [*split] == [*GIVEN]
    assert given == "the manifest's column 'Split' (val is validation)"
    assert said == [f"split by {given}: train 8, validation 8, test 8"]
    # A run of before has read it as one more column.
    for columns in ("split=", "exact"):
        aside = setup_of(**keys, columns=columns)
        assert find_own_split(aside.source, listed_in(aside)) is None


def test_a_column_that_names_no_part_is_no_split(tmp_path):
    words = {"train": "1", "validation": "2", "test": "3"}
    keys = manifest(tmp_path, *column(words))
    setup = setup_of(**keys)
    assert find_own_split(setup.source, listed_in(setup)) is None
    with pytest.raises(UserError, match=r"holds '1' in line 2.*; correct it, or leave the column"):
        find_data(setup_of(**keys, columns="split=split").source, None)


def test_another_column_can_be_named(tmp_path):
    keys = manifest(tmp_path, *column(header="file,label,usage"))
    setup = setup_of(**keys)
    assert find_own_split(setup.source, listed_in(setup)) is None
    setup = setup_of(**keys, columns="split=usage")
    own = find_own_split(setup.source, listed_in(setup))
    assert [*own.parts] == [*GIVEN]


@pytest.mark.situation(
    "Splits and leaks",
    "a split of one's own that has a person or a copy in two parts",
    "refused like any leak",
)
def test_leaks_of_a_split_of_ones_own(tmp_path):
    keys = manifest(tmp_path, *column())
    setup = setup_of(**keys)
    source, photos = setup.source, listed_in(setup)
    person = replace(photos, subjects=("p0", *PHOTOS.subjects[1:-1], "p0"))
    with pytest.raises(
        UserError, match=r"column 'split' .* separates photographs of 1 subject, .*: p0"
    ):
        find_own_split(source, person)
    with pytest.raises(UserError, match=r"mine\.csv .* separates photographs of 1 subject, .*: p0"):
        by_file(tmp_path, listed(), person)
    copy = replace(photos, sha256=(*PHOTOS.sha256[:-1], PHOTOS.sha256[0]))
    with pytest.raises(UserError, match="separates identical files: level_0/00_0"):
        find_own_split(source, copy)


@pytest.mark.situation(
    "Splits and leaks",
    "a split of one's own with train and test alone",
    "test stays as it is, and validation is drawn by person from the training part, which is said",
)
def test_validation_is_drawn_where_there_is_none(tmp_path):
    two = np.where(GIVEN == "test", "test", "train")
    lines = ["file,split", *map(",".join, zip(PHOTOS.files, two, strict=True))]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(lines))
    setup = setup_of(photos=str(tmp_path), split=str(path))
    split, given = divide_photos(PHOTOS, setup.source, setup.split)
    assert given == f"{path}, validation sampled from its training photographs"
    np.testing.assert_array_equal(split == "test", two == "test")
    assert 0 < np.sum(split == "validation") < np.sum(split == "train")
    check_split(PHOTOS, split)


# Folders -----------------------------------------------------------------------------------------


def folders(tmp_path, parts=("train", "valid", "Test"), count=3):
    for p, part in enumerate(parts):
        for label in range(2):
            for i in range(count):
                path = tmp_path / "photos" / part / f"level_{label}" / f"{p}{label}{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = np.random.default_rng([p, label, i]).integers(0, 256, (8, 8, 3), np.uint8)
                Image.fromarray(pixels).save(path)
    return {"photos": str(tmp_path / "photos")}


@pytest.mark.situation(
    "Splits and leaks",
    "folders train, valid and test with the class folders in them",
    "refused with the ways out; with `data.split=folders` they are the split, the inner ones the "
    "classes",
)
def test_folders_are_the_split_where_asked(tmp_path):
    keys = folders(tmp_path)
    with pytest.raises(UserError, match=r"divide them as these folders do with --config.data"):
        load(setup_of(**keys))
    setup = setup_of(**keys, split="folders")
    photos = load(setup)
    assert photos.classes == ("level_0", "level_1")
    split, given = split_photos(photos, setup.source, setup.split, None)
    assert given == "the folders (Test is test, valid is validation)"
    assert [file.split("/")[0] for file in photos.files] == [
        {"train": "train", "validation": "valid", "test": "Test"}[part] for part in split
    ]


@pytest.mark.situation(
    "Splits and leaks",
    "folders train and test with photographs and no class folders in them",
    "not taken for classes: refused, with the manifest as way",
)
def test_folders_of_a_split_are_no_classes(tmp_path):
    for part in ("train", "test"):
        (tmp_path / "photos" / part).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "photos" / part / f"{part}.png")
    keys = {"photos": str(tmp_path / "photos")}
    with pytest.raises(UserError, match=r"are named like the parts of a split, not like classes"):
        load(setup_of(**keys))


def test_another_folder_beside_them_is_refused(tmp_path):
    keys = folders(tmp_path, parts=("train", "val", "extra"))
    with pytest.raises(UserError, match=r"and extra is none of train, validation .* 18 \.png"):
        load(setup_of(**keys, split="folders"))


def test_folders_need_photographs_of_one_view(tmp_path):
    config = top.get_config("demo")
    config.data.split = "folders"
    with pytest.raises(UserError, match=r"config\.data\.split=folders takes folders"):
        check_consistency(config)
    config = top.get_config("demo")
    config.data.split = ""
    config.data.prefix = "/old/"
    with pytest.raises(UserError, match=r"config\.data\.prefix is '/old/', .* give config"):
        check_consistency(config)


# Folds -------------------------------------------------------------------------------------------


def load(setup):
    return load_data(setup.source, setup.prepare, None)


@pytest.mark.situation(
    "Splits and leaks",
    "folds on the training part, with a test set kept aside",
    "the test photographs of one's own split are in no fold, which is said; folds are of the rest",
)
def test_folds_leave_the_test_part_aside(tmp_path):
    keys = folders(tmp_path) | {"split": "folders", "folds": 3, "fold": 1}
    setup = setup_of(**keys)
    with messages() as said:
        photos = load(setup)
    assert {file.split("/")[0] for file in photos.files} == {"train", "valid"}
    assert any(
        "its 6 test photographs kept aside, folds are made of the other 12" in s for s in said
    )
    split, given = divide_photos(photos, setup.source, setup.split)
    assert given == "" and {*split} == {"train", "validation", "test"}
    assert sum(split == "test") == 4
    # Whoever reads the photographs of the fold's run again has the same.
    write_split(tmp_path / "split.csv", photos, split)
    again = split_photos(load(setup), setup.source, setup.split, tmp_path / "split.csv")[0]
    np.testing.assert_array_equal(again, split)


def test_folds_of_a_split_without_test_are_refused(tmp_path):
    keys = folders(tmp_path, parts=("train", "val"), count=4)
    with pytest.raises(UserError, match=r"split=folders has no test photographs to keep aside"):
        load(setup_of(**keys, split="folders", folds=3))

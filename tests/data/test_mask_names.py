"""How masks are named is told once, for the whole set, or asked for."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from hairjax.data.sources.mask_names import FolderNames, MaskName, parse_naming, tell_naming
from hairjax.data.sources.mask_rule import MaskRule
from hairjax.data.sources.photos import Search, find_photos
from hairjax.data.sources.unlabelled import find_unlabelled
from hairjax.system.errors import UserError
from tests.data.searching import find

SIZE = (6, 4)
PHOTO = Image.fromarray(np.arange(72, dtype=np.uint8).reshape(4, 6, 3))
MASK = Image.new("L", SIZE, 255)
FILES = ("level_0/ISIC_01.jpg", "level_0/ISIC_02.jpg", "level_1/ISIC_03.JPG", "level_1/b.c.png")


def put(root, names, image):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)


def named(file, pattern, suffix=".png"):
    """The mask of a photograph by a pattern."""
    folder, _, name = file.rpartition("/")
    stem = name.rpartition(".")[0]
    found = pattern.replace("{name}", stem).replace("{file}", name)
    return f"{folder}/{found}{suffix}" if folder else f"{found}{suffix}"


def pairs(root, index, masks="masks"):
    return {entry.file: str(entry.mask.relative_to(root / masks)) for entry in index.entries}


@pytest.mark.situation(
    "Masks",
    "masks with an affix: `x_mask.png`, `x_segmentation`, `x-hair`, `mask_x`, `x.mask.png`, "
    "`x.jpg.png`",
    "told for the whole set, whatever it is, and said in a line",
)
@pytest.mark.parametrize(
    "pattern",
    [
        *("{name}_mask", "{name}_segmentation", "{name}-seg", "{name}.mask", "{name}_hair_1"),
        *("mask_{name}", "hair-{name}_v2", "{file}", "{file}_mask", "{name}머리", "{name} (mask)"),
    ],
)
def test_one_affix(tmp_path, pattern):
    put(tmp_path / "photos", FILES, PHOTO)
    put(tmp_path / "masks", [named(file, pattern) for file in FILES], MASK)
    index = find(tmp_path)
    assert pairs(tmp_path, index) == {file: named(file, pattern) for file in FILES}
    assert index.masks.name == pattern and not index.problems
    assert index.masks.said == f"masks: named {pattern}, of 4 of 4 photographs"


@pytest.mark.situation(
    "Masks", "an affix in capitals in some masks (`x_Mask.png`, `y_MASK.png`)", "one affix"
)
def test_capitals_of_an_affix(tmp_path):
    put(tmp_path / "photos", FILES, PHOTO)
    forms = ("{name}_mask", "{name}_Mask", "{name}_MASK", "{name}_mask")
    masks = [named(file, form) for file, form in zip(FILES, forms, strict=True)]
    put(tmp_path / "masks", masks, MASK)
    index = find(tmp_path)
    assert sorted(pairs(tmp_path, index).values()) == sorted(masks)
    put(tmp_path / "masks", ["level_0/ISIC_01_MASK.png"], MASK)
    [problem] = find(tmp_path).problems
    assert problem.kind == "several masks"


@pytest.mark.situation(
    "Masks",
    "two masks of each photograph (`x_mask.png` and `x_skin.png`)",
    "refused with both, until `data.mask_name` says which; a run keeps to its own",
)
@pytest.mark.parametrize("count", [4, 2])
def test_two_affixes_are_asked_for(tmp_path, count):
    put(tmp_path / "photos", FILES, PHOTO)
    put(tmp_path / "masks", [named(file, "{name}_mask") for file in FILES], MASK)
    put(tmp_path / "masks", [named(file, "{name}_skin") for file in FILES[:count]], MASK)
    said = rf"{{name}}_mask \(of 4 photographs\), {{name}}_skin \(of {count} photographs\); say how"
    with pytest.raises(UserError, match=said):
        find(tmp_path)
    for rule in ({"name": "{name}_mask"}, {"held_name": "{name}_mask"}):
        assert pairs(tmp_path, find(tmp_path, **rule))[FILES[0]] == "level_0/ISIC_01_mask.png"
    index = find(tmp_path, name="{name}_skin.png")
    assert len(index.entries) == count
    assert len(index.problems) == 4 - count


@pytest.mark.situation(
    "Masks",
    "a run trained on `x_hair.png`, new masks named `x_skin.png`",
    "refused, until `--mask_name` says that they are of hair",
)
def test_a_run_keeps_to_its_affix(tmp_path):
    put(tmp_path / "photos", FILES, PHOTO)
    put(tmp_path / "masks", [named(file, "{name}_skin") for file in FILES], MASK)
    with pytest.raises(UserError, match=r"named \{name\}_hair, and these are named \{name\}_skin"):
        find(tmp_path, held_name="{name}_hair")
    # A name without affix says nothing of what is in it.
    assert len(find(tmp_path, held_name="{name}").entries) == 4
    assert len(find(tmp_path, held_name="{name}_hair", name="{name}_skin").entries) == 4


@pytest.mark.situation(
    "Masks",
    "masks for some of the photographs only",
    "the affix is told all the same, and who has no mask is named with what is there",
)
def test_masks_for_some(tmp_path):
    files = [f"level_{i % 2}/{i}.jpg" for i in range(20)]
    put(tmp_path / "photos", files, PHOTO)
    put(tmp_path / "masks", [named(file, "{name}_mask") for file in files[1:7]], MASK)
    put(tmp_path / "masks", ["level_0/0_notes.png"], MASK)
    index = find(tmp_path)
    assert len(index.entries) == 6 and index.masks.name == "{name}_mask"
    assert {problem.kind for problem in index.problems} == {"no mask"}
    [first] = [problem for problem in index.problems if problem.path.endswith("/0.jpg")]
    assert first.detail.endswith("level_0/0_mask.*; level_0/0_notes.png is there")


@pytest.mark.situation(
    "Masks",
    "photographs whose own names end in the affix (`a.jpg`, `a_mask.jpg`)",
    "each with its own mask",
)
def test_names_that_end_in_the_affix(tmp_path):
    files = ["level_0/a.jpg", "level_0/a_mask.jpg", "level_1/b.jpg", "level_1/mask.jpg"]
    put(tmp_path / "photos", files, PHOTO)
    masks = {file: named(file, "{name}_mask") for file in files}
    put(tmp_path / "masks", masks.values(), MASK)
    assert pairs(tmp_path, find(tmp_path)) == masks
    # By their own names, the mask of a would be that of a_mask.
    put(tmp_path / "plain", [named(file, "{name}") for file in files], MASK)
    found = pairs(tmp_path, find(tmp_path, masks="plain"), "plain")
    assert found == {file: named(file, "{name}") for file in files}


@pytest.mark.situation(
    "Masks",
    "masks beside the photographs in one folder, as ISIC has them (`--masks` is the same folder)",
    "told apart by the affix: masks are no photographs; a mask without photograph is named",
)
@pytest.mark.parametrize("pattern", ["{name}_segmentation", "mask_{name}", "{file}_m"])
def test_beside_the_photographs(tmp_path, pattern):
    masks = {file: named(file, pattern) for file in FILES}
    put(tmp_path / "photos", FILES, PHOTO)
    put(tmp_path / "photos", masks.values(), MASK)
    index = find(tmp_path, masks="photos")
    assert pairs(tmp_path, index, "photos") == masks and not index.problems
    assert index.masks.said == f"masks: named {pattern}, beside them, of 4 of 4 photographs"
    put(tmp_path / "photos", [named("level_0/gone.jpg", pattern)], MASK)
    index = find(tmp_path, masks="photos")
    assert len(index.entries) == 4
    [problem] = index.problems
    assert "there is no photograph of it" in problem.kind and "gone" in problem.path


@pytest.mark.situation(
    "Masks",
    "masks of hair and of skin beside the photographs (`x_hair.png`, `x_skin.png`)",
    "`data.mask_name` says which; the others are left out, as no photographs, and it is said",
)
@pytest.mark.parametrize("rule", [{"name": "{name}_hair"}, {"held_name": "{name}_hair"}])
def test_other_masks_beside_the_photographs(tmp_path, rule):
    photo = PHOTO.resize((60, 40), Image.Resampling.BICUBIC)
    put(tmp_path / "photos", FILES, photo)
    for pattern in ("{name}_hair", "{name}_skin", "ear_{name}"):
        put(tmp_path / "photos", [named(file, pattern) for file in FILES], MASK)
    with pytest.raises(UserError, match="named in several ways"):
        find(tmp_path, masks="photos")
    index = find(tmp_path, masks="photos", **rule)
    assert pairs(tmp_path, index, "photos") == {f: named(f, "{name}_hair") for f in FILES}
    assert not index.problems
    for other in ("{name}_skin", "ear_{name}"):
        assert f"; {other} are masks of something else, and left out" in index.masks.said
    found = find_unlabelled([str(tmp_path / "photos")], str(tmp_path / "photos"), ("0", "1"),
                            MaskRule(**rule))  # fmt: skip
    assert len(found.entries) == 4 and not found.problems


def test_photographs_without_mask_are_no_masks_of_others(tmp_path):
    """`a_side.jpg` looks like a photograph, and has no mask yet."""
    photo = PHOTO.resize((60, 40), Image.Resampling.BICUBIC)
    more = [named(file, "{name}_side", ".jpg") for file in FILES]
    put(tmp_path / "photos", [*FILES, *more], photo)
    put(tmp_path / "photos", [named(file, "{name}_hair") for file in FILES], MASK)
    index = find(tmp_path, masks="photos", name="{name}_hair")
    assert len(index.entries) == 4
    assert [problem.kind for problem in index.problems] == ["no mask"] * 4


def test_beside_the_photographs_of_a_manifest(tmp_path):
    put(tmp_path / "photos", ["x/a.jpg", "x/a_side.jpg", "x/b.jpg", "x/b_side.jpg"], PHOTO)
    put(tmp_path / "photos", ["x/a_m.png", "x/a_side_m.png", "x/b_m.png", "x/b_side_m.png"], MASK)
    rows = ["file,label", "x/a.jpg,0", "x/a_side.jpg,0", "x/b.jpg,1", "x/b_side.jpg,1"]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    index = find(tmp_path, masks="photos", manifest="list.csv")
    assert pairs(tmp_path, index, "photos")["x/a_side.jpg"] == "x/a_side_m.png"
    assert len(index.entries) == 4


@pytest.mark.situation(
    "Masks",
    "masks beside the photographs, and no `--masks`",
    "refused: they would be counted as photographs",
)
@pytest.mark.parametrize("pattern", ["{name}_segmentation", "{name}"])
def test_masks_are_no_photographs(tmp_path, pattern):
    files = ["level_0/a.jpg", "level_0/b.jpg", "level_1/c.jpg", "level_1/d.jpg"]
    photo = PHOTO.resize((60, 40), Image.Resampling.BICUBIC)
    put(tmp_path / "photos", files, photo)
    put(tmp_path / "photos", [named(file, pattern) for file in files[1:]], MASK)
    where = {"photos": str(tmp_path / "photos"), "masks": "", "manifest": "", "subject": ""}
    with pytest.raises(UserError, match=r"3 of the 7 pictures are masks of others, beside them"):
        find_photos(Search(**where, classes=None, need_masks=False))
    with pytest.raises(UserError, match=r"3 of the 7 pictures are masks of others"):
        find_unlabelled([where["photos"]], "", ("0", "1"))
    # Photographs of the same names are photographs.
    put(tmp_path / "photos", [named(file, pattern) for file in files[1:]], photo)
    assert len(find_photos(Search(**where, classes=None, need_masks=False)).entries) == 7


@pytest.mark.situation(
    "Masks",
    "`x.jpg` and its mask `x.png` in one folder",
    "what cameras write is the photograph, the other the mask",
)
def test_beside_the_photographs_by_suffix(tmp_path):
    files = ["level_0/a.jpg", "level_0/b.JPG", "level_1/c.jpeg"]
    put(tmp_path / "photos", files, PHOTO)
    put(tmp_path / "photos", [named(file, "{name}") for file in files], MASK)
    index = find(tmp_path, masks="photos")
    assert pairs(tmp_path, index, "photos") == {file: named(file, "{name}") for file in files}


@pytest.mark.situation(
    "Masks",
    "the folder of masks inside the folder of photographs (`photos/masks`)",
    "no class, and its pictures no photographs",
)
def test_masks_inside_the_folder_of_photographs(tmp_path):
    put(tmp_path / "photos", FILES, PHOTO)
    put(tmp_path / "photos/masks", [named(file, "{name}") for file in FILES], MASK)
    index = find(tmp_path, masks="photos/masks")
    assert index.classes == ("level_0", "level_1") and len(index.entries) == 4
    with pytest.raises(UserError, match="a folder of classes is named 'masks': if it holds masks"):
        find(tmp_path, masks="photos/level_0")
    unlabelled = find_unlabelled(
        [str(tmp_path / "photos")], str(tmp_path / "photos/masks"), index.classes
    )
    assert len(unlabelled.entries) == 4 and not unlabelled.problems


@pytest.mark.situation(
    "Masks",
    "all masks in one folder, photographs in a folder per class",
    "found by name and said, where no two photographs have one name",
)
@pytest.mark.parametrize("pattern", ["{name}", "{name}_mask"])
def test_masks_in_one_folder(tmp_path, pattern):
    put(tmp_path / "photos", FILES, PHOTO)
    flat = {file: named(file, pattern).rpartition("/")[2] for file in FILES}
    put(tmp_path / "masks", flat.values(), MASK)
    index = find(tmp_path)
    assert pairs(tmp_path, index) == flat and not index.problems
    assert index.masks.said == f"masks: named {pattern}, all in one folder, of 4 of 4 photographs"
    # Of two photographs of one name it cannot be known whose a mask is.
    put(tmp_path / "photos", ["level_1/ISIC_01.jpg"], PHOTO)
    with pytest.raises(UserError, match=r"no photograph has a mask .*ISIC_01.* is there"):
        find(tmp_path)


@pytest.mark.situation(
    "Masks",
    "no mask fits a photograph",
    "refused with what the folder holds, and what is named nearly so",
)
def test_what_is_there_is_said(tmp_path):
    put(tmp_path / "photos", FILES, PHOTO)
    put(tmp_path / "masks", ["level_0/isic_01.png", "other/x.png"], MASK)
    (tmp_path / "masks/notes.txt").write_text("")
    with pytest.raises(UserError) as caught:
        find(tmp_path)
    said = str(caught.value)
    assert "the mask of 'level_0/ISIC_01.jpg' would be 'level_0/ISIC_01.*' there" in said
    assert "the folder holds 2 .png, 1 .txt; level_0/isic_01.png is there" in said
    assert "config.data.mask_name" in said


@pytest.mark.situation(
    "Masks",
    "names that are numbers (`1.jpg`, `12.jpg`), masks `1_mask.png`, `12_mask.png`, one missing",
    "no mask of another number is taken",
)
def test_numbers_are_not_continued(tmp_path):
    files = [f"level_{i % 2}/{i}.jpg" for i in range(1, 30)]
    put(tmp_path / "photos", files, PHOTO)
    put(tmp_path / "masks", [named(file, "{name}_mask") for file in files[1:]], MASK)
    index = find(tmp_path)
    assert pairs(tmp_path, index) == {file: named(file, "{name}_mask") for file in files[1:]}
    [problem] = index.problems
    assert problem.path.endswith("level_1/1.jpg")
    assert problem.detail.endswith("level_1/1_mask.*")  # and not: level_1 is there


def test_photographs_to_predict(tmp_path):
    put(tmp_path / "photos", ["a.jpg", "b.jpg"], PHOTO)
    put(tmp_path / "masks", ["a_hair.png", "b_hair.png", "anna_lee.png"], MASK)
    classes, masks = ("0", "1"), str(tmp_path / "masks")
    index = find_unlabelled([str(tmp_path / "photos")], masks, classes)
    assert [entry.mask.name for entry in index.entries] == ["a_hair.png", "b_hair.png"]
    assert "named {name}_hair, of 2 of 2" in index.masks.said
    # Of one photograph an affix is not learnt, but kept to.
    one = [str(tmp_path / "photos/a.jpg")]
    [problem] = find_unlabelled(one, masks, classes).problems
    assert problem.kind == "no mask" and problem.detail.endswith("a_hair.png is there")
    for rule in (MaskRule(name="{name}_hair"), MaskRule(held_name="{name}_hair")):
        [entry] = find_unlabelled(one, masks, classes, rule).entries
        assert entry.mask.name == "a_hair.png"


def test_one_photograph_whose_mask_lies_beside_it(tmp_path):
    put(tmp_path, ["a.jpg", "b.jpg"], PHOTO)
    put(tmp_path, ["a_mask.png", "b_mask.png"], MASK)
    one = [str(tmp_path / "a.jpg")]
    [entry] = find_unlabelled(
        one, str(tmp_path), ("0", "1"), MaskRule(held_name="{name}_mask")
    ).entries
    assert entry.mask.name == "a_mask.png"
    [problem] = find_unlabelled(one, str(tmp_path), ("0", "1")).problems
    assert problem.kind == "no mask" and problem.detail.endswith("a_mask.png is there")


@pytest.mark.parametrize(
    "text", ["_mask", "{name}/{name}", "masks/{name}", "{nam}_x", "{name}{file}"]
)
def test_what_is_no_name_of_masks(text):
    with pytest.raises(UserError, match=r"config.data.mask_name is .* it must hold \{name\}"):
        parse_naming(text)


def test_names_of_masks_are_read():
    assert parse_naming("") is None and parse_naming("{name}").is_plain
    assert str(parse_naming(" {name}_Mask.png ")) == "{name}_mask"
    assert parse_naming("{file}") == MaskName("", "", True)


letters = st.text("abcdeAB머리_-. 019é", min_size=1, max_size=6).filter(lambda name: name.strip())
affix = st.tuples(
    st.sampled_from(["", "mask_", "m-", "Hair "]), st.sampled_from(["", "_mask", ".seg", "-h1"])
)


@settings(deadline=None, max_examples=150)
@example({"0", "_", "a"}, ("", "_mask"), 2)
@given(st.sets(letters, min_size=3, max_size=12), affix, st.integers(0, 2))
def test_any_affix_of_any_names(stems, around, lacking):
    """What made the masks' names is found, or asked for; a photograph never gets another's mask."""
    before, after = around
    stems = sorted(stems)
    masks = [f"{before}{stem}{after}.png" for stem in stems[lacking:]]
    place = FolderNames(".", [f"{stem}.jpg" for stem in stems], masks)
    try:
        naming = tell_naming([place], None, False)
    except UserError:
        return
    cores = {naming.core(mask): mask for mask in masks}
    for number, stem in enumerate(stems):
        its = f"{before}{stem}{after}.png" if number >= lacking else None
        assert cores.get(naming.key(f"{stem}.jpg")) in (its, None)

"""The coding of masks is decided for the whole set, told, or asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hairjax.data.prepare.load import load_photos
from hairjax.data.prepare.mask_values import parse_hair
from hairjax.data.prepare.read import prepare
from hairjax.data.prepare.store import prepare_once
from hairjax.data.sources.photos import Search, find_photos
from hairjax.system.errors import UserError
from tests.data.reading import reading

SIDE = 8
HAIR = np.zeros((SIDE, SIDE), bool)
HAIR[:3, 2:6] = True
SKIN = np.zeros((SIDE, SIDE), bool)
SKIN[3:6, 2:6] = True
BALD = HAIR & False
FACE = [(0, 0, 0), (204, 0, 0), (0, 0, 204)]  # background, skin, hair


def write(root, masks, kind="png", **how):
    """Photographs of two classes with these masks, given as images or arrays."""
    pixels = np.random.default_rng(0).integers(0, 256, (len(masks), SIDE, SIDE, 3), np.uint8)
    for i, mask in enumerate(masks):
        for folder, image in (
            ("photos", Image.fromarray(pixels[i])),
            ("masks", mask if isinstance(mask, Image.Image) else Image.fromarray(mask)),
        ):
            suffix = "tif" if image.mode == "F" else kind if folder == "masks" else "png"
            path = root / folder / f"level_{i % 2}" / f"{i:03}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path, **how)


def find(root):
    return find_photos(
        Search(
            photos=str(root / "photos"),
            masks=str(root / "masks"),
            manifest="",
            subject="",
            classes=None,
            need_masks=True,
        )
    )


def read(root, mask_value="", held="", cache=""):
    """Masks in the order of the files, the coding, and the problems."""
    index = find(root)
    changes = {"cache": str(cache), "hair": parse_hair(mask_value), "mask_coding": held}
    options = reading(SIDE, on_bad="skip", **changes)
    if cache:
        photos, problems = prepare_once(index, options)
    else:
        photos, problems = prepare(index, options, lambda done, total: None)
    order = np.argsort([file.rpartition("/")[2] for file in photos.files])
    return photos.images[order][..., 3], photos.mask_coding, problems


def labels(hair, skin=SKIN, values=(0, 1, 2)):
    """A label map: background, skin, hair."""
    background, of_skin, of_hair = values
    return np.where(hair, of_hair, np.where(skin, of_skin, background)).astype(np.uint8)


def in_palette(index, colours):
    image = Image.fromarray(index.astype(np.uint8), mode="P")
    image.putpalette([part for colour in colours for part in colour])
    return image


def colours(index):
    return np.array(FACE, np.uint8)[index]


def faces(hair):
    """As face parsers write them: of 0 … 18, hair 17."""
    found = labels(hair, values=(0, 1, 17))
    found[7] = np.where(hair[7], 17, 16)
    return found


# One mask as each tool writes it; the set's coding, and what must be asked for.
CODINGS = {
    "0/1": (lambda hair: hair.astype(np.uint8), "0/1", ""),
    "0/255": (lambda hair: hair.astype(np.uint8) * 255, "0/255", ""),
    "0/128": (lambda hair: hair.astype(np.uint8) * 128, "0/128", ""),
    "1 bit": (lambda hair: Image.fromarray(hair), "0/255", ""),
    "16 bits, 0/65535": (lambda hair: hair.astype(np.uint16) * 65535, "0/65535", ""),
    "16 bits, 0/1": (lambda hair: hair.astype(np.uint16), "0/1", ""),
    "red": (lambda hair: colours(hair.astype(int)), "0/#cc0000", ""),
    "RGB of 0/1": (lambda hair: np.repeat(hair[..., None], 3, 2).astype(np.uint8), "0/1", ""),
    "palette of two": (lambda hair: in_palette(hair, FACE), "0/#cc0000", ""),
    "label map": (labels, "value 2", "2"),
    "label map of a face": (faces, "value 17", "17"),
    "label map in 16 bits": (lambda hair: faces(hair).astype(np.uint16), "value 17", "17"),
    "RGB of 0/1/2": (lambda hair: np.repeat(labels(hair)[..., None], 3, 2), "value 2", "2"),
    "colours": (lambda hair: colours(labels(hair)), "value #0000cc", "0, 0, 204"),
    "colours, in hexadecimal": (lambda hair: colours(labels(hair)), "value #0000cc", "#0000CC"),
    "palette of three": (lambda hair: in_palette(labels(hair), FACE), "value 2", "2"),
    "palette of three, by colour": (
        lambda hair: in_palette(labels(hair), FACE),
        "value #0000cc",
        "#0000cc",
    ),
    "black hair": (
        lambda hair: np.where(hair, 0, 255).astype(np.uint8),
        "inverted 0/255",
        "inverted",
    ),
    "black hair of 0/1": (lambda hair: (~hair).astype(np.uint8), "inverted 0/1", "inverted"),
    "hair 0 in a label map": (lambda hair: labels(hair, values=(2, 1, 0)), "value 0", "0"),
}


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.situation(
    "Masks",
    "hair as 1, 128, 255 or 65535, in grey, RGB or a palette, bald heads of 0 alone among them",
    "read alike: the coding is that of the whole set, said in one line",
)
def test_hair_is_hair_however_it_is_written(tmp_path, coding, stored):
    """Bald heads among them, whose files alone would say something else."""
    encode, name, value = CODINGS[coding]
    shapes = [HAIR, BALD, HAIR.T, BALD, HAIR | SKIN]
    write(tmp_path, [encode(shape) for shape in shapes])
    masks, found, problems = read(tmp_path, value, cache=tmp_path / "cache" if stored else "")
    assert (found, problems) == (name, [])
    np.testing.assert_array_equal(masks, np.stack(shapes) * np.uint8(255))


@pytest.mark.parametrize(
    ("coding", "said"),
    [
        ("label map", r"0 \([0-9.]+% of the pixels, in 5\).* 2 .* 1 .*perhaps 2, as maps of"),
        ("label map of a face", r"perhaps 17, as face-parsing"),
        ("colours", r"#000000 .* #0000cc"),
        ("palette of three", r"#000000 .* #cc0000"),
        ("RGB of 0/1/2", "perhaps 2"),
    ],
)
@pytest.mark.situation(
    "Masks",
    "label maps of a face parser, or of an annotation tool (0/1/2), or class colours",
    "refused with the values, their shares and a guess, until `data.mask_value` names hair",
)
def test_what_cannot_be_known_is_asked_for_with_values_shares_and_a_guess(tmp_path, coding, said):
    shapes = [HAIR, BALD, HAIR.T, BALD, HAIR | SKIN]
    write(tmp_path, [CODINGS[coding][0](shape) for shape in shapes])
    with pytest.raises(
        UserError, match=f"several things, .*{said}.*: give config.data.mask_value="
    ):
        read(tmp_path)


@pytest.mark.situation(
    "Masks",
    "a `data.mask_value` that no mask holds",
    "refused with the values that the masks do hold",
)
def test_a_value_that_no_mask_holds_is_refused(tmp_path):
    write(tmp_path, [labels(HAIR)] * 4)
    with pytest.raises(UserError, match="mask_value is 17, which no mask holds; they hold 0 "):
        read(tmp_path, "17")


@pytest.mark.situation(
    "Masks",
    "a label map in which most heads are bald, so that most masks hold skin alone",
    "asked for as any label map: skin is not taken for hair",
)
@pytest.mark.parametrize("encode", [labels, lambda hair: colours(labels(hair))])
def test_mostly_bald_heads_in_a_label_map(tmp_path, encode):
    write(tmp_path, [encode(BALD)] * 5 + [encode(HAIR)])
    with pytest.raises(UserError, match="several things, and which is hair cannot be known"):
        read(tmp_path)


def large(mask):
    """With room for the blocks of a JPEG, and edges that they do not fall on."""
    return mask.repeat(13, axis=0).repeat(13, axis=1)


@pytest.mark.situation(
    "Masks",
    "label maps saved as JPEG, in greys or colours",
    "refused, as JPEG changes numbers: to be saved as PNG",
)
@pytest.mark.parametrize("quality", [40, 75, 95])
@pytest.mark.parametrize(
    "encode",
    [
        lambda hair: labels(hair, values=(0, 100, 200)),
        lambda hair: labels(hair, values=(0, 128, 255)),
        labels,
        lambda hair: colours(labels(hair)),
    ],
)
def test_label_maps_as_jpeg(tmp_path, encode, quality):
    masks = [large(encode(hair)) for hair in (HAIR, HAIR.T, BALD, HAIR)]
    write(tmp_path, masks, "jpg", quality=quality)
    with pytest.raises(UserError, match=r"several things, .* \(saved as JPEG .*: save PNG first\)"):
        read(tmp_path)


@pytest.mark.situation(
    "Masks", "masks of 0 and 255 saved as JPEG", "degrees of hair, soft only at the edges"
)
@pytest.mark.parametrize("quality", [40, 75, 95])
def test_binary_masks_as_jpeg(tmp_path, quality):
    shapes = [HAIR, BALD, HAIR.T, HAIR | SKIN]
    masks = [large(shape.astype(np.uint8) * 255) for shape in shapes]
    write(tmp_path, masks, "jpg", quality=quality)
    found, name, problems = read(tmp_path)
    assert (name, problems) == ("soft 255", [])
    assert np.abs(found.astype(int) - np.stack(shapes) * 255).max() < 20
    assert read(tmp_path, held="0/255")[2] == []


@pytest.mark.situation(
    "Masks",
    "a label map in palettes of which each has its own order of colours",
    "refused for a number, which is another thing in each; the colour is taken",
)
def test_palettes_of_other_orders(tmp_path):
    background, skin, hair = FACE
    one = in_palette(labels(HAIR), FACE)
    other = in_palette(labels(HAIR, values=(0, 2, 1)), [background, hair, skin])
    write(tmp_path, [one, other] * 2)
    said = r"mask_value is 2, which is another colour .*#0000cc in 2, #cc0000 in 2"
    with pytest.raises(UserError, match=said):
        read(tmp_path, "2")
    masks, _, problems = read(tmp_path, "#0000cc")
    assert not problems
    np.testing.assert_array_equal(masks, [HAIR * np.uint8(255)] * 4)


@pytest.mark.situation(
    "Masks",
    "a label map that Pillow saved in a palette without colours",
    "named as damaged: its numbers are lost",
)
def test_a_palette_without_colours(tmp_path):
    write(tmp_path, [labels(HAIR)] * 3)
    image = Image.new("P", (SIDE, SIDE))
    image.putdata(labels(HAIR).ravel().tolist())
    image.save(tmp_path / "masks/level_0/000.png")
    [problem] = read(tmp_path, "2")[2]
    assert problem.kind == "mask cannot be read"
    assert "its palette has 1 colours and its pixels are of more" in problem.detail


SOFT = np.linspace(0, 255, SIDE * SIDE).round().astype(np.uint8).reshape(SIDE, SIDE)


@pytest.mark.parametrize(
    ("encode", "name"),
    [
        (lambda mask: mask, "soft 255"),
        (lambda mask: mask.astype(np.uint16) * 257, "soft 65535"),
        (lambda mask: mask.astype(np.uint16) * 16, "soft 4095"),
        (lambda mask: Image.fromarray(mask.astype(np.float32) / 255), "soft 1"),
    ],
)
@pytest.mark.situation(
    "Masks",
    "soft masks of 8, 12 or 16 bits or floating point, faint and empty ones among them",
    "one white for the set: a faint mask stays faint",
)
def test_degrees_are_those_of_the_whole_set(tmp_path, encode, name):
    """A faint mask stays faint beside others, and an empty one empty."""
    whole = [SOFT, SOFT // 2, SOFT.T, SOFT * 0, (SOFT > 99) * np.uint8(255)]
    write(tmp_path, [encode(mask) for mask in whole])
    masks, found, problems = read(tmp_path)
    assert (found, problems) == (name, [])
    assert np.abs(masks.astype(int) - np.stack(whole)).max() <= 1


@pytest.mark.situation(
    "Masks",
    "trimaps (0, 128, 255)",
    "asked whether 128 is another thing or half hair: `data.mask_value=255` or `soft`",
)
def test_few_degrees_are_asked_for(tmp_path):
    trimap = labels(HAIR, values=(0, 128, 255))
    write(tmp_path, [trimap] * 4)
    with pytest.raises(UserError, match="or soft if all are degrees of hair"):
        read(tmp_path)
    masks, name, _ = read(tmp_path, "soft")
    assert name == "soft 255"
    np.testing.assert_array_equal(masks, [trimap] * 4)


@pytest.mark.situation(
    "Masks",
    "a few masks of 0/1 among masks of 0/255",
    "named as unusable; refused where no coding is that of more than half",
)
def test_those_of_another_coding_are_named_and_none_is_read_as_something_else(tmp_path):
    binary = HAIR.astype(np.uint8)
    write(tmp_path, [binary * 255] * 4 + [binary])
    masks, name, problems = read(tmp_path)
    assert name == "0/255" and len(masks) == 4
    [problem] = problems
    assert problem.kind == "the mask is of another coding"
    assert problem.detail.startswith("0 (81.2%), 1 (18.8%); the others are 0/255")
    for value in (300, 65535):
        write(tmp_path, [binary * 255] * 4 + [binary.astype(np.uint16) * value])
        masks, name, problems = read(tmp_path)
        assert (name, len(masks), len(problems)) == ("0/255", 4, 1)
    write(tmp_path, [binary * 255, binary * 255, binary, binary, binary * 7])
    with pytest.raises(UserError, match="of several codings, none of them in the majority"):
        read(tmp_path)


@pytest.mark.situation(
    "Masks",
    "a mask in the alpha channel among grey ones, or the other way round",
    "the fewer are named as unusable",
)
def test_transparency_among_greys_is_another_coding(tmp_path):
    grey = HAIR.astype(np.uint8) * 255
    alpha = Image.merge("LA", [Image.fromarray(grey * 0 + 9), Image.fromarray(grey)])
    write(tmp_path, [alpha] * 3 + [grey])
    masks, name, [problem] = read(tmp_path)
    assert name == "alpha 0/255" and len(masks) == 3 and problem.path.endswith("003.png")


@pytest.mark.parametrize(
    ("held", "mask", "said"),
    [
        ("0/255", labels(HAIR), "trained with masks of 0/255; these hold 0 "),
        ("0/255", HAIR.astype(np.uint8), "these hold 0 .*, 1 "),
        ("0/1", HAIR.astype(np.uint8) * 255, "trained with masks of 0/1"),
        ("0/255", labels(HAIR, values=(0, 20, 200)), "these hold 0 .* 20 "),
        ("0/255", labels(HAIR, values=(0, 128, 255)), "trained with masks of 0/255"),
        ("0/255", labels(HAIR, values=(0, 1, 40)), "trained with masks of 0/255"),
        ("soft 255", HAIR.astype(np.uint8), "trained with masks of soft 255"),
        ("0/#cc0000", colours(labels(HAIR, SKIN)), "trained with masks of 0/#cc0000"),
    ],
)
@pytest.mark.situation(
    "Masks",
    "masks for `predict` or `evaluate` coded otherwise than those of training",
    "refused with both codings",
)
def test_new_masks_are_held_against_those_of_the_run(tmp_path, held, mask, said):
    write(tmp_path, [mask] * 2)
    with pytest.raises(UserError, match=said):
        read(tmp_path, held=held)


@pytest.mark.parametrize("held", ["0/255", "soft 255"])
@pytest.mark.situation(
    "Masks",
    "binary masks for a run trained with soft ones of the same white",
    "read",
)
def test_soft_and_binary_masks_of_one_white_go_together(tmp_path, held):
    write(tmp_path, [SOFT, HAIR.astype(np.uint8) * 255, BALD.astype(np.uint8)])
    masks, name, problems = read(tmp_path, held=held)
    assert (name, problems) == (held, [])
    np.testing.assert_array_equal(masks[:2], [SOFT, HAIR * np.uint8(255)])


@pytest.mark.parametrize("value", ["hair", "-1", "70000", "1,2", "#12345", "300,0,0", "1.5"])
def test_what_no_value_of_a_mask_is_is_refused(value):
    with pytest.raises(UserError, match=r"mask_value is .*; it can be the label of hair in"):
        parse_hair(value)


shapes = st.lists(
    st.lists(st.booleans(), min_size=16, max_size=16).map(lambda b: np.reshape(b, (4, 4))),
    min_size=3,
    max_size=6,
)


@settings(max_examples=40)
@given(shapes, st.sampled_from(sorted(CODINGS)), st.randoms())
def test_any_set_in_any_coding_is_read_as_it_is_or_asked_for(
    tmp_path_factory, truth, coding, random
):
    """Never as something else: right, named, or refused."""
    root = tmp_path_factory.mktemp("set")
    encode, _, value = CODINGS[coding]
    truth = [np.kron(shape, np.ones((2, 2), bool)) for shape in truth]
    write(root, [encode(shape) for shape in truth])
    for given_value in {value, ""}:
        try:
            masks, _, problems = read(root, given_value)
        except UserError as error:
            assert "mask_value" in str(error)
            continue
        if given_value == value:
            left = [i for i in range(len(truth)) if not any(f"{i:03}." in p.path for p in problems)]
            np.testing.assert_array_equal(masks, np.stack(truth)[left] * np.uint8(255))


@pytest.mark.situation(
    "Masks",
    "masks that are all empty",
    "refused",
)
def test_a_set_without_any_hair_is_refused(tmp_path):
    write(tmp_path, [BALD.astype(np.uint8)] * 4)
    index = find(tmp_path)
    with pytest.raises(UserError, match="all masks are empty"):
        load_photos(index, reading(SIDE), range(2))
    # A folder of bald people may be graded by a run.
    assert len(load_photos(index, reading(SIDE, mask_coding="0/255"), range(2))) == 4

"""Masks that annotation files draw: COCO, LabelMe, Label Studio."""

import base64
import io
import json
import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from hairjax.data.annotations.read import read_annotations
from hairjax.data.annotations.regions import CocoRuns
from hairjax.data.prepare import containers
from hairjax.data.prepare.mask_values import parse_hair
from hairjax.data.prepare.read import prepare, read_photo
from hairjax.data.prepare.store import prepare_once
from hairjax.system.errors import UserError
from tests.data.reading import reading
from tests.data.searching import find

WIDTH, HEIGHT = 20, 16
HAIR = np.zeros((HEIGHT, WIDTH), bool)
HAIR[2:9, 3:15] = True
OUTLINE = [[3, 2], [15, 2], [15, 9], [3, 9]]


def unpacked(text: str) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8))
    return bits.reshape(HEIGHT, WIDTH).astype(bool)


# Shapes, and what labelme 6.3.1 fills of 20 × 16 pixels (labelme.utils.shape_to_mask).
LABELME = {
    "polygon": (
        [[2.3, 1.7], [15.2, 3.9], [11.6, 13.4], [4.1, 9.8]],
        "00000200003f8001fff01fff01ffe01ffe00ffc00ffc00ffc003f8000f8000700001000000000000",
    ),
    "rectangle": (
        [[14.6, 11.2], [3.4, 2.5]],
        "00000000001ffe01ffe01ffe01ffe01ffe01ffe01ffe01ffe01ffe01ffe000000000000000000000",
    ),
    "circle": (
        [[9.5, 7.25], [13.1, 9.0]],
        "00000000000000000e0003f8003f8007fc007fc007fc003f8003f8000e0000000000000000000000",
    ),
    "oriented_rectangle": (
        [[5.0, 2.0], [14.0, 5.5], [11.5, 12.0], [2.5, 8.5]],
        "000000000004000078000ff000ffe01ffe01ffc03ffc00ff8001f800070000100000000000000000",
    ),
}
# Run lengths as label-studio-converter 0.0.59 encodes them (brush.mask2rle), and the mask.
BRUSHED = bytes(
    [
        *(0, 0, 5, 0, 57, 27, 254, 255, 0, 197, 127, 248, 140, 3, 21, 255, 226, 48, 9, 255, 237),
        *(128, 97, 127, 252, 70, 1, 138, 255, 241, 24, 6, 43, 255, 196, 96, 24, 175, 255, 17, 128),
        *(98, 191, 253, 102, 1, 31, 252, 224, 17, 255, 206, 1, 31, 252, 224, 17, 255, 206, 1, 31),
        *(252, 224, 17, 255, 206, 1, 31, 254, 243, 0, 0),
    ]
)
PAINTED = "0000000000000000ffe00ffe00c7e00ffe00ffe00ffe00ffe0000000000092492000000000000000"


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def photographs(root: Path, names=("level_0/a.jpg", "level_1/b.jpg"), size=(WIDTH, HEIGHT)):
    rng = np.random.default_rng(0)
    for name in names:
        path = root / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), np.uint8)).save(path)


def masks_of(index, side=WIDTH):
    """Masks by photograph, of padded squares the part that is the picture."""
    photos, problems = prepare(index, reading(side, fit="pad"), lambda done, total: None)
    top = (side - HEIGHT) // 2
    masks = photos.images[:, top : top + HEIGHT, :, 3]
    return dict(zip(photos.files, masks, strict=True)), problems


def polygon(label, points=OUTLINE, kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind, **more}


def labelme(*shapes, size=(WIDTH, HEIGHT)):
    said = {"imageWidth": size[0], "imageHeight": size[1]} if size else {}
    return {"version": "5.4.1", "shapes": [*shapes], "imagePath": "x.jpg", **said}


def coco(images, annotations, categories=("hair",), size=(WIDTH, HEIGHT)):
    """A set: annotations as (number of the image, number of the category, segmentation)."""
    return {
        "images": [
            {"id": i, "file_name": name, "width": size[0], "height": size[1]}
            for i, name in enumerate(images)
        ],
        "annotations": [
            {"id": i, "image_id": image, "category_id": category, "segmentation": area}
            for i, (image, category, area) in enumerate(annotations)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(categories)],
    }


def task(image, *results, **annotation):
    whole = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    result = [{**whole, "type": kind, "value": value} for kind, value in results]
    return {"data": {"image": image}, "annotations": [{"result": result, **annotation}]}


def brushed(label="Hair"):
    return "brushlabels", {"format": "rle", "rle": [*BRUSHED], "brushlabels": [label]}


# Right values ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LABELME)
def test_shapes_are_filled_as_labelme_fills_them(tmp_path, kind):
    points, expected = LABELME[kind]
    file = write(tmp_path / "a.json", labelme(polygon("hair", points, kind)))
    [image] = read_annotations([file], tmp_path).images
    np.testing.assert_array_equal(image.mask({"hair"}, (WIDTH, HEIGHT)), unpacked(expected))


def test_a_mask_of_labelme_lies_where_it_says(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(HAIR[2:9, 3:15]).save(buffer, "PNG")
    picture = base64.b64encode(buffer.getvalue()).decode()
    shape = polygon("hair", [[3, 2], [14, 8]], "mask", mask=picture)
    [image] = read_annotations([write(tmp_path / "a.json", labelme(shape))], tmp_path).images
    np.testing.assert_array_equal(image.mask({"hair"}, (WIDTH, HEIGHT)), HAIR)
    with pytest.raises(ValueError, match="outside a picture of 10 × 10"):
        image.mask({"hair"}, (10, 10))


def test_coco_is_filled_as_pycocotools_fills_it(tmp_path, capsys):
    rng = np.random.default_rng(1)
    noise = rng.random((HEIGHT, WIDTH)) < 0.3
    packed = coco_mask.encode(np.asfortranarray(noise.astype(np.uint8)))
    compressed = {"size": packed["size"], "counts": packed["counts"].decode()}
    flat = HAIR.flatten(order="F").astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, flat.size]).tolist()
    areas = [
        [[2.3, 1.7, 15.2, 3.9, 11.6, 13.4, 4.1, 9.8], [16.5, 1, 19, 1, 19, 4]],
        {"size": [HEIGHT, WIDTH], "counts": runs},
        compressed,
    ]
    content = coco(["a.jpg"], [(0, 0, area) for area in areas])
    file = write(tmp_path / "instances.json", content)
    [image] = read_annotations([file], tmp_path).images
    theirs = COCO(str(file))
    capsys.readouterr()
    for number, (one, annotation) in enumerate(
        zip(image.objects, theirs.loadAnns([0, 1, 2]), strict=True)
    ):
        expected = theirs.annToMask(annotation).astype(bool)
        assert expected.any() and not expected.all()
        np.testing.assert_array_equal(one.region.fill(WIDTH, HEIGHT), expected, str(number))
    np.testing.assert_array_equal(image.objects[1].region.fill(WIDTH, HEIGHT), HAIR)
    np.testing.assert_array_equal(image.objects[2].region.fill(WIDTH, HEIGHT), noise)
    union = np.any([theirs.annToMask(one) for one in theirs.loadAnns([0, 1, 2])], axis=0)
    np.testing.assert_array_equal(image.mask({"hair"}, (WIDTH, HEIGHT)), union)


def test_brushed_runs_are_read_as_label_studios_converter_reads_them(tmp_path):
    file = write(tmp_path / "tasks.json", [task("a.jpg", brushed())])
    [image] = read_annotations([file], tmp_path).images
    np.testing.assert_array_equal(image.mask({"Hair"}, (WIDTH, HEIGHT)), unpacked(PAINTED))


@pytest.mark.parametrize("cut", [3, 9, len(BRUSHED) - 6])
def test_damaged_runs_are_no_mask(tmp_path, cut):
    damaged = ("brushlabels", {"rle": [*BRUSHED[:cut]], "brushlabels": ["Hair"]})
    file = write(tmp_path / "tasks.json", [task("a.jpg", damaged)])
    [image] = read_annotations([file], tmp_path).images
    with pytest.raises(ValueError, match=r"too early|damaged"):
        image.mask({"Hair"}, (WIDTH, HEIGHT))
    with pytest.raises(ValueError, match="not those of 20 × 16 pixels"):
        CocoRuns((HEIGHT, WIDTH), (5, 6)).fill(WIDTH, HEIGHT)


def test_label_studio_draws_in_percent(tmp_path):
    corners = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in LABELME["polygon"][0]]
    box = {"x": 15.0, "y": 12.5, "width": 55.0, "height": 37.5, "rotation": 0}
    ball = {"x": 50, "y": 50, "radiusX": 20, "radiusY": 12.5, "rotation": 0}
    results = [
        ("polygonlabels", {"points": corners, "polygonlabels": ["outlined"]}),
        ("rectanglelabels", {**box, "rectanglelabels": ["boxed"]}),
        ("rectanglelabels", {**box, "x": 70.0, "rotation": 90, "rectanglelabels": ["turned"]}),
        ("ellipselabels", {**ball, "ellipselabels": ["round"]}),
        ("ellipselabels", {**ball, "rotation": 90, "ellipselabels": ["upright"]}),
    ]
    file = write(tmp_path / "tasks.json", [task("a.jpg", *results)])
    [image] = read_annotations([file], tmp_path).images
    filled = {one.category: one.region.fill(WIDTH, HEIGHT) for one in image.objects}
    np.testing.assert_array_equal(filled["outlined"], unpacked(LABELME["polygon"][1]))
    box = np.zeros((HEIGHT, WIDTH), bool)
    box[2:9, 3:15] = True
    np.testing.assert_array_equal(filled["boxed"], box)
    # Clockwise about its first corner, (14, 2): 6 wide to the left, 11 down.
    turned = np.argwhere(filled["turned"])
    assert turned.min(0).tolist() == [2, 8] and turned.max(0).tolist() == [13, 14]
    assert np.ptp(np.argwhere(filled["round"]), 0).tolist() == [4, 8]
    assert np.ptp(np.argwhere(filled["upright"]), 0).tolist() == [8, 4]


# A set -------------------------------------------------------------------------------------------


@pytest.mark.situation(
    "Masks",
    "outlines and run lengths in a COCO file (`instances_default.json`), by any folder's names",
    "drawn as pycocotools does, all objects of a photograph together; said with the category",
)
def test_coco_of_a_set(tmp_path):
    photographs(tmp_path)
    flat = [number for corner in OUTLINE for number in corner]
    content = coco(["images/a.jpg", "images/b.jpg"], [(0, 0, [flat]), (1, 0, [flat[:6]])])
    write(tmp_path / "masks/annotations/instances_default.json", content)
    index = find(tmp_path)
    masks, problems = masks_of(index)
    assert not problems and index.masks.category == "hair"
    assert "COCO's annotations, 'hair' in 2 of 2 photographs" in index.masks.said
    expected = coco_mask.decode(
        coco_mask.merge(coco_mask.frPyObjects([flat], HEIGHT, WIDTH))
    ).astype(bool)
    np.testing.assert_array_equal(masks["level_0/a.jpg"] == 255, expected)
    assert {*np.unique(masks["level_0/a.jpg"])} == {0, 255}


@pytest.mark.situation(
    "Masks",
    "a LabelMe file beside each photograph, sizes left out, labels typed `hair` and `Hair`",
    "drawn as LabelMe does, in the size of the photograph; spellings are one category",
)
def test_labelme_beside_the_photographs(tmp_path):
    photographs(tmp_path)
    write(tmp_path / "photos/level_0/a.json", labelme(polygon("hair"), size=None))
    write(tmp_path / "photos/level_1/b.json", labelme(polygon("Hair "), size=None))
    index = find(tmp_path, masks="photos")
    masks, problems = masks_of(index)
    assert not problems and len(masks) == 2
    for mask in masks.values():
        assert mask[2:10, 3:16].all() and mask.sum() == 255 * 8 * 13


@pytest.mark.situation(
    "Masks",
    "Label Studio's JSON export, names with what an upload put before them",
    "brush, outlines, boxes and ellipses are drawn; tasks nobody annotated have no mask",
)
def test_label_studio_of_a_set(tmp_path):
    photographs(tmp_path, ("level_0/a.jpg", "level_1/b.jpg", "level_1/c d.jpg"))
    tasks = [
        task("/data/upload/3/1f2e3d4c-a.jpg", brushed()),
        task("/data/upload/3/0a1b2c3d-b.jpg"),
        {"data": {"image": "/data/upload/3/0a1b2c3d-c%20d.jpg"}, "annotations": []},
    ]
    file = write(tmp_path / "project-1.json", tasks)
    index = find(tmp_path, masks=file.name)
    masks, _ = masks_of(index)
    np.testing.assert_array_equal(masks["level_0/a.jpg"] == 255, unpacked(PAINTED))
    assert not masks["level_1/b.jpg"].any()
    [problem] = index.problems
    assert problem.kind == "no mask" and problem.path.endswith("c d.jpg")
    assert "in 1 nothing is drawn, which is no hair" in index.masks.said


@pytest.mark.situation(
    "Masks",
    "annotations of several categories (hair, skin)",
    "refused with their numbers and a guess, until `data.mask_category` names hair",
)
def test_several_categories_are_asked_for(tmp_path):
    photographs(tmp_path)
    skin = [[16, 10], [19, 10], [19, 14]]
    for name in ("level_0/a", "level_1/b"):
        shapes = polygon("hair"), polygon("skin", skin)
        write(tmp_path / f"masks/{name}.json", labelme(*shapes))
    with pytest.raises(UserError, match=r"hair \(in 2\), skin \(in 2\); perhaps hair: give config"):
        find(tmp_path)
    chosen, _ = masks_of(find(tmp_path, category="HAIR"))
    held, _ = masks_of(find(tmp_path, held_category="hair"))
    for masks in (chosen, held):
        assert masks["level_0/a.jpg"].sum() == 255 * 8 * 13
    other, _ = masks_of(find(tmp_path, category="skin"))
    assert 0 < other["level_0/a.jpg"].sum() < 255 * 30
    with pytest.raises(UserError, match="'beard', and nothing is annotated so; categories are"):
        find(tmp_path, category="beard")
    write(tmp_path / "masks/level_0/a.json", labelme(polygon("skin", skin)))
    write(tmp_path / "masks/level_1/b.json", labelme(polygon("skin", skin)))
    with pytest.raises(UserError, match=r"trained with annotations of 'hair', and these are of sk"):
        find(tmp_path, held_category="hair")


def turned_photograph(path: Path, orientation: int):
    """A photograph of 16 × 20 stored pixels (width by height) that EXIF turns to 20 × 16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[274] = orientation
    pixels = np.random.default_rng(orientation).integers(0, 256, (WIDTH, HEIGHT, 3), np.uint8)
    Image.fromarray(pixels).save(path, exif=exif, quality=95)


@pytest.mark.situation(
    "Masks",
    "a run trained on masks of another coding (inverted, a label map), new masks as outlines",
    "what is drawn is hair, whatever the coding of the run",
)
@pytest.mark.parametrize("value, held", [("inverted", "inverted 0/255"), ("17", ""), ("", "0/1")])
def test_what_is_drawn_is_hair_in_any_coding(tmp_path, value, held):
    photographs(tmp_path)
    write(tmp_path / "masks/level_0/a.json", labelme(polygon("hair")))
    write(tmp_path / "masks/level_1/b.json", labelme())
    options = reading(WIDTH, fit="pad", hair=parse_hair(value), mask_coding=held)
    photos, problems = prepare(find(tmp_path), options, lambda done, total: None)
    assert not problems and photos.mask_coding == (held or "0/255")
    assert photos.images[0, ..., 3].sum() == 255 * 8 * 13
    assert not photos.images[1, ..., 3].any()


@pytest.mark.situation(
    "Masks",
    "outlines of photographs that EXIF turns, drawn upright or on the stored pixels",
    "told by the sizes of the whole set; what fits neither is named",
)
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_outlines_of_turned_photographs(tmp_path, orientation):
    for name in ("level_0/a.jpg", "level_1/b.jpg"):
        turned_photograph(tmp_path / "photos" / name, orientation)
        write(tmp_path / f"masks/{name[:-4]}.json", labelme(polygon("hair")))
    masks, problems = masks_of(find(tmp_path))
    assert not problems
    upright = masks["level_0/a.jpg"]
    assert upright[2:10, 3:16].all() and upright.sum() == 255 * 8 * 13
    # The same outline, as a tool that does not turn would have shown the stored pixels.
    back = {5: 5, 6: 8, 7: 7, 8: 6}[orientation]
    stored = transposed(Image.fromarray(upright), back)
    rows, columns = np.nonzero(np.asarray(stored))
    corners = [[columns.min(), rows.min()], [columns.max(), rows.max()]]
    points = [[int(x), int(y)] for x, y in corners]
    for name in ("level_0/a", "level_1/b"):
        shape = polygon("hair", points, "rectangle")
        write(tmp_path / f"masks/{name}.json", labelme(shape, size=(HEIGHT, WIDTH)))
    index = find(tmp_path)
    masks, problems = masks_of(index)
    assert not problems and "EXIF did not turn" in index.masks.said
    np.testing.assert_array_equal(masks["level_1/b.jpg"], upright)
    write(tmp_path / "masks/level_1/b.json", labelme(polygon("hair"), size=(WIDTH, 99)))
    _, [problem] = masks_of(find(tmp_path))
    assert problem.kind.startswith("the mask has another aspect ratio")


def transposed(image: Image.Image, orientation: int) -> Image.Image:
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[274] = orientation
    image.save(buffer, "PNG", exif=exif)
    return ImageOps.exif_transpose(Image.open(buffer))


@pytest.mark.situation(
    "Masks",
    "annotations that are no areas (boxes only, points, two annotators who differ)",
    "named in the report, with what is wrong",
)
def test_what_has_no_area_is_named(tmp_path):
    photographs(tmp_path, [f"level_{i % 2}/{i}.jpg" for i in range(6)])
    boxes = coco(
        [f"{i}.jpg" for i in range(6)],
        [(0, 0, [OUTLINE[0] + OUTLINE[1] + OUTLINE[2]]), (1, 0, []), (2, 0, [[1, 2, 3, 4]])],
    )
    write(tmp_path / "masks/x.json", boxes)
    found = {problem.detail.rpartition(": ")[2] for problem in find(tmp_path).problems}
    assert found == {
        "an object has a box and no outline",
        "an outline has fewer than three corners",
    }
    two = task("0.jpg", brushed())
    two["annotations"] *= 2
    turned = task("1.jpg", brushed())
    turned["annotations"][0]["result"][0]["image_rotation"] = 90
    best = task("2.jpg", brushed(), ground_truth=True)
    best["annotations"].append({"result": [], "ground_truth": False})
    left = task("3.jpg", brushed(), was_cancelled=True)
    dots = task("4.jpg", ("keypointlabels", {"x": 1, "y": 1, "keypointlabels": ["Hair"]}))
    write(tmp_path / "masks/x.json", [two, turned, best, left, dots])
    index = find(tmp_path)
    assert [entry.file for entry in index.entries] == ["level_0/2.jpg"]
    said = {Path(problem.path).name: problem.detail for problem in index.problems}
    assert "2 annotations of it are there" in said["0.jpg"] and "turned by 90°" in said["1.jpg"]
    assert "does not speak of it" in said["3.jpg"] and "a keypoint has no area" in said["4.jpg"]


def test_folders_count_where_most_have_them(tmp_path):
    names = ["level_0/a.jpg", "level_1/a.jpg", "level_1/b.jpg"]
    photographs(tmp_path, names)
    flat = [number for corner in OUTLINE for number in corner]
    for prefix in ("", "photos/", "C:\\set\\"):
        content = coco([prefix + name for name in names[:2]], [(0, 0, [flat])])
        write(tmp_path / "masks/x.json", content)
        index = find(tmp_path)
        masks, _ = masks_of(index)
        assert masks["level_0/a.jpg"].any() and not masks["level_1/a.jpg"].any()
        assert [Path(one.path).name for one in index.problems] == ["b.jpg"]
    write(tmp_path / "masks/x.json", coco(["a.jpg", "b.jpg"], [(0, 0, [flat]), (1, 0, [flat])]))
    kinds = {problem.kind for problem in find(tmp_path).problems}
    assert kinds == {"one mask for several photographs"}


@pytest.mark.parametrize(
    "content, said",
    [
        ({"images": [], "annotations": []}, "annotations of 0 pictures"),
        (coco(["z.jpg"], []), r"1 picture \(z.jpg\), and none is of the photographs"),
        ({"regions": {}}, "holds the keys regions; masks can be read from pictures, or from COCO"),
        ([{"image": "a"}], "a list of entries with the keys image"),
        ({"shapes": [{"label": "x"}]}, "not as their program writes them"),
    ],
)
@pytest.mark.situation(
    "Masks",
    "a `.json` of no picture of the set, or of another program",
    "refused with what it holds",
)
def test_other_files_are_told(tmp_path, content, said):
    photographs(tmp_path)
    write(tmp_path / "masks/x.json", content)
    with pytest.raises(UserError, match=said):
        find(tmp_path)
    (tmp_path / "masks/x.json").write_text("{")
    with pytest.raises(UserError, match="is no JSON"):
        find(tmp_path)


def test_pycocotools_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    photographs(tmp_path)
    write(tmp_path / "masks/x.json", coco(["a.jpg"], [(0, 0, [[1, 2, 3, 4, 5, 6]])]))
    with pytest.raises(UserError, match=r"pip install -r requirements-coco.txt"):
        find(tmp_path)


def test_a_changed_annotation_is_another_prepared_set(tmp_path):
    photographs(tmp_path)
    options = reading(WIDTH, cache=str(tmp_path / "cache"))
    for width in (6, 9):
        for name in ("level_0/a", "level_1/b"):
            shape = polygon("hair", [[3, 2], [3 + width, 8]], "rectangle")
            write(tmp_path / f"masks/{name}.json", labelme(shape))
        photos, problems = prepare_once(find(tmp_path), options)
        assert not problems
        drawn = photos.images[np.arange(2)][..., 3]
        direct = [
            read_photo(e.path, e.mask, WIDTH, "squash").pixels for e in find(tmp_path).entries
        ]
        np.testing.assert_array_equal(drawn, np.stack(direct)[..., 3])
    assert len([*(tmp_path / "cache").glob("photos_*")]) == 2


@pytest.mark.parametrize("name", ["a.heic", "a.png"])
def test_what_reads_photographs_is_there_where_no_heic_was_read_before(tmp_path, monkeypatch, name):
    """Pillow knows HEIC once pillow-heif was asked for, and asks for it where nothing else fits."""
    photographs(tmp_path, ["level_0/a.png", "level_1/b.png"])
    path = tmp_path / "photos" / "level_0" / "a.png"
    if name == "a.heic":
        pillow_heif.register_heif_opener()
        Image.open(path).save(path.with_suffix(".heic"))
        path.unlink()
    else:
        path.write_bytes(b"damaged")
    for one in ("level_0/a", "level_1/b"):
        write(tmp_path / f"masks/{one}.json", labelme(polygon("hair"), size=None))
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    containers._register_heif.cache_clear()
    found = {entry.file for entry in find(tmp_path).entries}
    assert ("level_0/a.heic" in found, "level_1/b.png" in found) == (name == "a.heic", True)


def test_the_checksum_of_a_drawn_mask_is_of_its_pixels(tmp_path):
    """And not of what one build of zlib makes of them."""
    photographs(tmp_path)
    write(tmp_path / "masks/level_0/a.json", labelme(polygon("hair")))
    write(tmp_path / "masks/level_1/b.json", labelme())
    drawn = find(tmp_path).entries[0].mask.read_bytes()
    pixels = np.asarray(Image.open(io.BytesIO(drawn)))
    assert pixels.any() and pixels.tobytes() in drawn


def test_a_manifest_that_names_every_mask_needs_no_annotations(tmp_path):
    photographs(tmp_path)
    names = {"level_0/a.jpg": "x.png", "level_1/b.jpg": "y.png"}
    lines = [f"{file},{file[:7]},{mask}" for file, mask in names.items()]
    (tmp_path / "list.csv").write_text("\n".join(["file,label,mask", *lines, ""]))
    write(tmp_path / "masks" / "notes.json", {"by": "anna"})
    for mask in names.values():
        Image.fromarray(HAIR).save(tmp_path / "masks" / mask)
    index = find(tmp_path, manifest="list.csv")
    assert [entry.mask.name for entry in index.entries] == ["x.png", "y.png"]

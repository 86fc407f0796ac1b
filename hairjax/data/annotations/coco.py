"""COCO JSON: polygons and run lengths of a set of images in one file."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hairjax.data.annotations.image import AnnotatedImage, AnnotatedObject
from hairjax.data.annotations.regions import CocoPolygons, CocoRuns
from hairjax.system.extras import import_pycocotools


def is_coco(content: Any) -> bool:
    """True for the contents of a COCO file."""
    return isinstance(content, dict) and {"images", "annotations"} <= content.keys()


def read_coco(content: Mapping[str, Any], file: Path) -> list[AnnotatedImage]:
    """Read all images of a COCO file, with or without objects.

    Raises:
        UserError: pycocotools is not installed.
        KeyError, TypeError, ValueError: the contents are invalid.
    """
    if content["annotations"]:
        import_pycocotools()
    names = {one["id"]: str(one["name"]) for one in content.get("categories", ())}
    objects = defaultdict(list)
    for annotation in content["annotations"]:
        objects[annotation["image_id"]].append(annotation)
    return [_image(image, objects[image["id"]], names, file) for image in content["images"]]


def _image(
    image: Mapping[str, Any],
    annotations: list[Mapping[str, Any]],
    names: Mapping[Any, str],
    file: Path,
) -> AnnotatedImage:
    width, height = image.get("width"), image.get("height")
    name = str(image["file_name"]).replace("\\", "/")
    objects, problem = [], ""
    for one in annotations:
        shape = _shape(one.get("segmentation"))
        if isinstance(shape, str):
            problem = shape
        else:
            objects.append(AnnotatedObject(names[one["category_id"]], shape))
            if isinstance(shape, CocoRuns) and not (width and height):
                height, width = shape.size
    size = (int(width), int(height)) if width and height else None
    return AnnotatedImage(name, size, tuple(objects), file, problem)


def _shape(segmentation: Any) -> CocoPolygons | CocoRuns | str:
    if isinstance(segmentation, dict):
        height, width = segmentation["size"]
        counts = segmentation["counts"]
        runs = counts if isinstance(counts, str) else tuple(map(int, counts))
        return CocoRuns((int(height), int(width)), runs)
    if not segmentation:
        return "an object has a box and no outline"
    polygons = tuple(tuple(map(float, polygon)) for polygon in segmentation)
    # pycocotools interprets four numbers as a box.
    if any(len(polygon) < 6 or len(polygon) % 2 for polygon in polygons):
        return "an outline has fewer than three corners"
    return CocoPolygons(polygons)

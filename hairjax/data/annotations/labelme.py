"""LabelMe JSON: one file beside each image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hairjax.data.annotations.image import AnnotatedImage, AnnotatedObject
from hairjax.data.annotations.regions import Ellipse, Patch, Polygon, Rectangle, Region


def is_labelme(content: Any) -> bool:
    """True for the contents of a LabelMe file."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list)


def read_labelme(content: Mapping[str, Any], file: Path, name: str) -> AnnotatedImage:
    """Read the image `name` of a LabelMe file.

    Shapes are filled as by ``labelme.utils.shape_to_mask``.

    Raises:
        KeyError, TypeError, ValueError: the contents are invalid.
    """
    width, height = content.get("imageWidth"), content.get("imageHeight")
    objects, problem = [], ""
    for shape in content["shapes"]:
        area = _area(shape)
        if isinstance(area, str):
            problem = area
        else:
            objects.append(AnnotatedObject(str(shape["label"]), area))
    size = (int(width), int(height)) if width and height else None
    return AnnotatedImage(name, size, tuple(objects), file, problem)


def _area(shape: Mapping[str, Any]) -> Region | str:
    kind = shape.get("shape_type") or "polygon"
    points = tuple((float(x), float(y)) for x, y in shape["points"])
    if kind in ("polygon", "oriented_rectangle"):
        if len(points) < 3:
            return "an outline has fewer than three corners"
        return Polygon(points)
    if kind not in ("rectangle", "circle", "mask"):
        return f"a {kind} has no area"
    if len(points) != 2:
        return f"a {kind} has {len(points)} points and not two"
    if kind == "rectangle":
        return Rectangle(points)
    (left, top), (right, bottom) = points
    if kind == "circle":
        radius = ((right - left) ** 2 + (bottom - top) ** 2) ** 0.5
        return Ellipse((left, top), (radius, radius))
    return Patch((int(left), int(top), int(right), int(bottom)), str(shape["mask"]))

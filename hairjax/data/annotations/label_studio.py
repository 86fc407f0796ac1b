"""Label Studio JSON: tasks of a project, with brushed or drawn regions."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hairjax.data.annotations.image import AnnotatedImage, AnnotatedObject
from hairjax.data.annotations.regions import BrushRuns, Ellipse, Polygon, Region

_AREAS = ("brushlabels", "polygonlabels", "rectanglelabels", "ellipselabels")
_MARKS = ("keypointlabels", "vectorlabels")


def is_label_studio(content: Any) -> bool:
    """True for the contents of a Label Studio file."""
    return isinstance(content, list) and all(
        isinstance(task, dict) and "data" in task and "annotations" in task for task in content
    )


def read_label_studio(content: list[Mapping[str, Any]], file: Path) -> list[AnnotatedImage]:
    """Read the images of all annotated tasks.

    Raises:
        KeyError, TypeError, ValueError: the contents are invalid.
    """
    images = []
    for task in content:
        done = [one for one in task["annotations"] if not one.get("was_cancelled")]
        true = [one for one in done if one.get("ground_truth")]
        done = true or done
        name = _name(task)
        if len(done) == 1:
            images.append(_image(name, done[0]["result"], file))
        elif done:
            problem = f"{len(done)} annotations of it are there: mark one as ground truth"
            images.append(AnnotatedImage(name, None, (), file, problem))
    return images


def _name(task: Mapping[str, Any]) -> str:
    """Path of a task's image: a path, a URL, or a path below local files."""
    values = [value for value in task["data"].values() if isinstance(value, str)]
    source = str(task["data"].get("image") or next(iter(values)))
    parts = urlsplit(source)
    local = parse_qs(parts.query).get("d")
    return unquote(local[0] if local else parts.path if parts.scheme else source).replace("\\", "/")


def _image(name: str, result: list[Mapping[str, Any]], file: Path) -> AnnotatedImage:
    objects, sizes, problem = [], set(), ""
    for one in result:
        kind = one["type"]
        if kind not in _AREAS:
            if kind in _MARKS:
                problem = f"a {kind.removesuffix('labels')} has no area"
            continue
        size = int(one["original_width"]), int(one["original_height"])
        sizes.add(size)
        if one.get("image_rotation"):
            problem = f"it was turned by {one['image_rotation']}° in Label Studio"
        labels = one["value"].get(kind) or ["(no label)"]
        objects += [
            AnnotatedObject(str(label), _shape(kind, one["value"], size)) for label in labels
        ]
    if len(sizes) > 1:
        problem = "its areas are of pictures of different sizes"
    return AnnotatedImage(name, min(sizes, default=None), tuple(objects), file, problem)


def _shape(kind: str, value: Mapping[str, Any], size: tuple[int, int]) -> Region:
    """Region from coordinates in percent of width and height."""
    width, height = size
    if kind == "brushlabels":
        return BrushRuns(bytes(value["rle"]))
    if kind == "polygonlabels":
        return Polygon(tuple((x * width / 100, y * height / 100) for x, y in value["points"]))
    x, y = value["x"] * width / 100, value["y"] * height / 100
    turn = value.get("rotation") or 0.0
    if kind == "ellipselabels":
        radii = value["radiusX"] * width / 100, value["radiusY"] * height / 100
        return Ellipse((x, y), radii, turn)
    # Rectangles rotate about their first corner.
    across, down = value["width"] * width / 100, value["height"] * height / 100
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    corners = ((0.0, 0.0), (across, 0.0), (across, down), (0.0, down))
    return Polygon(tuple((x + a * cos - b * sin, y + a * sin + b * cos) for a, b in corners))

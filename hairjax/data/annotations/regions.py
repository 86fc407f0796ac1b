"""Regions of annotation files, and their rasterisation."""

import base64
import io
import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from hairjax.system.extras import import_pycocotools

Points = tuple[tuple[float, float], ...]


class Region(Protocol):
    """Region of an image."""

    def fill(self, width: int, height: int) -> NDArray[np.bool_]:
        """Rasterise the region: bool [height, width].

        Raises:
            ValueError: the region is damaged or of another image size.
        """


@dataclass(frozen=True)
class Polygon:
    """Polygon with border, filled as in LabelMe; x and y of the corners in pixels."""

    points: Points

    def fill(self, width: int, height: int) -> NDArray[np.bool_]:
        mask = Image.new("1", (width, height))
        ImageDraw.Draw(mask).polygon([*self.points], fill=1, outline=1)
        return np.array(mask)


@dataclass(frozen=True)
class Rectangle:
    """Axis-aligned rectangle with border: x and y of two opposite corners in pixels."""

    points: Points

    def fill(self, width: int, height: int) -> NDArray[np.bool_]:
        across, down = (sorted(values) for values in zip(*self.points, strict=True))
        mask = Image.new("1", (width, height))
        box = (across[0], down[0], across[1], down[1])
        ImageDraw.Draw(mask).rectangle(box, fill=1, outline=1)
        return np.array(mask)


@dataclass(frozen=True)
class Ellipse:
    """Ellipse: centre and half axes in pixels, rotated clockwise by degrees."""

    centre: tuple[float, float]
    radii: tuple[float, float]
    turn: float = 0.0

    def fill(self, width: int, height: int) -> NDArray[np.bool_]:
        (x, y), (across, down) = self.centre, self.radii
        if self.turn == 0:
            mask = Image.new("1", (width, height))
            box = (x - across, y - down, x + across, y + down)
            ImageDraw.Draw(mask).ellipse(box, fill=1, outline=1)
            return np.array(mask)
        cos, sin = math.cos(math.radians(self.turn)), math.sin(math.radians(self.turn))
        rows, columns = np.mgrid[:height, :width]
        along = (columns - x) * cos + (rows - y) * sin
        beside = (rows - y) * cos - (columns - x) * sin
        return (along / across) ** 2 + (beside / down) ** 2 <= 1


@dataclass(frozen=True)
class Patch:
    """Base64-encoded mask as in LabelMe; left, top, right, bottom in pixels."""

    box: tuple[int, int, int, int]
    picture: str

    def fill(self, width: int, height: int) -> NDArray[np.bool_]:
        left, top, right, bottom = self.box
        found = np.asarray(Image.open(io.BytesIO(base64.b64decode(self.picture)), formats=("PNG",)))
        if found.shape != (bottom - top + 1, right - left + 1):
            raise ValueError(f"a mask of {found.shape[::-1]} pixels has the place {self.box}")
        if left < 0 or top < 0 or right >= width or bottom >= height:
            raise ValueError(f"a mask at {self.box} is outside a picture of {width} × {height}")
        mask = np.zeros((height, width), bool)
        mask[top : bottom + 1, left : right + 1] = found > 0
        return mask


@dataclass(frozen=True)
class CocoPolygons:
    """Polygons filled as in COCO: alternating x and y of the corners, one tuple per polygon."""

    polygons: tuple[tuple[float, ...], ...]

    def fill(self, width: int, height: int) -> NDArray[np.bool_]:
        coco = import_pycocotools()
        runs = coco.frPyObjects([[*polygon] for polygon in self.polygons], height, width)
        return coco.decode(coco.merge(runs)).astype(bool)


@dataclass(frozen=True)
class CocoRuns:
    """COCO run lengths in column order: a list, or compressed text."""

    size: tuple[int, int]  # height and width
    counts: str | tuple[int, ...]

    def fill(self, width: int, height: int) -> NDArray[np.bool_]:
        if self.size != (height, width):
            raise ValueError(
                f"run lengths of {self.size[1]} × {self.size[0]} pixels are of a picture of "
                f"{width} × {height}"
            )
        coco, runs = import_pycocotools(), {"size": [height, width], "counts": self.counts}
        if not isinstance(self.counts, str):
            if sum(self.counts) != width * height or min(self.counts, default=0) < 0:
                raise ValueError(f"its run lengths are not those of {width} × {height} pixels")
            runs = coco.frPyObjects(runs | {"counts": [*self.counts]}, height, width)
        return coco.decode(runs).astype(bool)


@dataclass(frozen=True)
class BrushRuns:
    """Run lengths of Label Studio's brush: RGBA bytes, painted in alpha."""

    data: bytes

    def fill(self, width: int, height: int) -> NDArray[np.bool_]:
        values = _decoded(self.data)
        if len(values) != 4 * width * height:
            raise ValueError(
                f"run lengths of {len(values) // 4} pixels are of a picture of {width} × {height}"
            )
        return values.reshape(height, width, 4)[..., 3] > 0


def _decoded(data: bytes) -> NDArray[np.uint8]:
    """Decode the bit stream of the npm package @thi.ng/rle-pack, used by Label Studio.

    Header (number of values, bits per value, four bit lengths), then runs of one value (bit 1) and
    stretches of different values (bit 0).
    """
    bits, place = f"{int.from_bytes(data):0{8 * len(data)}b}" if data else "", 0

    def read(count: int) -> int:
        nonlocal place
        if place + count > len(bits):
            raise ValueError("its run lengths end too early")
        place += count
        return int(bits[place - count : place], 2)

    total, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    # Each run takes at least a byte, which bounds the number of values.
    if word > 8 or total > (1 << max(sizes)) * 8 * len(data):
        raise ValueError("its run lengths are damaged")
    values, done = np.zeros(total, np.uint8), 0
    while done < total:
        same, length = read(1), 0
        length = read(sizes[read(2)]) + 1
        if done + length > total:
            raise ValueError("its run lengths are longer than the picture")
        if same:
            values[done : done + length] = read(word)
        else:
            values[done : done + length] = [read(word) for _ in range(length)]
        done += length
    return values

"""Gallery of a run: thumbnails of photographs, masks and explanation maps.

Report pages take their photographs from galleries alone, so a report needs no photographs, and
without the folder shows none. Thumbnails carry no metadata.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.explain.maps import evidence
from hairjax.evaluation.predictions import Predictions
from hairjax.report.figures.thumbnails import encode_thumbnail, overlay_map, overlay_mask

_MOST_CLASSES = 5  # probabilities stored per photograph
_LIST = "gallery.json"


@dataclass(frozen=True)
class Card:
    """Photograph with its prediction.

    Attributes:
        file: name of the photograph.
        label: true class.
        predicted: predicted class, which the map explains.
        shares: probabilities of the most probable classes and of the true one, by class.
        pictures: file in the folder, by content: photo, mask, map.
    """

    file: str
    label: str
    predicted: str
    shares: dict[str, float]
    pictures: dict[str, str]


@dataclass(frozen=True)
class Gallery:
    """Selected photographs; fields are keys of ``gallery.json``.

    Attributes:
        epoch: epoch of the model; for a soup, those of its runs.
        among: number of photographs they were selected from.
        places: height and width of a map, in cells; 0 without photographs.
        cards: the photographs.
    """

    epoch: int | list[int]
    among: int
    places: tuple[int, int]
    cards: tuple[Card, ...]


def most_confident_errors(predictions: Predictions, count: int) -> NDArray[np.int64]:
    """Indices of at most ``count`` wrong predictions, by falling confidence."""
    wrong = np.flatnonzero(predictions.predicted != predictions.labels)
    confidence = predictions.probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-confidence, kind="stable")][:count]


def write_gallery(
    photos: PhotoSet,
    predictions: Predictions,
    maps: NDArray[np.float32],
    epoch: int | list[int],
    among: int,
    folder: Path,
) -> None:
    """Write a gallery, replacing that in the folder.

    Args:
        photos: the m photographs, in the order of the page.
        predictions: predictions for them.
        maps: float32 [m, h, w], maps of the predicted classes (`evaluation.explain.maps.Explain`).
        epoch: epoch of the model.
        among: number of photographs they were selected from.
        folder: folder of a gallery, or a new one.
    """
    remove_gallery(folder)
    folder.mkdir(parents=True)
    cards = []
    for place, pictures in enumerate(_pictures(photos, maps)):
        named = {what: f"{place:03}_{what}.jpg" for what in pictures}
        for what, pixels in pictures.items():
            (folder / named[what]).write_bytes(encode_thumbnail(pixels))
        cards.append(_card(predictions, place, named))
    height, width = maps.shape[1:]
    gallery = Gallery(epoch, among, (height, width), tuple(cards))
    # Last: its presence marks a whole gallery. ASCII: a file name need not be valid Unicode.
    (folder / _LIST).write_text(json.dumps(asdict(gallery), indent=1) + "\n")


def remove_gallery(folder: Path) -> None:
    """Remove a gallery if there is one."""
    if folder.exists():
        (folder / _LIST).unlink(missing_ok=True)
        shutil.rmtree(folder)


def read_gallery(folder: Path) -> Gallery | None:
    """Read a gallery written by `write_gallery`; None if there is none."""
    if not (folder / _LIST).is_file():
        return None
    found = json.loads((folder / _LIST).read_text())
    return Gallery(**found | {"cards": tuple(Card(**card) for card in found["cards"])})


def _pictures(
    photos: PhotoSet, maps: NDArray[np.float32]
) -> Iterator[dict[str, NDArray[np.uint8]]]:
    """Yield photograph, mask if there are masks, and map of each photograph."""
    for place in range(len(photos)):
        (image,) = photos.images[place : place + 1]
        rgb = image[..., :3]
        (heat,) = evidence(maps[place : place + 1], len(image))
        masked = {"mask": overlay_mask(image)} if photos.has_masks else {}
        yield {"photo": rgb, **masked, "map": overlay_map(rgb, heat)}


def _card(predictions: Predictions, place: int, pictures: dict[str, str]) -> Card:
    classes, label = predictions.classes, predictions.labels[place]
    probabilities = predictions.probabilities[place]
    likeliest = np.argsort(-probabilities, kind="stable")[: _MOST_CLASSES - 1]
    shown = np.unique([*likeliest, label])  # in the order of the classes
    return Card(
        file=predictions.files[place],
        label=classes[label],
        predicted=classes[predictions.predicted[place]],
        shares={classes[k]: float(probabilities[k]) for k in shown},
        pictures=pictures,
    )

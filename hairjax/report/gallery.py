"""Photographs with their masks and explanation maps, stored in a run as small pictures.

They are all that pages show of photographs: a page is made without the photographs, and the
pictures hold nothing of the files. Without the folder a page shows none.
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
from hairjax.report.figures.thumbnails import jpeg, lay_over, tint

_MOST_CLASSES = 5  # of a photograph, whose probabilities are kept
_LIST = "gallery.json"


@dataclass(frozen=True)
class Card:
    """A photograph and its prediction.

    Attributes:
        file: its name.
        label: its true class.
        predicted: the likeliest one, of which the map is.
        shares: probabilities of the likeliest classes and of the true one, by class.
        pictures: what each shows and the file of the folder that it is in.
    """

    file: str
    label: str
    predicted: str
    shares: dict[str, float]
    pictures: dict[str, str]


@dataclass(frozen=True)
class Gallery:
    """Photographs that were chosen to be shown.

    Attributes:
        epoch: epoch of the model; for a soup, those of its runs.
        among: number of photographs they were chosen from.
        places: height and width of a map; 0 where there is no photograph.
        cards: the photographs.
    """

    epoch: int | list[int]
    among: int
    places: tuple[int, int]
    cards: tuple[Card, ...]


def surest_mistakes(predictions: Predictions, count: int) -> NDArray[np.int64]:
    """The wrongly predicted photographs of the highest probability first, at most ``count``."""
    wrong = np.flatnonzero(predictions.predicted != predictions.labels)
    sureness = predictions.probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-sureness, kind="stable")][:count]


def write_gallery(
    photos: PhotoSet,
    predictions: Predictions,
    maps: NDArray[np.float32],
    epoch: int | list[int],
    among: int,
    folder: Path,
) -> None:
    """Put photographs into a folder, in place of those that were there.

    Args:
        photos: the m photographs, in the order in which they are to be shown.
        predictions: predictions for them.
        maps: float32 [m, h, w], of the predicted classes, as `evaluation.explain.maps.Explain`.
        epoch: epoch of the model.
        among: number of photographs they were chosen from.
        folder: nothing but a gallery, or not there.
    """
    remove_gallery(folder)
    folder.mkdir(parents=True)
    cards = []
    for place, pictures in enumerate(_plot(photos, maps)):
        named = {what: f"{place:03}_{what}.jpg" for what in pictures}
        for what, pixels in pictures.items():
            (folder / named[what]).write_bytes(jpeg(pixels))
        cards.append(_card(predictions, place, named))
    height, width = maps.shape[1:]
    gallery = Gallery(epoch, among, (height, width), tuple(cards))
    # Last, for it says that the pictures are there. ASCII: a file's name need not be Unicode.
    (folder / _LIST).write_text(json.dumps(asdict(gallery), indent=1) + "\n")


def remove_gallery(folder: Path) -> None:
    """Remove a gallery, if there is one."""
    if folder.exists():
        (folder / _LIST).unlink(missing_ok=True)
        shutil.rmtree(folder)


def read_gallery(folder: Path) -> Gallery | None:
    """Read the gallery that `write_gallery` wrote; None if there is none."""
    if not (folder / _LIST).is_file():
        return None
    found = json.loads((folder / _LIST).read_text())
    return Gallery(**found | {"cards": tuple(Card(**card) for card in found["cards"])})


def _plot(photos: PhotoSet, maps: NDArray[np.float32]) -> Iterator[dict[str, NDArray[np.uint8]]]:
    """Photograph, mask where it is known, and map, of one photograph after the other."""
    for place in range(len(photos)):
        (image,) = photos.images[place : place + 1]
        rgb = image[..., :3]
        (heat,) = evidence(maps[place : place + 1], len(image))
        masked = {"mask": tint(image)} if photos.has_masks else {}
        yield {"photo": rgb, **masked, "map": lay_over(rgb, heat)}


def _card(said: Predictions, place: int, pictures: dict[str, str]) -> Card:
    label, probabilities = said.labels[place], said.probabilities[place]
    likeliest = np.argsort(-probabilities, kind="stable")[: _MOST_CLASSES - 1]
    shown = np.unique([*likeliest, label])  # in the order of the classes
    return Card(
        file=said.files[place],
        label=said.classes[label],
        predicted=said.classes[said.predicted[place]],
        shares={said.classes[k]: float(probabilities[k]) for k in shown},
        pictures=pictures,
    )

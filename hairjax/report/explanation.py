"""Results of ``launch.py explain``: numbers, tables and wording."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from hairjax.evaluation.explain.reliance import METRICS, Reliance
from hairjax.evaluation.metrics.intervals import MEASURED_FROM, Interval
from hairjax.report.contents import METRICS as KNOWN
from hairjax.report.numbers import number, number_range, signed
from hairjax.system.files import replacing
from hairjax.system.wording import counted

Mean = tuple[float, Interval | None]
Table = tuple[list[str], list[list[str]]]  # header and rows; a cell's second line is its interval


class Method(NamedTuple):
    """Method of explanation maps, in words.

    Attributes:
        title: its name.
        maps: the maps, before the number of a stage.
        bright: meaning of a bright cell.
        about: what a map shows and what it does not.
    """

    title: str
    maps: str
    bright: str
    about: str


_FAITHFUL = (
    "a bright cell does not prove that the model needs it, which deletion, insertion and the "
    "changed masks below test."
)
# By the names of `evaluation.explain.maps.METHODS`.
METHODS = {
    "grad_cam": Method(
        title="Grad-CAM",
        maps="Grad-CAM maps of stage",
        bright="more evidence for the predicted class",
        about="A Grad-CAM map shows which cells of a stage's output raise the score of the "
        "predicted class, right or wrong. It has the resolution of that stage, and the receptive "
        f"field of a cell may be the whole image: {_FAITHFUL}",
    ),
    "attention_rollout": Method(
        title="attention rollout",
        maps="Attention rollout to the end of stage",
        bright="more attention to a cell, whatever the class",
        about="Attention rollout multiplies the attention matrices of all blocks and shows which "
        "patches reach the classified token; evenly bright where attention is uniform. It does not "
        f"depend on the class, and {_FAITHFUL}",
    ),
}


@dataclass(frozen=True)
class Agreement:
    """Agreement of maps and masks for one class, with 95 % intervals.

    Attributes:
        name: name of the class, or ``all``.
        photographs: number of photographs.
        inside: share of the map mass inside the mask.
        masked: area of the mask as a share of the image.
        difference: ``inside`` minus ``masked``.
    """

    name: str
    photographs: int
    inside: Mean
    masked: Mean
    difference: Mean


@dataclass(frozen=True)
class Area:
    """Mean area under the deletion or insertion curves.

    Attributes:
        by_map: area along the maps.
        by_chance: area along random maps.
        gain: ``by_map`` minus ``by_chance``, paired, with its 95 % interval.
    """

    by_map: float
    by_chance: float
    gain: Mean


@dataclass(frozen=True)
class Explanation:
    """Explanation of a model on a set of photographs; fields are keys of ``explanation.json``.

    Attributes:
        epoch: epoch of the model; for a soup, those of its runs.
        split: split that is explained; ``all`` for photographs outside the run.
        photographs: number of photographs; their predicted classes are explained.
        subjects: number of subjects, 0 if unknown.
        side: side of the model's input, in pixels.
        channels: number of input channels.
        method: method of the maps, a key of `METHODS`.
        stage: stage of the maps, from 1.
        stages: number of stages of the model.
        places: height and width of a map, in cells.
        empty: number of empty maps, without evidence for the predicted class.
        agreement: agreement with the masks, by class and last for all; empty without masks.
        followed: number of photographs with deletion and insertion curves.
        areas: areas by the names of `evaluation.explain.deletion.CURVES`.
        reliance: metrics with the input changed, the unchanged first; empty unless the input is
            RGB and mask.
        interval_note: method of the intervals.
    """

    epoch: int | list[int]
    split: str
    photographs: int
    subjects: int
    side: int
    channels: int
    method: str
    stage: int
    stages: int
    places: tuple[int, int]
    empty: int
    agreement: tuple[Agreement, ...]
    followed: int
    areas: dict[str, Area]
    reliance: tuple[Reliance, ...]
    interval_note: str

    def notes(self) -> list[str]:
        """Sentences on resolution, empty maps and subjects."""
        height, width = self.places
        notes = [
            f"{METHODS[self.method].maps} {self.stage} of {self.stages}: {height} × {width} cells "
            f"for {self.side} × {self.side} pixels, so the resolution is "
            f"{self.side / height:.0f} × {self.side / width:.0f} pixels."
        ]
        if self.empty:
            notes.append(
                f"Empty maps, without evidence for the predicted class: {self.empty:,}; they are "
                "excluded from the shares."
            )
        if not self.subjects:
            notes.append(
                "Subjects are unknown: with several photographs of a person, intervals are too "
                "narrow."
            )
        elif self.subjects < MEASURED_FROM:
            notes.append(
                f"Only {counted(self.subjects, 'subject')}: the coverage of intervals was not "
                f"measured below {MEASURED_FROM}."
            )
        return notes

    def agreement_table(self) -> Table:
        """Table of map mass inside the mask and area of the mask."""
        header = ["class", "n", "map mass\ninside mask", "area of\nthe mask"]
        rows = [
            [
                row.name,
                f"{row.photographs:,}",
                _with_range(row.inside),
                _with_range(row.masked),
                _with_range(row.difference, signed),
            ]
            for row in self.agreement
        ]
        return [*header, "difference"], rows

    def area_table(self) -> Table:
        """Table of areas under the deletion and insertion curves."""
        header = ["area under the curve", "explanation map", "random map", "difference"]
        better = {"deletion": "lower is better", "insertion": "higher is better"}
        rows = [
            [
                f"{name}\n{better[name]}",
                number(area.by_map),
                number(area.by_chance),
                _with_range(area.gain, signed),
            ]
            for name, area in self.areas.items()
        ]
        return header, rows

    def reliance_tables(self) -> list[Table]:
        """Tables of mask reliance, one for each metric."""
        return [
            (
                ["input", KNOWN[name].in_sentence, "difference"],
                [
                    [
                        line.change or "unchanged",
                        _with_range(line.values[name]),
                        _with_range(line.differences[name], signed) if line.differences else "",
                    ]
                    for line in self.reliance
                ],
            )
            for name in METRICS
            if self.reliance
        ]


class ExplainFolder:
    """Paths in the folder of an explanation."""

    def __init__(self, path: Path):
        self.path = path
        self.table = path / "explain.csv"
        self.reliance = path / "mask_reliance.csv"
        self.curves = path / "deletion_insertion.png"
        self.sheet = path / "examples.png"
        self.examples = path / "examples"
        self.found = path / "explanation.json"


def write_explanation(found: Explanation, path: Path) -> None:
    """Write ``explanation.json`` atomically."""
    text = json.dumps(asdict(found), indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path) as unfinished:
        unfinished.write_text(text + "\n")


def read_explanation(path: Path) -> Explanation:
    """Read what `write_explanation` wrote; intervals are lists."""
    found = json.loads(path.read_text())
    found["agreement"] = tuple(Agreement(**row) for row in found["agreement"])
    found["areas"] = {name: Area(**area) for name, area in found["areas"].items()}
    found["reliance"] = tuple(Reliance(**line) for line in found["reliance"])
    return Explanation(**found)


def _with_range(mean: Mean | None, write: Callable[[float | None], str] = number) -> str:
    value, interval = mean or (None, None)
    return f"{write(value)}\n{number_range(interval)}"

"""Explanation of a model, for its page and its tables: numbers and wording."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from hairjax.evaluation.explain.reliance import METRICS, Reliance
from hairjax.evaluation.metrics.intervals import MEASURED_FROM, Interval
from hairjax.report.comparison.summary import TITLES, signed
from hairjax.report.html import number, number_range
from hairjax.system.files import replacing
from hairjax.system.wording import counted

Mean = tuple[float, Interval | None]
Table = tuple[list[str], list[list[str]]]  # header and rows; a cell's second line is its interval


class Method(NamedTuple):
    """Method of explanation maps, in words."""

    title: str
    maps: str  # that lead to a stage
    bright: str  # what a bright place is
    about: str  # what such a map is, and what it is not


_USED = (
    "that a place stands out does not prove that the model needs it. Deletion and insertion, and "
    "the changed masks below, test that."
)
# By the names of `evaluation.explain.maps.METHODS`.
METHODS = {
    "grad_cam": Method(
        title="Grad-CAM",
        maps="Grad-CAM maps of stage",
        bright="the more a place speaks for the predicted class",
        about="A map (Grad-CAM) shows which places of a stage's output raise the class that the "
        "model predicts, right or wrong. It is as coarse as that stage, and each place has seen "
        f"the whole picture by then: {_USED}",
    ),
    "attention_rollout": Method(
        title="attention rollout",
        maps="Attention rollout to the end of stage",
        bright="the more of what is classified comes from a place, whatever the class",
        about="A map (attention rollout) shows from which patches the token that is classified "
        "takes what it holds, if all blocks passed on what they attend to and nothing else: bright "
        "all over where it takes evenly. It is the same for every class, and says where the model "
        f"takes in, not what speaks for its answer; and {_USED}",
    ),
}


@dataclass(frozen=True)
class Agreement:
    """Agreement of maps and masks for one class, with 95 % intervals.

    Attributes:
        name: name of the class, or ``all``.
        photographs: number of photographs.
        inside: share of a map's mass inside the mask.
        masked: the mask's share of the picture.
        difference: difference of the two.
    """

    name: str
    photographs: int
    inside: Mean
    masked: Mean
    difference: Mean


@dataclass(frozen=True)
class Area:
    """Areas under the curves of deletion or insertion, means over the photographs followed.

    Attributes:
        by_map: along the maps.
        by_chance: along random ones.
        gain: map minus random, paired, with its 95 % interval.
    """

    by_map: float
    by_chance: float
    gain: Mean


@dataclass(frozen=True)
class Explanation:
    """Explanation of a model on a set of photographs, as plain data.

    Attributes:
        epoch: epoch that is explained; for a soup, those of its runs.
        split: split that is explained; ``all`` for a folder that is not the run's.
        photographs: number of photographs, whose predicted classes are explained.
        subjects: number of subjects, 0 where they are not known.
        side: side of the model's input, in pixels.
        channels: channels of the model's input.
        method: method of the maps, one of `evaluation.explain.maps.METHODS`.
        stage: stage of the maps, from 1.
        stages: number of stages of the model.
        places: height and width of a map.
        empty: photographs of which no place speaks for the predicted class.
        agreement: agreement for every class, and last for all; empty where no mask is known.
        followed: number of photographs with deletion and insertion curves.
        areas: areas by the names of `evaluation.explain.deletion.CURVES`.
        reliance: metrics with the mask changed, the unchanged first; empty where the model does
            not see RGB and mask.
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
        """Notes for the reader of the numbers."""
        height, width = self.places
        notes = [
            f"{METHODS[self.method].maps} {self.stage} of {self.stages}, {height} × {width} "
            f"places for {self.side} × {self.side} pixels: a place stands for "
            f"{self.side / height:.0f} × {self.side / width:.0f} pixels, and nothing smaller can "
            "be told apart."
        ]
        if self.empty:
            notes.append(
                f"Of {counted(self.empty, 'photograph')} no place speaks for the predicted "
                "class: their maps are empty and count in no share."
            )
        if not self.subjects:
            notes.append(
                "Subjects are not known: where there are several photographs of a person, "
                "intervals are too narrow."
            )
        elif self.subjects < MEASURED_FROM:
            notes.append(
                f"{counted(self.subjects, 'subject')} {'is' if self.subjects == 1 else 'are'} few: "
                f"what intervals of fewer than {MEASURED_FROM} cover was not measured."
            )
        return notes

    def agreement_table(self) -> Table:
        """Table of the agreement of maps and masks."""
        header = ["class", "n", "map inside\nthe mask", "mask's share\nof the picture"]
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
        """Areas under the curves, means over the photographs followed."""
        header = ["area under the curve", "along the map", "at random", "difference"]
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
        """Tables of reliance, with the mask or the photograph changed: one for each metric."""
        return [
            (
                ["photographs", TITLES[name].lower(), "difference"],
                [
                    [
                        line.change or "as they are",
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
    """Paths inside the folder of an explanation."""

    def __init__(self, path: Path):
        self.path = path
        self.table = path / "explain.csv"
        self.reliance = path / "mask_reliance.csv"
        self.curves = path / "deletion_insertion.png"
        self.sheet = path / "examples.png"
        self.examples = path / "examples"
        self.found = path / "explanation.json"


def write_explanation(found: Explanation, path: Path) -> None:
    """Write JSON."""
    text = json.dumps(asdict(found), indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path) as unfinished:
        unfinished.write_text(text + "\n")


def read_explanation(path: Path) -> Explanation:
    """The inverse: intervals come back as lists."""
    found = json.loads(path.read_text())
    found["agreement"] = tuple(Agreement(**row) for row in found["agreement"])
    found["areas"] = {name: Area(**area) for name, area in found["areas"].items()}
    found["reliance"] = tuple(Reliance(**line) for line in found["reliance"])
    return Explanation(**found)


def _with_range(mean: Mean | None, write: Callable[[float | None], str] = number) -> str:
    value, interval = mean or (None, None)
    return f"{write(value)}\n{number_range(interval)}"

"""The directory of a run: paths of its files, and reading and writing the small ones."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from hairjax.config.continued import explain_other_length
from hairjax.config.load import load_config, read_initial_config, to_plain
from hairjax.config.places import FILE, places_of, read_places
from hairjax.config.resume import differences
from hairjax.config.schema import flatten
from hairjax.data.mask_checksums import read_masks
from hairjax.data.photoset import PhotoSet
from hairjax.data.sources.mask_rule import MaskFacts
from hairjax.parallel.processes import is_first
from hairjax.system.errors import UserError
from hairjax.system.files import append, replacing
from hairjax.system.paths import absolute

FLIPS = "-flips"  # ends the name of a folder of results with flips


def results_name(split: str, flips: bool) -> str:
    """Name of the folder, inside a run's, that results on a split are in: ``test-flips``."""
    return f"{split}{FLIPS}" if flips else split


class RunFolder:
    """Paths inside a run's directory, and reading and writing its small files."""

    def __init__(self, workdir: str | Path):
        self.path = Path(workdir)
        self.config = self.path / "config.json"
        self.classes = self.path / "classes.json"
        self.masks = self.path / "masks.json"
        self.mask_files = self.path / "masks.csv"
        self.places = self.path / FILE
        self.groups_text = self.path / "groups.txt"
        self.groups_csv = self.path / "groups.csv"
        self.split = self.path / "split.csv"
        self.division = self.path / "division.json"
        self.history = self.path / "metrics.jsonl"
        self.timing = self.path / "timing.jsonl"
        self.environment = self.path / "environment.jsonl"
        self.ancestry = self.path / "ancestry.json"
        self.tensorboard = self.path / "tensorboard"
        self.checkpoints = self.path / "checkpoints"
        self.predictions = self.path / "predictions.csv"
        self.metrics = self.path / "metrics.json"
        self.baselines = self.path / "baselines.json"
        self.curves = self.path / "learning_curves.png"
        self.confusion = self.path / "confusion_matrix.png"
        self.reliability = self.path / "reliability.png"
        self.risk_coverage = self.path / "risk_coverage.png"
        self.gallery = self.path / "gallery"
        self.explained = self.path / "explain"
        self.report = self.path / "report.html"
        self.test_access = self.path / "looks.csv"

    def exists(self) -> bool:
        """True if a run was begun here.

        Raises:
            UserError: the path is taken by something that is no run.
        """
        if self.config.is_file():
            return True
        if self.environment.is_file() and not self.environment.stat().st_size:
            return False  # locked by a start that ended, or has not come, before it was one
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise UserError(
                f"--workdir={self.path} is neither empty nor a run (it has no config.json); give "
                "another --workdir"
            )
        return False

    def read_epoch(self) -> Any:
        """The epoch that ``metrics.json`` is of; None where there is none."""
        found = json.loads(self.metrics.read_text()) if self.metrics.is_file() else {}
        return found.get("epoch")

    def read_config(self) -> ConfigDict:
        """The resolved configuration of the run, whose photographs lie where they are now."""
        return load_config(str(self.config))

    def read_begun_config(self) -> ConfigDict:
        """The resolved configuration with which the run began."""
        return read_initial_config(self.config)

    def moved_from(self) -> dict[str, str]:
        """Where photographs lay when the run began, by key, of those that lie elsewhere now."""
        begun = places_of(flatten(self.read_begun_config()))
        return {key: begun[key] for key in read_places(self.places) if key in begun}

    def write_places(self, places: Mapping[str, str]) -> None:
        """Keep where the photographs of the run lie, by key, where it began with other places."""
        own = places_of(flatten(self.read_begun_config()))
        begun, now = (
            {key: str(absolute(place)) for key, place in one.items()} for one in (own, places)
        )
        if moved := {key: place for key, place in now.items() if begun.get(key) != place}:
            self.write_json(self.places, moved)
        else:
            self.places.unlink(missing_ok=True)

    def require_same(self, config: ConfigDict) -> None:
        """Refuse to go on with a run under another configuration.

        Raises:
            UserError: lists every key that differs; where it is the number of epochs alone, says
                how to train for more.
        """
        own = self.read_config()
        if changed := differences(own, config):
            if [one.partition(":")[0] for one in changed] == ["config.train.epochs"]:
                raise UserError(
                    explain_other_length(self.path, own, config, ended=self.metrics.is_file())
                )
            raise UserError(
                f"{self.path} holds a run of another configuration; give another --workdir or "
                "undo:\n  " + "\n  ".join(changed)
            )

    def write_json(self, path: Path, value: Any) -> None:
        """Write indented JSON, which has null and no NaN: that is a ValueError."""
        with replacing(path) as file:
            text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
            file.write_text(text + "\n")

    def write_config(self, config: ConfigDict) -> None:
        """Write the resolved configuration, which runs it anywhere.

        Neither which process wrote it, nor where the others were, is kept.
        """
        plain = to_plain(config)
        plain["devices"] |= {"coordinator": "", "processes": 0, "process": -1}
        self.write_json(self.config, plain)

    def read_classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the model's outputs."""
        return tuple(json.loads(self.classes.read_text()))

    def write_levels(self, photos: PhotoSet) -> None:
        """Write how the masks are named and coded, and the white of 16-bit greys, where known."""
        facts = photos.mask_facts
        known = {"name": facts.name, "category": facts.category, "coding": photos.mask_coding}
        if any(known.values()) or photos.white:
            self.write_json(self.masks, known | {"white": photos.white})

    def read_levels(self) -> tuple[str, int]:
        """Coding of the masks and white of 16-bit greys of the run; "" and 0 where not known."""
        found = json.loads(self.masks.read_text()) if self.masks.exists() else {}
        return found.get("coding", ""), found.get("white", 0)

    def read_masks(self) -> dict[str, str]:
        """SHA-256 of every photograph's mask; none where an earlier hairjax began the run."""
        return read_masks(self.mask_files) if self.mask_files.is_file() else {}

    def read_mask_facts(self) -> MaskFacts:
        """Name and category by which the masks of the run were found; empty where not known."""
        found = json.loads(self.masks.read_text()) if self.masks.exists() else {}
        return MaskFacts(found.get("name", ""), found.get("category", ""))

    def read_division(self) -> str:
        """Source of the split, in words; "" where it was drawn, or an earlier hairjax began."""
        return json.loads(self.division.read_text())["by"] if self.division.exists() else ""

    def read_lines(self, path: Path) -> list[dict]:
        """The rows of a ``.jsonl`` file; a line cut short by a kill is left out."""
        if not path.exists():
            return []
        lines = path.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def append_line(self, path: Path, row: dict) -> None:
        """Add a row to a ``.jsonl`` file and see it to the disk; of several processes one does."""
        if not is_first():
            return
        append(path, json.dumps(row, allow_nan=False) + "\n")

    def cut_back(self, epoch: int) -> None:
        """Drop the rows of epochs after ``epoch``: they will be run again; one process does."""
        if not is_first():
            return
        for path in (self.history, self.timing):
            rows = [row for row in self.read_lines(path) if row["epoch"] <= epoch]
            with replacing(path) as file:
                file.write_text("".join(json.dumps(row) + "\n" for row in rows))

"""Run directory: paths of its files; reading and writing of the small ones."""

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
from hairjax.data.mask_checksums import read_checksums
from hairjax.data.photoset import PhotoSet
from hairjax.data.sources.mask_rule import MaskFacts
from hairjax.parallel.processes import is_first
from hairjax.system.errors import UserError
from hairjax.system.files import append, replacing
from hairjax.system.paths import absolute

FLIPS = "-flips"  # suffix of a results folder with flips


def results_name(split: str, flips: bool) -> str:
    """Name of the results folder of a split, such as ``test-flips``."""
    return f"{split}{FLIPS}" if flips else split


class RunFolder:
    """Paths and small files of a run directory."""

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
        """True if the directory holds a run.

        Raises:
            UserError: the path holds something else.
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
        """Read the epoch of ``metrics.json``: int, in an ensemble or soup one per source run.

        None without the file, or for folds.
        """
        found = json.loads(self.metrics.read_text()) if self.metrics.is_file() else {}
        return found.get("epoch")

    def read_config(self) -> ConfigDict:
        """Read the resolved configuration, with the current paths of moved images."""
        return load_config(str(self.config))

    def read_initial_config(self) -> ConfigDict:
        """Read the resolved configuration as of the first start."""
        return read_initial_config(self.config)

    def original_places(self) -> dict[str, str]:
        """Original paths of moved images, by configuration key."""
        original = places_of(flatten(self.read_initial_config()))
        return {key: original[key] for key in read_places(self.places) if key in original}

    def write_places(self, places: Mapping[str, str]) -> None:
        """Store the current paths of moved images, by configuration key."""
        own = places_of(flatten(self.read_initial_config()))
        original, now = (
            {key: str(absolute(place)) for key, place in one.items()} for one in (own, places)
        )
        if moved := {key: place for key, place in now.items() if original.get(key) != place}:
            self.write_json(self.places, moved)
        else:
            self.places.unlink(missing_ok=True)

    def require_same(self, config: ConfigDict) -> None:
        """Raise if the configuration differs from that of the run.

        Raises:
            UserError: lists the differing keys; explains how to train longer if only the number of
                epochs differs.
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
        """Write indented JSON; NaN raises ValueError."""
        with replacing(path) as file:
            text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
            file.write_text(text + "\n")

    def write_config(self, config: ConfigDict) -> None:
        """Write the resolved configuration, without process index and addresses."""
        plain = to_plain(config)
        plain["devices"] |= {"coordinator": "", "processes": 0, "process": -1}
        self.write_json(self.config, plain)

    def read_classes(self) -> tuple[str, ...]:
        """Read the class names, in the order of the model's outputs."""
        return tuple(json.loads(self.classes.read_text()))

    def write_levels(self, photos: PhotoSet) -> None:
        """Write mask rule, mask coding and white of 16-bit greys, if known."""
        facts = photos.mask_facts
        known = {"name": facts.name, "category": facts.category, "coding": photos.mask_coding}
        if any(known.values()) or photos.white:
            self.write_json(self.masks, known | {"white": photos.white})

    def read_levels(self) -> tuple[str, int]:
        """Read mask coding and white of 16-bit greys; "" and 0 if unknown."""
        found = json.loads(self.masks.read_text()) if self.masks.exists() else {}
        return found.get("coding", ""), found.get("white", 0)

    def read_mask_checksums(self) -> dict[str, str]:
        """Read the SHA-256 of each mask by image; {} for a run of an earlier version."""
        return read_checksums(self.mask_files) if self.mask_files.is_file() else {}

    def read_mask_facts(self) -> MaskFacts:
        """Read the mask rule of the run; empty if unknown."""
        found = json.loads(self.masks.read_text()) if self.masks.exists() else {}
        return MaskFacts(found.get("name", ""), found.get("category", ""))

    def read_division(self) -> str:
        """Read the description of the split's source; "" if random or from an earlier version."""
        return json.loads(self.division.read_text())["by"] if self.division.exists() else ""

    def read_lines(self, path: Path) -> list[dict]:
        """Read a ``.jsonl`` file, without a truncated last line."""
        if not path.exists():
            return []
        lines = path.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def append_line(self, path: Path, row: dict) -> None:
        """Append a row to a ``.jsonl`` file and flush it to disk; first process only."""
        if not is_first():
            return
        append(path, json.dumps(row, allow_nan=False) + "\n")

    def cut_back(self, epoch: int) -> None:
        """Remove the rows of epochs after ``epoch``, which are repeated; first process only."""
        if not is_first():
            return
        for path in (self.history, self.timing):
            rows = [row for row in self.read_lines(path) if row["epoch"] <= epoch]
            with replacing(path) as file:
                file.write_text("".join(json.dumps(row) + "\n" for row in rows))

"""The directory of a run: what lies where, and a finished or stopped run read back from it."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh
from ml_collections import ConfigDict

from hairjax import devices
from hairjax.atomic import replacing
from hairjax.build import abstract_model, map_method
from hairjax.checkpoint import Checkpoints
from hairjax.config import differences, load_config, model_title, to_plain
from hairjax.data.pairs import require_one_view
from hairjax.data.photos import Index
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare import prepare
from hairjax.data.problems import Problem, describe_problems
from hairjax.data.unlabelled import pair_photos
from hairjax.errors import UserError
from hairjax.evaluation.explain import Explain, make_explain
from hairjax.evaluation.inference import Predict, make_predict
from hairjax.evaluation.predictions import Predictions, join
from hairjax.paths import require_run
from hairjax.processes import is_first
from hairjax.sight import sees_masks, sight, stored_side

PREDICTED_AT_ONCE = 256  # photographs


class RunFolder:
    """Paths inside a run's directory, and reading and writing its small files."""

    def __init__(self, workdir: str | Path):
        self.path = Path(workdir)
        self.config = self.path / "config.json"
        self.classes = self.path / "classes.json"
        self.groups = self.path / "groups.txt"
        self.split = self.path / "split.csv"
        self.history = self.path / "metrics.jsonl"
        self.timing = self.path / "timing.jsonl"
        self.environment = self.path / "environment.jsonl"
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
        self.looks = self.path / "looks.csv"

    def exists(self) -> bool:
        """Whether a run was begun here.

        Raises:
            UserError: the path is taken by something that is no run.
        """
        if self.config.is_file():
            return True
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
        """The resolved configuration of the run."""
        return load_config(str(self.config))

    def require_same(self, config: ConfigDict) -> None:
        """Refuse to go on with a run under another configuration.

        Raises:
            UserError: lists every key that differs.
        """
        if changed := differences(self.read_config(), config):
            raise UserError(
                f"{self.path} holds a run of another configuration; give another --workdir or "
                "undo:\n  " + "\n  ".join(changed)
            )

    def write_json(self, path: Path, value: Any) -> None:
        """Write indented JSON."""
        with replacing(path) as file:
            file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    def write_config(self, config: ConfigDict) -> None:
        """Write the resolved configuration."""
        self.write_json(self.config, to_plain(config))

    def read_classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the model's outputs."""
        return tuple(json.loads(self.classes.read_text()))

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
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def cut_back(self, epoch: int) -> None:
        """Drop the rows of epochs after ``epoch``: they will be run again; one process does."""
        if not is_first():
            return
        for path in (self.history, self.timing):
            rows = [row for row in self.read_lines(path) if row["epoch"] <= epoch]
            with replacing(path) as file:
                file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def predictor(config: ConfigDict, graphdef: nnx.GraphDef, mesh: Mesh) -> Predict:
    """The one way from photographs to probabilities, for training and evaluation alike."""
    return make_predict(
        graphdef,
        mesh,
        sight=sight(config),
        batch_size=config.train.batch_size,
    )


def explainer(config: ConfigDict, graphdef: nnx.GraphDef, mesh: Mesh, stage: int) -> Explain:
    """Explanation maps of the photographs that `predictor` judges, of a stage."""
    return make_explain(
        graphdef,
        mesh,
        method=map_method(config),
        sight=sight(config),
        batch_size=config.train.batch_size,
        stage=stage,
    )


@dataclass(frozen=True)
class Run:
    """A run read back: its best model, ready to predict."""

    folder: RunFolder
    config: ConfigDict
    classes: tuple[str, ...]
    best: dict[str, Any]
    params: dict
    judge: Predict
    graphdef: nnx.GraphDef
    mesh: Mesh

    def describe(self) -> str:
        """One line for every output: which model speaks, and of which epoch."""
        title = model_title(self.config)
        said = f"model: {title}, epoch {self.best['epoch']} of {self.folder.path}"
        if self.folder.read_epoch() is None:
            said += ", the best so far: it has not ended"
        return said

    def predict(
        self, photos: Sequence[str | Path], masks: Sequence[str | Path] | None = None
    ) -> Predictions:
        """Grade photographs, by the same path as in evaluation.

        Args:
            photos: files.
            masks: the hair mask of each, where the model sees masks.

        Raises:
            UserError: masks are missing, or a file cannot be used.
        """
        require_one_view(self.config, "predict")
        self.require_masks(masks is not None, "masks=[…]")
        index = pair_photos(photos, masks, self.classes)
        parts, problems = [], []
        for _, predictions, unread in self.predict_in_parts(index, lambda done, total: None):
            parts.append(predictions)
            problems += unread
        if problems:
            raise UserError(
                f"{len(problems):,} photographs cannot be used:\n{describe_problems(problems)}"
            )
        return join(parts, self.classes)

    def predict_in_parts(
        self, index: Index, progress: Callable[[int, int], None]
    ) -> Iterator[tuple[PhotoSet, Predictions, list[Problem]]]:
        """Grade photographs a few batches at a time, however many there are.

        Args:
            index: the photographs and their masks.
            progress: called with (photographs read, photographs in all).

        Yields:
            Photographs, what the model says of them, and what could not be read beside them.
        """
        total, size = len(index.entries), PREDICTED_AT_ONCE
        for start in range(0, total, size):

            def count(done: int, _: int, start: int = start) -> None:
                progress(start + done, total)

            part = replace(index, entries=index.entries[start : start + size], problems=())
            workers = os.cpu_count() or 1
            fit = self.config.data.fit
            photos, problems = prepare(part, stored_side(self.config), fit, workers, count)
            nothing = join([], self.classes)
            yield photos, self.judge(self.params, photos) if len(photos) else nothing, problems

    def see_others(self, photos: str, masks: str, manifest: str) -> None:
        """Have its configuration speak of other photographs than its own.

        Raises:
            UserError: the model sees masks and none are given.
        """
        self.require_masks(bool(masks), "--masks=FOLDER")
        # The run's expression for subjects speaks of the run's file names.
        other = {"photos": photos, "masks": masks, "manifest": manifest, "subject": ""}
        self.config.data.update(source="photos", **other)

    def require_masks(self, given: bool, how: str) -> None:
        """Refuse to go without masks what was trained with them.

        Raises:
            UserError: the model sees masks and none are given.
        """
        if sees_masks(self.config) and not given:
            raise UserError(f"the model of {self.folder.path} sees hair masks: give {how}")


def load_run(workdir: str | Path) -> Run:
    """Read a run's configuration and best checkpoint.

    Raises:
        UserError: there is no run, or none of its epochs was validated yet.
    """
    folder = RunFolder(workdir)
    require_run(folder.path)
    config, classes = folder.read_config(), folder.read_classes()
    if "made" in config and config.made.by != "soup":
        # Here, since it is made of runs.
        from hairjax.ensemble_run import load_ensemble

        return load_ensemble(folder)
    # As many devices as trained it, where there are so many: the same sums in the same order.
    # Without gradients and an optimizer a model fits on each; several processes use all they have.
    count = config.devices.mesh * config.devices.shard if jax.process_count() == 1 else 0
    mesh = devices.make_mesh(min(count, jax.device_count()), 1)
    graphdef, shapes = abstract_model(config, len(classes))
    best, params = best_params(folder, shapes, mesh)
    judge = predictor(config, graphdef, mesh)
    return Run(folder, config, classes, best, params, judge, graphdef, mesh)


def best_params(folder: RunFolder, shapes: dict, mesh: Mesh) -> tuple[dict[str, Any], dict]:
    """The best epoch of a run, and its parameters on the devices of the mesh."""
    checkpoints = Checkpoints(folder.checkpoints)
    try:
        best = checkpoints.best()
        if best is None:
            raise UserError(f"the run at {folder.path} has not finished its first epoch yet")
        return best, checkpoints.restore_params(best["step"], on_mesh(shapes, mesh))
    finally:
        checkpoints.close()


def on_mesh(shapes: Any, mesh: Mesh) -> Any:
    """Shapes with the sharding that their arrays have on a mesh."""
    return jax.tree.map(
        lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, jnp.dtype(leaf.dtype), sharding=place),
        shapes,
        devices.layout(shapes, mesh),
    )

"""A finished or stopped run read back: its best model, ready to predict."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
from flax import nnx
from jax.sharding import Mesh
from ml_collections import ConfigDict

from hairjax.builders.inputs import input_specification, require_one_view, sees_masks, stored_side
from hairjax.builders.model import abstract_model, map_method
from hairjax.config.streams import model_title
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.read import prepare
from hairjax.data.sources.photos import Index
from hairjax.data.sources.problems import Problem, describe_problems
from hairjax.data.sources.unlabelled import pair_photos
from hairjax.evaluation.explain.maps import Explain, make_explain
from hairjax.evaluation.inference import Predict, make_predict
from hairjax.evaluation.predictions import Predictions, join_predictions
from hairjax.parallel.mesh import make_mesh, on_mesh
from hairjax.runs.folder import RunFolder
from hairjax.system.errors import UserError
from hairjax.weights.checkpoint import Checkpoints

PREDICTED_AT_ONCE = 256  # photographs


def make_predictor(config: ConfigDict, graphdef: nnx.GraphDef, mesh: Mesh) -> Predict:
    """The one way from photographs to probabilities, for training and evaluation alike."""
    return make_predict(
        graphdef,
        mesh,
        input_spec=input_specification(config),
        batch_size=config.train.batch_size,
    )


def make_explainer(config: ConfigDict, graphdef: nnx.GraphDef, mesh: Mesh, stage: int) -> Explain:
    """Explanation maps of the photographs that `make_predictor` sees, of a stage."""
    return make_explain(
        graphdef,
        mesh,
        method=map_method(config),
        input_spec=input_specification(config),
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
    predictor: Predict
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
        return join_predictions(parts, self.classes)

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
            nothing = join_predictions([], self.classes)
            yield photos, self.predictor(self.params, photos) if len(photos) else nothing, problems

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


def load_trained(folder: RunFolder) -> Run:
    """Read a run with a model of its own, trained or a soup.

    Raises:
        UserError: none of its epochs was validated yet.
    """
    config, classes = folder.read_config(), folder.read_classes()
    # As many devices as trained it, where there are so many: the same sums in the same order.
    # Without gradients and an optimizer a model fits on each; several processes use all they have.
    count = config.devices.mesh * config.devices.shard if jax.process_count() == 1 else 0
    mesh = make_mesh(min(count, jax.device_count()), 1)
    graphdef, shapes = abstract_model(config, len(classes))
    best, params = best_params(folder, shapes, mesh)
    predict = make_predictor(config, graphdef, mesh)
    return Run(folder, config, classes, best, params, predict, graphdef, mesh)


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

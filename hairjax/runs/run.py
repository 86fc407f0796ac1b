"""A loaded run with its best model."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
from flax import nnx
from jax.sharding import Mesh
from ml_collections import ConfigDict

from hairjax.builders.inputs import require_one_view
from hairjax.builders.model import abstract_model
from hairjax.builders.setup import Setup, resolve
from hairjax.data.options import View
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.mask_values import parse_hair
from hairjax.data.prepare.read import prepare
from hairjax.data.sources.manifest import Manifest
from hairjax.data.sources.mask_names import parse_naming
from hairjax.data.sources.mask_rule import MaskRule
from hairjax.data.sources.photos import Index
from hairjax.data.sources.problems import Problem, describe_problems
from hairjax.data.sources.unlabelled import pair_photos
from hairjax.evaluation.explain.maps import Explain, make_explain
from hairjax.evaluation.flips import with_flips
from hairjax.evaluation.inference import Predict, make_predict
from hairjax.evaluation.predictions import Predictions, join_predictions
from hairjax.parallel.mesh import make_mesh, on_mesh
from hairjax.runs.folder import RunFolder
from hairjax.system.errors import UserError
from hairjax.system.wording import counted
from hairjax.weights.checkpoint import Checkpoints

PREDICTED_AT_ONCE = 256  # photographs


def make_predictor(setup: Setup, graphdef: nnx.GraphDef, mesh: Mesh) -> Predict:
    """Build the predictor of a run: (params, images) → predictions."""
    return make_predict(
        graphdef,
        mesh,
        input_spec=setup.inputs,
        batch_size=setup.training.batch_size,
    )


def make_explainer(setup: Setup, graphdef: nnx.GraphDef, mesh: Mesh, stage: int) -> Explain:
    """Build the explainer of a run for the feature maps of one stage."""
    return make_explain(
        graphdef,
        mesh,
        method=setup.model.map_method,
        input_spec=setup.inputs,
        batch_size=setup.training.batch_size,
        stage=stage,
    )


@dataclass(frozen=True)
class Run:
    """A loaded run with its best model.

    Attributes:
        folder: folder of the run.
        config: configuration as trained.
        setup: resolved configuration; its images may be replaced, see `with_photographs`.
        classes: class names, in the order of the probabilities.
        best: record of the best epoch.
        params: parameters of that epoch.
        predictor: (params, images) → predictions.
        graphdef: model without parameters.
        mesh: device mesh.
        flips: True if predictions are means over flips.
    """

    folder: RunFolder
    config: ConfigDict
    setup: Setup
    classes: tuple[str, ...]
    best: dict[str, Any]
    params: dict
    predictor: Predict
    graphdef: nnx.GraphDef
    mesh: Mesh
    flips: bool = False

    def describe(self) -> str:
        """Describe model, epoch and flips in one line."""
        title = self.setup.model.title
        text = f"model: {title}, epoch {self.best['epoch']} of {self.folder.path}"
        if self.folder.read_epoch() is None:
            text += ", the best so far: it has not ended"
        if self.flips:
            text += "; with flips: the mean over each photograph and its mirror image"
            if not self.setup.amounts.flip:
                text += ", though trained without flips (config.augment.flip is 0)"
        return text

    def with_flips(self) -> "Run":
        """Copy that averages predictions over flips."""
        return replace(self, predictor=with_flips(self.predictor), flips=True)

    def predict(
        self, photos: Sequence[str | Path], masks: Sequence[str | Path] | None = None
    ) -> Predictions:
        """Grade images as in evaluation.

        Args:
            photos: image files.
            masks: mask file of each image, for models with mask input.

        Returns:
            Predictions with probabilities float32 [n, classes].

        Raises:
            UserError: masks are missing, or a file is unusable.
        """
        require_one_view(self.setup.source, "predict")
        self.require_masks(masks is not None, "masks=[…]")
        index = pair_photos(photos, masks, self.classes)
        parts, problems = [], []
        for _, predictions, unread in self.predict_in_parts(index, lambda done, total: None):
            parts.append(predictions)
            problems += unread
        if problems:
            summary = f"{counted(len(problems), 'photograph')} cannot be used"
            raise UserError(f"{summary}:\n{describe_problems(problems)}")
        return join_predictions(parts, self.classes)

    def predict_in_parts(
        self, index: Index, progress: Callable[[int, int], None]
    ) -> Iterator[tuple[PhotoSet, Predictions, list[Problem]]]:
        """Grade images a few batches at a time, with bounded memory.

        `progress` is called with (images read, images in all).

        Yields:
            Images, their predictions, and problems of unusable files.
        """
        total, size, how = len(index.entries), PREDICTED_AT_ONCE, self.setup.prepare
        for start in range(0, total, size):

            def count(done: int, _: int, start: int = start) -> None:
                progress(start + done, total)

            part = replace(index, entries=index.entries[start : start + size], problems=())
            photos, problems = prepare(part, how, count)
            # A run without stored grey levels uses those of the first part.
            how = replace(
                how,
                mask_coding=how.mask_coding or photos.mask_coding,
                white=how.white or photos.white,
            )
            nothing = join_predictions([], self.classes)
            yield photos, self.predictor(self.params, photos) if len(photos) else nothing, problems

    def with_mask_value(self, mask_value: str) -> "Run":
        """Copy for masks of another coding, as ``data.mask_value``; "" for the run's own.

        Raises:
            UserError: the value is invalid.
        """
        if not mask_value:
            return self
        how = replace(self.setup.prepare, hair=parse_hair(mask_value), mask_coding="")
        return replace(self, setup=replace(self.setup, prepare=how))

    def mask_rule(self, name: str, category: str) -> MaskRule:
        """Rule for matching masks to other images, from ``data.mask_name`` and the category.

        "" stands for the run's rule, or inferred.

        Raises:
            UserError: `name` is invalid.
        """
        parse_naming(name)
        return replace(self.setup.source.views[0].mask_rule, name=name, category=category)

    def with_photographs(
        self,
        *,
        photos: str,
        masks: str,
        manifest: Manifest,
        subject: str,
        spelling: str,
        mask_rule: MaskRule | None = None,
    ) -> "Run":
        """Copy with other images.

        Args:
            photos: folder of images.
            masks: folder of masks; "" for none.
            manifest: label CSV; without a path, one folder per class.
            subject: regular expression for the subject in a path; "" for none.
            spelling: rule for nearly equal names; "" for the run's own.
            mask_rule: rule for matching masks; None for the run's rule, or inferred.

        Raises:
            UserError: the model needs masks and none are given.
        """
        self.require_masks(bool(masks), "--masks=FOLDER")
        source = replace(
            self.setup.source,
            kind="photos",
            views=(View("", photos, masks, mask_rule or self.mask_rule("", "")),),
            manifest=manifest,
            subject=subject,
            spelling=spelling or self.setup.source.spelling,
            own_split="",
            exclude_test=False,
        )
        return replace(self, setup=replace(self.setup, source=source))

    def require_masks(self, available: bool, how: str) -> None:
        """Raise if the model needs masks and none are given.

        Raises:
            UserError: names the flag ``how``.
        """
        if self.setup.inputs.masks and not available:
            raise UserError(f"the model of {self.folder.path} needs hair masks: give {how}")


def load_trained(folder: RunFolder) -> Run:
    """Load a run or soup.

    Raises:
        UserError: no epoch has been validated yet.
    """
    config, classes = folder.read_config(), folder.read_classes()
    # As many devices as in training, if available, for the same order of summation. Without
    # optimizer state a model fits on each; several processes use all devices.
    count = config.devices.mesh * config.devices.shard if jax.process_count() == 1 else 0
    mesh = make_mesh(min(count, jax.device_count()), 1)
    setup = resolve(config)
    coding, white = folder.read_levels()
    setup = replace(
        setup,
        prepare=replace(setup.prepare, mask_coding=coding, white=white),
        source=setup.source.holding(folder.read_mask_facts()),
    )
    graphdef, shapes = abstract_model(setup.model, len(classes))
    best, params = best_params(folder, shapes, mesh)
    predict = make_predictor(setup, graphdef, mesh)
    return Run(folder, config, setup, classes, best, params, predict, graphdef, mesh)


def best_params(folder: RunFolder, shapes: dict, mesh: Mesh) -> tuple[dict[str, Any], dict]:
    """Best epoch of a run, and its parameters on the devices of the mesh.

    Raises:
        UserError: no epoch has been validated yet.
    """
    checkpoints = Checkpoints(folder.checkpoints)
    try:
        best = checkpoints.best()
        if best is None:
            raise UserError(f"the run at {folder.path} has not finished its first epoch yet")
        return best, checkpoints.restore_params(best["step"], on_mesh(shapes, mesh))
    finally:
        checkpoints.close()

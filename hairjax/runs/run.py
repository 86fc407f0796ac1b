"""A finished or stopped run read back: its best model, ready to predict."""

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
    """Predict function of a finished run: (params, photographs) → predictions."""
    return make_predict(
        graphdef,
        mesh,
        input_spec=setup.inputs,
        batch_size=setup.training.batch_size,
    )


def make_explainer(setup: Setup, graphdef: nnx.GraphDef, mesh: Mesh, stage: int) -> Explain:
    """Explain function of a finished run: the maps of one stage."""
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
    """A run read back: its best model, ready to predict.

    Attributes:
        folder: folder of the run.
        config: configuration as it was trained.
        setup: the configuration resolved; its photographs may be others, see `with_photographs`.
        classes: names in the order of the probabilities.
        best: the best epoch.
        params: parameters of that epoch.
        predictor: (params, photographs) → predictions.
        graphdef: the model without its parameters.
        mesh: devices that share each batch.
        flips: the predictor gives means over photographs and their mirror images.
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
        """One line for every output: the model, its epoch, and whether it judges with flips."""
        title = self.setup.model.title
        said = f"model: {title}, epoch {self.best['epoch']} of {self.folder.path}"
        if self.folder.read_epoch() is None:
            said += ", the best so far: it has not ended"
        if self.flips:
            said += "; with flips: the mean over each photograph and its mirror image"
            if not self.setup.amounts.flip:
                said += ", of which it has seen none in training (config.augment.flip is 0)"
        return said

    def with_flips(self) -> "Run":
        """The run, whose predictions are means over photographs and their mirror images."""
        return replace(self, predictor=with_flips(self.predictor), flips=True)

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
        require_one_view(self.setup.source, "predict")
        self.require_masks(masks is not None, "masks=[…]")
        index = pair_photos(photos, masks, self.classes)
        parts, problems = [], []
        for _, predictions, unread in self.predict_in_parts(index, lambda done, total: None):
            parts.append(predictions)
            problems += unread
        if problems:
            said = f"{counted(len(problems), 'photograph')} cannot be used"
            raise UserError(f"{said}:\n{describe_problems(problems)}")
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
        total, size, how = len(index.entries), PREDICTED_AT_ONCE, self.setup.prepare
        for start in range(0, total, size):

            def count(done: int, _: int, start: int = start) -> None:
                progress(start + done, total)

            part = replace(index, entries=index.entries[start : start + size], problems=())
            photos, problems = prepare(part, how, count)
            # Where the run does not know the levels of its photographs, those of the first are
            # kept to.
            how = replace(
                how,
                mask_coding=how.mask_coding or photos.mask_coding,
                white=how.white or photos.white,
            )
            nothing = join_predictions([], self.classes)
            yield photos, self.predictor(self.params, photos) if len(photos) else nothing, problems

    def with_mask_value(self, mask_value: str) -> "Run":
        """The run with masks of another coding than its own.

        Args:
            mask_value: what is hair in them, as ``data.mask_value`` says; "": as in the run's own.

        Raises:
            UserError: it is no value of a mask.
        """
        if not mask_value:
            return self
        how = replace(self.setup.prepare, hair=parse_hair(mask_value), mask_coding="")
        return replace(self, setup=replace(self.setup, prepare=how))

    def mask_rule(self, name: str, category: str) -> MaskRule:
        """How masks of other photographs are looked for.

        Args:
            name: how they are named, as ``data.mask_name`` says; "": like the run's own, or told.
            category: the category of their annotations, likewise.

        Raises:
            UserError: `name` is none.
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
        """The run with other photographs than its own.

        Args:
            photos: their folder.
            masks: the folder of their masks; "" for none.
            manifest: their labels; without a path there is a folder per class.
            subject: a regular expression that finds the subject in a path; "" for none.
            spelling: rule for names that are nearly equal; "" for the run's own.
            mask_rule: how masks are looked for; None: like the run's own, or told.

        Raises:
            UserError: the model sees masks and none are given.
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
            keep_test_aside=False,
        )
        return replace(self, setup=replace(self.setup, source=source))

    def require_masks(self, given: bool, how: str) -> None:
        """Refuse photographs without masks for a model that was trained with them.

        Raises:
            UserError: the model sees masks and none are given.
        """
        if self.setup.inputs.masks and not given:
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
    """The best epoch of a run, and its parameters on the devices of the mesh."""
    checkpoints = Checkpoints(folder.checkpoints)
    try:
        best = checkpoints.best()
        if best is None:
            raise UserError(f"the run at {folder.path} has not finished its first epoch yet")
        return best, checkpoints.restore_params(best["step"], on_mesh(shapes, mesh))
    finally:
        checkpoints.close()

"""An ensemble's folder read back as a run: its models judge photographs together."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hairjax.builders.setup import Setup, resolve
from hairjax.data.photoset import PhotoSet
from hairjax.data.sources.mask_rule import MaskFacts
from hairjax.evaluation.mixture import mix
from hairjax.evaluation.predictions import Predictions
from hairjax.runs.aligned import PHOTOGRAPH
from hairjax.runs.derived import source_runs
from hairjax.runs.folder import RunFolder
from hairjax.runs.run import Run
from hairjax.system.errors import UserError


def load_ensemble(folder: RunFolder, load: Callable[[Path], Run]) -> Run:
    """The models of an ensemble, whose ``predictor`` gives the weighted mean of theirs.

    Args:
        folder: folder of the ensemble.
        load: reads a member, which may be a run, a soup or an ensemble.

    Raises:
        UserError: what the folder holds has no model of its own, its models see photographs that
            are prepared differently, or have been trained on since.
    """
    config = folder.read_config()
    runs = ", ".join(map(str, source_runs(folder)))
    if config.made.by != "ensemble":
        raise UserError(
            f"{folder.path} is what {config.made.by} wrote: predictions, and no model that could "
            f"judge other photographs{f'; take {runs}' if runs else ''}"
        )
    if config.made.unit != PHOTOGRAPH:
        raise UserError(
            f"{folder.path} judges subjects by views of different photographs, and none by itself: "
            f"take {runs}"
        )
    members = [load(path) for path in source_runs(folder)]
    kinds = {(one.setup.prepare.side, one.setup.prepare.fit) for one in members}
    if len(kinds) > 1:
        described = ", ".join(f"{fit} to {side} pixels" for side, fit in sorted(kinds))
        raise UserError(
            f"the models of {folder.path} see photographs that are prepared differently "
            f"({described}): take them one by one ({runs})"
        )
    epochs, weights = [one.best["epoch"] for one in members], np.array(config.made.weights)
    before = folder.read_epoch()
    if before not in (None, epochs):
        raise UserError(
            f"{folder.path} was made of the epochs {before}, and the best of its runs are now "
            f"{epochs}: make it anew, in another folder"
        )

    def predict(params: dict, photos: PhotoSet) -> Predictions:
        parts = [one.predictor(params[i], photos) for i, one in enumerate(members)]
        probabilities = np.stack([part.probabilities for part in parts])
        present = np.ones(probabilities.shape[:2], np.bool_)
        return replace(parts[0], probabilities=mix(probabilities, weights, present))

    params = {i: one.params for i, one in enumerate(members)}
    one = members[0]
    best = {"epoch": epochs}
    return replace(
        one,
        folder=folder,
        config=config,
        setup=_held_to_members(resolve(config), [one.setup for one in members]),
        best=best,
        params=params,
        predictor=predict,
    )


def _held_to_members(setup: Setup, members: Sequence[Setup]) -> Setup:
    """The setup with the levels of photographs and the names of masks that its members agree on."""
    rules = [one.source.views[0].mask_rule for one in members]
    prepare = replace(
        setup.prepare,
        mask_coding=_agreed((one.prepare.mask_coding for one in members), ""),
        white=_agreed((one.prepare.white for one in members), 0),
    )
    name = _agreed((rule.held_name for rule in rules), "")
    category = _agreed((rule.held_category for rule in rules), "")
    source = setup.source.holding(MaskFacts(name, category))
    return replace(setup, prepare=prepare, source=source)


def _agreed(values: Iterable[Any], unknown: Any) -> Any:
    """The one value of those that know it; `unknown` where they know none, or several."""
    known = {*values} - {unknown}
    return known.pop() if len(known) == 1 else unknown

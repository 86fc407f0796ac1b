"""Load an ensemble as a run."""

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
    """Load an ensemble; its ``predictor`` returns the weighted mean of its members.

    `load` loads a member: a run, a soup or an ensemble.

    Raises:
        UserError: the folder has no models, its members prepare images differently or were trained
            further since.
    """
    config = folder.read_config()
    runs = ", ".join(map(str, source_runs(folder)))
    if config.made.by != "ensemble":
        raise UserError(
            f"{folder.path} was written by {config.made.by} and holds predictions, but no model "
            f"for other photographs{f'; use {runs}' if runs else ''}"
        )
    if config.made.unit != PHOTOGRAPH:
        raise UserError(
            f"{folder.path} combines views of a subject and cannot predict single photographs: "
            f"use {runs}"
        )
    members = [load(path) for path in source_runs(folder)]
    kinds = {(one.setup.prepare.side, one.setup.prepare.fit) for one in members}
    if len(kinds) > 1:
        described = ", ".join(f"{fit} to {side} pixels" for side, fit in sorted(kinds))
        raise UserError(
            f"the models of {folder.path} prepare photographs differently ({described}): use them "
            f"one by one ({runs})"
        )
    epochs, weights = [one.best["epoch"] for one in members], np.array(config.made.weights)
    before = folder.read_epoch()
    if before not in (None, epochs):
        raise UserError(
            f"{folder.path} was made of the epochs {before}, and the best epochs of its runs are "
            f"now {epochs}: create it again, in another folder"
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
        setup=_with_member_levels(resolve(config), [one.setup for one in members]),
        best=best,
        params=params,
        predictor=predict,
    )


def _with_member_levels(setup: Setup, members: Sequence[Setup]) -> Setup:
    """Setup with the grey levels and mask rule common to all members."""
    rules = [one.source.views[0].mask_rule for one in members]
    prepare = replace(
        setup.prepare,
        mask_coding=_common((one.prepare.mask_coding for one in members), ""),
        white=_common((one.prepare.white for one in members), 0),
    )
    name = _common((rule.held_name for rule in rules), "")
    category = _common((rule.held_category for rule in rules), "")
    source = setup.source.holding(MaskFacts(name, category))
    return replace(setup, prepare=prepare, source=source)


def _common(values: Iterable[Any], unknown: Any) -> Any:
    """The common value of all who know it; `unknown` if none do or they differ."""
    known = {*values} - {unknown}
    return known.pop() if len(known) == 1 else unknown

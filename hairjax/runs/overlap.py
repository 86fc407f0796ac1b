"""Leakage through pretrained weights: held-out images among their training images."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hairjax.builders.model import ModelSpecification
from hairjax.data.options import SourceOptions, SplitOptions
from hairjax.data.photoset import PhotoSet
from hairjax.data.split import SPLITS, split_rows
from hairjax.parallel.processes import is_first, largest
from hairjax.runs.ancestry import Ancestry, subject_digest, weights_ancestry
from hairjax.system import console
from hairjax.system.errors import UserError, examples
from hairjax.weights.load import is_run

_EXAMPLES = 3
_HELD = SPLITS[1:]


@dataclass(frozen=True)
class Overlap:
    """Held-out images among the training images of weights."""

    held: Mapping[str, int]  # number of validation and test images
    # number of them in the training images of an ancestor run, by contents
    contents: Mapping[str, int]
    subjects: Mapping[str, int]  # number of others sharing a subject with training images
    selected: int  # test images that only selected the epoch of an ancestor run
    runs: tuple[str, ...]  # names of the ancestor runs concerned
    files: tuple[str, ...]  # names of the images in ``contents`` or ``subjects``, with their split

    @property
    def leaks(self) -> bool:
        """True if the weights were trained on held-out images or their subjects."""
        return bool(self.files)

    def describe(self) -> str:
        """Describe the overlap by split and run with examples, as a clause."""
        clauses = [
            f"{self._of_held(counts)} {predicate}"
            for counts, predicate in (
                (self.contents, "have trained these weights"),
                (self.subjects, "show subjects with other photographs that trained these weights"),
            )
            if any(counts.values())
        ]
        training = f"of {', '.join(self.runs)}: {examples(self.files, _EXAMPLES)}"
        return f"{', '.join(clauses)} (training {training})"

    def _of_held(self, counts: Mapping[str, int]) -> str:
        named = [
            f"{counts[name]:,} of the {self.held[name]:,} {name}" for name in _HELD if counts[name]
        ]
        return f"{' and '.join(named)} photographs"


def find_overlap(
    ancestry: Ancestry, rows: Iterable[Mapping[str, str]], source: SourceOptions
) -> Overlap:
    """Find held-out images among the training images of weights, by contents and subject.

    `rows` are those of ``split.csv``; subject names are comparable within `source`.
    """
    held, contents, subjects = (Counter(dict.fromkeys(_HELD, 0)) for _ in range(3))
    selected, runs, files = 0, set(), []
    for row in rows:
        split = row["split"]
        if split not in _HELD:
            continue
        held[split] += 1
        digest = subject_digest(row["subject"], source) if row["subject"] else ""
        trained = [one.run for one in ancestry.learnt if row["sha256"] in one.photographs]
        alike = [one.run for one in ancestry.learnt if digest in one.subjects]
        if trained or alike:
            (contents if trained else subjects)[split] += 1
            runs |= {*trained, *alike}
            files.append(f"{row['file']} ({split})")
        elif split == "test":
            selected += any(row["sha256"] in one.selected for one in ancestry.learnt)
    named = tuple(dict.fromkeys(one.run for one in ancestry.learnt if one.run in runs))
    return Overlap(held, contents, subjects, selected, named, tuple(files))


def require_no_leakage(
    ancestry: Ancestry,
    rows: Iterable[Mapping[str, str]],
    source: SourceOptions,
    on_leak: str,
    remedy: str,
) -> Overlap:
    """Raise on held-out images in `rows` of ``split.csv`` among the training images of weights.

    With ``on_leak`` "allow" they are reported only. `remedy` completes the message. Collective: all
    processes call it; the first one knows the ancestry.

    Raises:
        UserError: in every process; the first one gives the numbers.
    """
    for one in ancestry.untraced:
        console.say(
            f"the weights cannot be traced further: {one}; their earlier training photographs are "
            "not compared with validation and test"
        )
    overlap = find_overlap(ancestry, rows, source)
    refuse = overlap.leaks and on_leak == "refuse"
    if largest(int(refuse)) and not refuse:
        raise UserError("the split leaks through the weights; process 0 names the photographs")
    if overlap.selected:
        console.say(
            f"{overlap.selected:,} of the {overlap.held['test']:,} test photographs have selected "
            "the epoch of these weights: a small optimistic bias"
        )
    if refuse:
        raise UserError(f"the split leaks through the weights: {overlap.describe()}; {remedy}")
    if overlap.leaks:
        console.say(f"{overlap.describe()}; continues: config.data.on_leak=allow")
    return overlap


def require_no_leakage_of_weights(
    model: ModelSpecification,
    weights: Sequence[Path | None],
    photos: PhotoSet,
    split: np.ndarray,
    source: SourceOptions,
    options: SplitOptions,
) -> Ancestry:
    """Ancestry of a run's initial weights, checked for leakage; see `require_no_leakage`.

    `weights` are those of each stream (None: none), `split` is str [n]. Empty in every process but
    the first.

    Raises:
        UserError: held-out images are among the training images.
    """
    ancestry = weights_ancestry(model, weights) if is_first() else Ancestry()
    run_weights = [path for path in weights if path is not None and is_run(path)]
    splits = f" (--config.data.split={run_weights[0] / 'split.csv'})" if run_weights else ""
    remedy = (
        f"use the split of the run that trained the weights{splits}, or other weights, or train "
        "anyway with --config.data.on_leak=allow, for instance if different people share names"
    )
    overlap = require_no_leakage(
        ancestry, split_rows(photos, split), source, options.on_leak, remedy
    )
    if ancestry.learnt and not overlap.leaks:
        known = any(photos.subjects) and any(one.subjects for one in ancestry.learnt)
        how = "by contents and by subject" if known else "by contents; subjects are not known"
        if source.two_views:  # contents are those of a pair
            how = "by subject" if known else "of the same pairs; subjects are not known"
        console.say(
            "validation and test photographs that trained the weights "
            f"({ancestry.runs}): none, {how}"
        )
    return ancestry

"""Photographs held out from which weights have learnt before: found, told of, refused."""

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
    """Photographs held out from which weights have learnt.

    Attributes:
        held: photographs of validation and of test.
        contents: those of them whose contents have trained a run that the weights come from.
        subjects: others, whose subject has.
        selected: test photographs by which the epoch of such a run was chosen, of no other use.
        runs: names of the runs that were trained on any of them, or on their subjects.
        files: names of those that count in ``contents`` or ``subjects``, with their splits.
    """

    held: Mapping[str, int]
    contents: Mapping[str, int]
    subjects: Mapping[str, int]
    selected: int
    runs: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def leaks(self) -> bool:
        """True if the weights were trained on any of them, or on their subjects."""
        return bool(self.files)

    def describe(self) -> str:
        """In words, without a stop: how many of which split, in which runs, with examples."""
        said = [
            f"{self._of_held(counts)} {what}"
            for counts, what in (
                (self.contents, "have trained these weights"),
                (self.subjects, "show subjects whose other photographs have trained these weights"),
            )
            if any(counts.values())
        ]
        which = f"of {', '.join(self.runs)}: {examples(self.files, _EXAMPLES)}"
        return f"{', '.join(said)} (training {which})"

    def _of_held(self, counts: Mapping[str, int]) -> str:
        named = [
            f"{counts[name]:,} of the {self.held[name]:,} {name}" for name in _HELD if counts[name]
        ]
        return f"{' and '.join(named)} photographs"


def find_overlap(
    ancestry: Ancestry, rows: Iterable[Mapping[str, str]], source: SourceOptions
) -> Overlap:
    """Compare what weights have learnt from with photographs, by contents and by subject.

    Args:
        ancestry: ancestry of the weights.
        rows: rows of ``split.csv``; those of validation and test are compared.
        source: source of the photographs, within which names of subjects mean the same people.
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


def require_unlearnt(
    ancestry: Ancestry,
    rows: Iterable[Mapping[str, str]],
    source: SourceOptions,
    on_leak: str,
    remedy: str,
) -> Overlap:
    """Refuse photographs held out from which weights have learnt.

    Every process calls this; the first knows the ancestry.

    Args:
        ancestry: ancestry of the weights.
        rows: rows of ``split.csv``.
        source: source of the photographs.
        on_leak: with "allow" they are told of and not refused.
        remedy: what else to do, to stand after "or".

    Raises:
        UserError: there are some; in every process, and the first says how many.
    """
    for one in ancestry.untraced:
        console.say(
            f"the weights cannot be followed further: {one}; what they learnt from before is not "
            "compared with validation and test"
        )
    overlap = find_overlap(ancestry, rows, source)
    refuse = overlap.leaks and on_leak == "refuse"
    if largest(int(refuse)) and not refuse:
        raise UserError("the weights leak; process 0 says which photographs have trained them")
    if overlap.selected:
        console.say(
            f"{overlap.selected:,} of the {overlap.held['test']:,} test photographs have chosen "
            "the epoch of these weights, which flatters the results a little"
        )
    if refuse:
        raise UserError(f"the split leaks through the weights: {overlap.describe()}; {remedy}")
    if overlap.leaks:
        console.say(f"{overlap.describe()}; goes on nevertheless: config.data.on_leak=allow")
    return overlap


def require_unlearnt_weights(
    model: ModelSpecification,
    weights: Sequence[Path | None],
    photos: PhotoSet,
    split: np.ndarray,
    source: SourceOptions,
    options: SplitOptions,
) -> Ancestry:
    """Ancestry of the weights with which a training begins; see `require_unlearnt`.

    Returns:
        The ancestry; nothing in every process but the first.

    Raises:
        UserError: they have learnt from photographs that the split (str [n]) holds out.
    """
    found = weights_ancestry(model, weights) if is_first() else Ancestry()
    own = [path for path in weights if path is not None and is_run(path)]
    splits = f" (--config.data.split={own[0] / 'split.csv'})" if own else ""
    remedy = (
        f"take the split of the run that the weights are from{splits}, or other weights, or train "
        "nevertheless with --config.data.on_leak=allow, as where these are other people of the "
        "same names"
    )
    overlap = require_unlearnt(found, split_rows(photos, split), source, options.on_leak, remedy)
    if found.learnt and not overlap.leaks:
        known = any(photos.subjects) and any(one.subjects for one in found.learnt)
        how = "by contents and by subject" if known else "by contents; subjects are not known"
        if source.two_views:  # whose contents are those of a pair
            how = "by subject" if known else "of the same pairs; subjects are not known"
        console.say(
            f"validation and test photographs that trained the weights ({found.runs}): none, {how}"
        )
    return found

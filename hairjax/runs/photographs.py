"""Read the images of a run, or other images for it."""

from dataclasses import dataclass, replace

import numpy as np

from hairjax.builders.data_set import find_data, load_data
from hairjax.builders.setup import Setup, resolve
from hairjax.config.places import require_places
from hairjax.data.mask_checksums import require_same_masks
from hairjax.data.options import FOLDERS
from hairjax.data.photoset import PhotoSet
from hairjax.data.quality.findings import describe_masks
from hairjax.data.sources.photos import Index
from hairjax.data.sources.subjects import compile_subject, subject_of
from hairjax.data.sources.unify import unify_spelling
from hairjax.data.split import read_own_split, read_rows, split_rows
from hairjax.runs.ancestry import ancestors, run_ancestry, subject_digest
from hairjax.runs.folder import RunFolder
from hairjax.runs.moved import read_mask_checksums
from hairjax.runs.overlap import find_overlap
from hairjax.runs.run import Run
from hairjax.system import console
from hairjax.system.errors import UserError, examples
from hairjax.system.wording import counted

_EXAMPLES = 3


@dataclass(frozen=True)
class Selection:
    """Images to evaluate."""

    split: str  # ``validation``, ``test`` or ``train`` of the run; ``all`` of other images
    photos: str = ""  # another folder of images; "" for the run's own
    masks: str = ""  # their masks
    manifest: str = ""  # their label CSV; "" for one folder per class
    # regular expression for the subject in a path; "" for the manifest column, or else the run's
    # expression
    subject: str = ""
    mask_value: str = ""  # mask value of hair; "" for the run's rule
    # nearly equal names: ``refuse``, ``merge`` or ``apart``; "" for the run's rule
    spelling: str = ""
    mask_name: str = ""  # naming of the masks; "" for the run's rule, or inferred
    mask_category: str = ""  # annotation category of hair; "" likewise
    columns: str = ""  # columns of the manifest, as `data.columns`
    prefix: str = ""  # prefix to strip from the manifest's paths


def read_run_photographs(
    setup: Setup, folder: RunFolder, classes: tuple[str, ...]
) -> tuple[PhotoSet, np.ndarray]:
    """Read the images of a run, and their split (str [n]).

    Raises:
        UserError: images are unusable, or differ from those of the first start.
    """
    paths = setup.source.paths
    # Only the user-defined split names the images excluded from cross-validation.
    aside = setup.source.own_split if setup.source.exclude_test else ""
    require_places(
        folder.path,
        (*paths, setup.source.manifest.path, aside if aside != FOLDERS else ""),
    )
    photos = load_data(setup.source, setup.prepare, classes)
    own = resolve(folder.read_config()).source
    if paths == own.paths:  # the run's own images and masks
        require_same_masks(read_mask_checksums(folder), photos)
    return photos, read_own_split(folder.split, photos)


def read_selected_photographs(run: Run, split: str) -> tuple[PhotoSet, np.ndarray, np.ndarray]:
    """Read images for evaluation: all images, their split (str [n]), selected indices (int [m]).

    The images are the run's own or from `Run.with_photographs`; `split` is one of the run, or
    ``all`` of others.

    Raises:
        UserError: images are unusable, differ from the run's, or the split is empty.
    """
    setup = run.setup
    console.say(f"source: {setup.source.describe()}")
    console.say(run.describe())
    if split == "all":
        found = find_data(setup.source, run.classes)
        if not setup.source.subject:
            index = find_subjects(found[0], resolve(run.config).source.subject)
            if index is not found[0]:  # conflicting subjects are checked as in training
                found = unify_spelling((replace(index, spellings=()),), setup.source.spelling)
        photos = load_data(setup.source, setup.prepare, run.classes, found)
        _report_known_images(run, photos)
        parts = np.full(len(photos), split)
    else:
        photos, parts = read_run_photographs(setup, run.folder, run.classes)
    if setup.source.paths != resolve(run.config).source.paths:
        for line in describe_masks(photos):
            console.say(line)
    chosen = np.flatnonzero(parts == split)
    if not len(chosen):
        raise UserError(f"the run has no photographs in --split={split}")
    if split != "all":
        rows = split_rows(photos, parts)
        _report_overlap(run, [row for row in rows if row["split"] == split])
    return photos, parts, chosen


def find_subjects(index: Index, expression: str) -> Index:
    """Add subjects to other images: from the manifest, or by the run's expression.

    Raises:
        UserError: the expression matches only some of the images.
    """
    if any(entry.subject for entry in index.entries):
        return index
    pattern = compile_subject(expression)
    subjects = [subject_of(pattern, e.file) if pattern else "" for e in index.entries]
    lacking = [entry.file for entry, one in zip(index.entries, subjects, strict=True) if not one]
    if lacking and len(lacking) < len(subjects):
        raise UserError(
            f"subjects are known for some photographs only: config.data.subject of the run, "
            f"{expression!r}, finds none in {len(lacking):,} of {len(subjects):,} "
            f"({examples(lacking, _EXAMPLES)}): give --subject=EXPRESSION, or --subject=.+ if "
            "each shows another person"
        )
    if lacking:
        why = f"config.data.subject of the run, {expression!r}, finds none in their paths"
        console.say(
            f"unknown subjects ({why if expression else 'the run has no config.data.subject'}): "
            "each photograph counts as another person; give --subject=EXPRESSION or a manifest "
            "with the column subject"
        )
        return index
    console.say(
        f"subjects: {len({*subjects}):,}, found by config.data.subject of the run, {expression!r} "
        "(--subject=EXPRESSION gives another)"
    )
    entries = zip(index.entries, subjects, strict=True)
    return replace(index, entries=tuple(replace(entry, subject=one) for entry, one in entries))


def _report_overlap(run: Run, rows: list[dict[str, str]]) -> None:
    """Report the images of a split among the training images of the initial weights."""
    overlap = find_overlap(ancestors(run.folder), rows, run.setup.source)
    if overlap.leaks:
        console.say(f"{overlap.describe()}: the results are optimistic")


def _report_known_images(run: Run, data: PhotoSet) -> None:
    """Report other images among the training and validation images of the run."""
    folder = run.folder
    used = {row["sha256"]: row["split"] for row in read_rows(folder.split)}
    known = [used.get(contents) for contents in data.sha256]
    found = {"training": known.count("train"), "validation": known.count("validation")}
    before = frozenset().union(*(one.photographs for one in ancestors(folder).learnt))
    found["weights' training"] = sum(
        contents in before and used.get(contents) != "train" for contents in data.sha256
    )
    if any(found.values()):
        counts = " and ".join(f"{count:,} of its {name}" for name, count in found.items() if count)
        console.say(
            f"of the {counted(len(data), 'photograph')} given the run knows {counts} photographs: "
            "the results are optimistic; leave them out, or evaluate with --split=test"
        )
    people = frozenset().union(*(one.subjects for one in run_ancestry(folder.path).learnt))
    alike = [
        subject
        for contents, subject in zip(data.sha256, data.subjects, strict=True)
        if subject and used.get(contents) != "train" and contents not in before
        if subject_digest(subject, run.setup.source) in people
    ]
    if alike:
        console.say(
            f"{counted(len(alike), 'further photograph')} of subjects named like training subjects "
            f"({examples(sorted({*alike}), _EXAMPLES)}): if they are the same, the results are "
            "optimistic"
        )

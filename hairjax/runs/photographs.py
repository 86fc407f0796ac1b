"""Read the photographs of a run, or others for it: the one place that does."""

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
from hairjax.runs.moved import read_own_masks
from hairjax.runs.overlap import find_overlap
from hairjax.runs.run import Run
from hairjax.system import console
from hairjax.system.errors import UserError, examples
from hairjax.system.wording import counted

_EXAMPLES = 3


@dataclass(frozen=True)
class Selection:
    """The photographs on which a run is asked.

    Attributes:
        split: ``validation``, ``test`` or ``train`` of the run's own; ``all`` of others.
        photos: another folder of photographs; "" for the run's own.
        masks: their masks.
        manifest: their labels, where the folders do not tell.
        subject: a regular expression that finds the subject in a path; "" for the manifest's
            column, or else the run's own expression.
        mask_value: what is hair in their masks; "": as in the run's own.
        spelling: their names that are nearly equal: ``refuse``, ``merge`` or ``apart``; "" for the
            run's own rule.
        mask_name: how their masks are named; "": as the run's own, or told.
        mask_category: of annotations, which category is hair, likewise.
        columns: which column of the manifest says what, as `data.columns`.
        prefix: what to drop at the start of the manifest's paths.
    """

    split: str
    photos: str = ""
    masks: str = ""
    manifest: str = ""
    subject: str = ""
    mask_value: str = ""
    spelling: str = ""
    mask_name: str = ""
    mask_category: str = ""
    columns: str = ""
    prefix: str = ""


def read_run_photographs(
    setup: Setup, folder: RunFolder, classes: tuple[str, ...]
) -> tuple[PhotoSet, np.ndarray]:
    """Photographs that a run was trained with, and the split of each (str [n]).

    Raises:
        UserError: they cannot be used, or are not those the run began with.
    """
    places = setup.source.places
    # Which photographs were kept aside of folds is said by the split alone that people brought.
    aside = setup.source.own_split if setup.source.keep_test_aside else ""
    require_places(
        folder.path,
        (*places, setup.source.manifest.path, aside if aside != FOLDERS else ""),
    )
    photos = load_data(setup.source, setup.prepare, classes)
    own = resolve(folder.read_config()).source
    if places == own.places:  # of the run's own photographs, and not with other masks
        require_same_masks(read_own_masks(folder), photos)
    return photos, read_own_split(folder.split, photos)


def read_asked_photographs(run: Run, split: str) -> tuple[PhotoSet, np.ndarray, np.ndarray]:
    """Photographs of a run's setup, the split of each, and the indices of those asked for.

    Args:
        run: its source names the photographs, own or given by `Run.with_photographs`.
        split: one of its own, or ``all`` of other photographs.

    Returns:
        The photographs; str [n]; int [m].

    Raises:
        UserError: photographs cannot be used, are not the run's, or none is of the split.
    """
    setup = run.setup
    console.say(f"source: {setup.source.describe()}")
    console.say(run.describe())
    if split == "all":
        found = find_data(setup.source, run.classes)
        if not setup.source.subject:
            index = find_subjects(found[0], resolve(run.config).source.subject)
            if index is not found[0]:  # people are held against each other as in training
                found = unify_spelling((replace(index, spellings=()),), setup.source.spelling)
        photos = load_data(setup.source, setup.prepare, run.classes, found)
        _tell_of_known(run, photos)
        parts = np.full(len(photos), split)
    else:
        photos, parts = read_run_photographs(setup, run.folder, run.classes)
    if setup.source.places != resolve(run.config).source.places:
        for line in describe_masks(photos):
            console.say(line)
    chosen = np.flatnonzero(parts == split)
    if not len(chosen):
        raise UserError(f"the run has no photographs in --split={split}")
    if split != "all":
        rows = split_rows(photos, parts)
        _tell_of_learnt(run, [row for row in rows if row["split"] == split])
    return photos, parts, chosen


def find_subjects(index: Index, expression: str) -> Index:
    """Other photographs with their subjects: the manifest's, or by the run's own expression.

    Raises:
        UserError: the expression finds the subjects of some of the photographs only.
    """
    if any(entry.subject for entry in index.entries):
        return index
    pattern = compile_subject(expression)
    subjects = [subject_of(pattern, e.file) if pattern else "" for e in index.entries]
    lacking = [entry.file for entry, one in zip(index.entries, subjects, strict=True) if not one]
    if lacking and len(lacking) < len(subjects):
        raise UserError(
            f"whose photographs these are is known for some of them only: config.data.subject of "
            f"the run, {expression!r}, finds no subject in {len(lacking):,} of "
            f"{len(subjects):,} ({examples(lacking, _EXAMPLES)}): give --subject=EXPRESSION, or "
            "--subject=.+ where each is of another person"
        )
    if lacking:
        why = f"config.data.subject of the run, {expression!r}, finds none in their paths"
        console.say(
            f"subjects are not known ({why if expression else 'the run has no config.data.subject'}"
            "): each photograph counts as another person's; give --subject=EXPRESSION or a "
            "manifest with the column subject"
        )
        return index
    console.say(
        f"subjects: {len({*subjects}):,}, found by config.data.subject of the run, {expression!r} "
        "(--subject=EXPRESSION gives another)"
    )
    entries = zip(index.entries, subjects, strict=True)
    return replace(index, entries=tuple(replace(entry, subject=one) for entry, one in entries))


def _tell_of_learnt(run: Run, rows: list[dict[str, str]]) -> None:
    """Say how many photographs of a split have trained the weights with which the run began."""
    overlap = find_overlap(ancestors(run.folder), rows, run.setup.source)
    if overlap.leaks:
        console.say(f"{overlap.describe()}: what is found flatters the run")


def _tell_of_known(run: Run, data: PhotoSet) -> None:
    """Say how many of other photographs the run has learnt from or chosen its epoch by."""
    folder = run.folder
    used = {row["sha256"]: row["split"] for row in read_rows(folder.split)}
    known = [used.get(contents) for contents in data.sha256]
    found = {"training": known.count("train"), "validation": known.count("validation")}
    before = frozenset().union(*(one.photographs for one in ancestors(folder).learnt))
    found["weights' training"] = sum(
        contents in before and used.get(contents) != "train" for contents in data.sha256
    )
    if any(found.values()):
        said = " and ".join(f"{count:,} of its {name}" for name, count in found.items() if count)
        console.say(
            f"of the {counted(len(data), 'photograph')} given the run knows {said} photographs: "
            "what is found flatters it; leave them out, or judge it with --split=test"
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
            f"{counted(len(alike), 'further photograph')} of people who are called as some who "
            f"trained it ({examples(sorted({*alike}), _EXAMPLES)}): if they are the same, what is "
            "found flatters it"
        )

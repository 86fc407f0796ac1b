"""Paired comparison of runs evaluated on the same images."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from hairjax.builders.setup import resolve
from hairjax.data.split import read_rows
from hairjax.evaluation.metrics.classification import why_undefined
from hairjax.evaluation.metrics.intervals import MEASURED_FROM
from hairjax.evaluation.metrics.jackknife import subject_indices
from hairjax.evaluation.metrics.paired import METRICS, compare, holm, summarise
from hairjax.report.comparison.page import MOST_SHOWN, write_comparison
from hairjax.report.comparison.summary import (
    TESTS,
    TITLES,
    UNKNOWN,
    Comparison,
    predicted_class,
    spread,
)
from hairjax.report.comparison.text import latex, markdown
from hairjax.report.figures.comparison import forest_figure
from hairjax.report.numbers import number_range, signed
from hairjax.runs.ancestry import ancestors
from hairjax.runs.overlap import find_overlap
from hairjax.runs.photographs import read_run_photographs
from hairjax.runs.read_predictions import RunGroup, RunPredictions, align, group_runs
from hairjax.studies.folds import read_run_or_folds
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.files import replacing, write_csv
from hairjax.system.outputs import record_written, require_replaceable
from hairjax.system.wording import counted

_PAGES = ("comparison.html", "comparison.md", "comparison.tex")
_WRITTEN = (*_PAGES, "differences.png", "flipped.csv")
SIDE = 160  # side of a thumbnail in pixels


def compare_runs(workdirs: Sequence[str], split: str, *, out: Path, thumbnails: bool) -> Comparison:
    """Compare runs; print, and write ``comparison.html``, ``.md``, ``.tex`` and ``flipped.csv``.

    Args:
        workdirs: two or more runs or folders of folds; the first configuration is the reference.
        split: ``validation`` or ``test``.
        out: output folder, not a run's.
        thumbnails: True to show thumbnails of the images in ``flipped.csv``.

    Raises:
        UserError: predictions are missing, or of different images.
    """
    require_replaceable(out, _WRITTEN)
    runs = align([read_run_or_folds(Path(workdir), split) for workdir in workdirs])
    found = find_differences(group_runs(runs), split)
    show_comparison(found)
    pictures: dict[int, bytes] = {}
    no_pictures = "The photographs are named only (--thumbnails=false)."
    if thumbnails:
        pictures, no_pictures = read_thumbnails(runs[0], found)
    out.mkdir(parents=True, exist_ok=True)
    forest, page = out / "differences.png", out / "comparison.html"
    forest_figure(found.names[1:], found.pairs, forest)
    write_comparison(found, forest, pictures, no_pictures, page)
    for name, text in (("comparison.md", markdown(found)), ("comparison.tex", latex(found))):
        with replacing(out / name) as unfinished:
            unfinished.write_bytes(text.encode("utf-8", errors="replace"))
    write_flipped(found, out / "flipped.csv")
    record_written(out, _WRITTEN)
    if no_pictures:
        console.say(no_pictures)
    console.say(f"written: {out}; begin with {page}")
    return found


def find_differences(groups: Sequence[RunGroup], split: str) -> Comparison:
    """Evaluate every configuration and compare each with the first."""
    first = groups[0].runs[0]
    source = resolve(first.config).source
    truth = first.predictions
    unit = subject_indices(truth.subjects)
    summaries = [
        summarise(truth.labels, [run.predictions.probabilities for run in group.runs], unit)
        for group in groups
    ]
    pairs = [compare(summaries[0], other) for other in summaries[1:]]
    counted_by = "subjects" if any(truth.subjects) else "photographs"
    return Comparison(
        split=split,
        source=source.describe(),
        synthetic=source.synthetic,
        classes=truth.classes,
        files=truth.files,
        labels=truth.labels,
        subjects=truth.subjects,
        names=[group.name for group in groups],
        runs=[[(str(run.path), run.config.seed) for run in group.runs] for group in groups],
        summaries=summaries,
        pairs=pairs,
        mcnemar=holm([pair.mcnemar for pair in pairs]),
        by_subject=holm([pair.by_subject for pair in pairs]),
        interval_note=f"jackknife over {counted_by}, Student's t",
        notes=_notes(groups, split, why_undefined({m: summaries[0].mean(m) for m in METRICS})),
    )


def _notes(groups: Sequence[RunGroup], split: str, undefined: str) -> list[str]:
    notes = [undefined] if undefined else []
    runs = [run for group in groups for run in group.runs]
    if split == "validation":
        notes.append(
            "Each run's best epoch was selected on these photographs, a small optimistic bias; "
            "the test photographs (--split=test) give an unbiased comparison."
        )
    if all(group.name.startswith("seed=") for group in groups):
        notes.append("All runs share one configuration and differ in the seed only.")
    if any(len(group.runs) > 1 for group in groups):
        notes.append(
            "A configuration with several runs counts as their mean: intervals reflect the "
            "choice of subjects, the standard deviation over runs the choice of seeds."
        )
    else:
        notes.append("One run of each configuration: the variation over seeds is unknown.")
    notes += _subject_notes(runs[0].predictions.subjects)
    return notes + _training_set_notes(runs) + _overlap_notes(runs, split)


def _subject_notes(subjects: Sequence[str]) -> list[str]:
    known, without_subject = len({*subjects} - {""}), subjects.count("")
    notes = []
    if without_subject:
        extent = f" ({counted(without_subject, 'photograph')})" if known else ""
        notes.append(
            f"Unknown subjects{extent}: each photograph without one counts as another person; if "
            "several show one person, intervals are too narrow and p too small."
        )
    units = known + without_subject
    if units == 1:
        notes.append("All photographs are of one subject: no conclusion about others.")
    elif known and units < MEASURED_FROM:
        notes.append(
            f"{units} subjects are few: the coverage of intervals with fewer than {MEASURED_FROM} "
            "was not measured."
        )
    return notes


def _training_set_notes(runs: Sequence[RunPredictions]) -> list[str]:
    first, *others = runs
    return [
        f"{run.path} was trained on other photographs than {first.path}: on "
        f"{len(run.trained):,}, of which {len(run.trained & first.trained):,} are among the "
        f"{len(first.trained):,} of the other."
        for run in others
        if run.trained != first.trained
    ]


def _overlap_notes(runs: Sequence[RunPredictions], split: str) -> list[str]:
    notes = []
    for run in runs:
        rows = [row for row in read_rows(run.folder.split) if row["split"] == split]
        overlap = find_overlap(ancestors(run.folder), rows, resolve(run.config).source)
        if overlap.leaks and run.path == run.folder.path:
            notes.append(f"{run.path} is biased: {overlap.describe()}.")
    return notes


def show_comparison(found: Comparison) -> None:
    """Print the tables of values, differences and tests, with notes."""
    console.say(f"evaluated on the same {found.evaluated_on}")
    # Letters: names of configurations are too long for a terminal.
    letters = [_letter(place) for place in range(len(found.names))]
    for place, (letter, name) in enumerate(zip(letters, found.names, strict=True)):
        runs = len(found.runs[place])
        reference = "; the reference" if place == 0 else ""
        console.say(f"{letter}: {name} ({runs} run{'s' if runs > 1 else ''}{reference})")
    rows = [
        [letter, *(spread(summary, metric).replace(" ± ", "\n± ") for metric in METRICS)]
        for letter, summary in zip(letters, found.summaries, strict=True)
    ]
    console.table("", ["", *(TITLES[metric].replace(" ", "\n") for metric in METRICS)], rows)
    rows = [
        [
            f"{letter} − {letters[0]}" if place == 0 else "",
            TITLES[metric],
            signed(value),
            number_range(interval),
        ]
        for letter, pair in zip(letters[1:], found.pairs, strict=True)
        for place, metric in enumerate(METRICS)
        for value, interval in [pair.differences[metric] or UNKNOWN]
    ]
    console.table(found.interval_note, ["", "", "difference", "95 % interval"], rows)
    tests = zip(letters[1:], found.tests(), strict=True)
    rows = [[f"{letter} − {letters[0]}", *cells] for letter, (_, *cells) in tests]
    header = ["", *(name.replace(" ", "\n") for name in TESTS[1:])]
    console.table("tests of the accuracy", header, rows)
    console.say("photographs of one subject are not independent: McNemar's p is then too small")
    for note in found.notes:
        console.say(note)


def _letter(place: int) -> str:
    more, place = divmod(place, 26)
    return f"{chr(ord('A') + place)}{more or ''}"


def read_thumbnails(run: RunPredictions, found: Comparison) -> tuple[dict[int, bytes], str]:
    """JPEG thumbnails of the images on the page, by position; or the reason if there are none.

    Encoded from the pixels, without metadata of the files (place, time, camera).
    """
    shown = {
        i for pair in found.pairs for side in (pair.worse, pair.better) for i in side[:MOST_SHOWN]
    }
    if not shown:
        return {}, ""
    try:
        setup, classes = resolve(run.config), run.predictions.classes
        photos, _ = read_run_photographs(setup, run.folder, classes)
    except (UserError, OSError) as error:
        reason = str(error).splitlines()[0]
        return {}, f"The photographs are named only, as they cannot be read: {reason}"
    place = {file: position for position, file in enumerate(photos.files)}
    order = sorted(shown)
    images = photos.images[np.array([place[found.files[i]] for i in order])]
    return {i: _jpeg(image[..., :3]) for i, image in zip(order, images, strict=True)}, ""


def _jpeg(pixels: np.ndarray) -> bytes:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=88)
    return file.getvalue()


def write_flipped(found: Comparison, path: Path) -> None:
    """Write the images that a configuration classifies worse or better than the reference.

    CSV with a row per configuration and image. ``*_right``: share of the runs that classify it
    correctly, by which ``change`` is ``worse`` or ``better``; ``*_p``: mean probability of the true
    class.
    """
    reference = found.summaries[0]
    header = ["compared", "file", "label", "subject", "change", "reference", "other"]
    header += ["reference_right", "other_right", "reference_p", "other_p"]
    rows: list[list[object]] = []
    for name, other, pair in found.compared():
        for change, chosen in (("worse", pair.worse), ("better", pair.better)):
            for i in chosen:
                row = [name, found.files[i], found.classes[found.labels[i]], found.subjects[i]]
                row += [change, *(predicted_class(found.classes, s, i) for s in (reference, other))]
                shares = [s.right[i] / s.runs for s in (reference, other)]
                certain = [f"{s.certainty[i]:.6f}" for s in (reference, other)]
                rows.append([*row, *shares, *certain])
    write_csv(path, header, rows)

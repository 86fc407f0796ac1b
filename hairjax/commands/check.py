"""Check a set of images before training; write a page and a CSV file."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from ml_collections import ConfigDict
from numpy.typing import NDArray
from PIL import Image

from hairjax.builders.data_set import divide_photos, find_data
from hairjax.builders.setup import Setup, resolve
from hairjax.data.options import SplitOptions
from hairjax.data.overview import count_table
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.headers import Header, read_headers
from hairjax.data.prepare.store import prepare_once
from hairjax.data.quality import findings
from hairjax.data.quality.duplicates import DuplicatePair, find_duplicates
from hairjax.data.quality.findings import Finding
from hairjax.data.quality.measures import measure
from hairjax.data.quality.neighbours import same_subject
from hairjax.data.quality.thumbnails import make_thumbnails
from hairjax.data.sources.photos import Index
from hairjax.data.sources.problems import Problem, describe_problems
from hairjax.data.sources.unify import TELL, near_equal_names
from hairjax.data.split import make_split
from hairjax.evaluation.baselines import THUMBNAIL
from hairjax.report.check_page import CheckReport, write_check_page
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.outputs import record_written, require_replaceable

_WRITTEN = ("check.csv", "check.html")
_FEW = 3  # problems shown if they are all there is
_CHUNK = 64  # images in memory at a time


def check_photographs(config: ConfigDict, out: Path) -> list[Finding]:
    """Check a set of images; write ``check.html`` and ``check.csv``, print and return the findings.

    Without ``data.split`` the split of training is checked.

    Raises:
        UserError: the set is unreadable; or, after writing, there are grave findings.
    """
    require_replaceable(out, _WRITTEN)
    setup = resolve(config)
    console.say(f"source: {setup.source.describe()}")
    refused_spelling = setup.source.spelling == "refuse"
    index, photos, problems = _load(setup)
    split, origin, refused = _split(setup, photos)
    if origin:
        console.say(f"split by {origin}")
    paths = {entry.file: cast(Path, entry.path) for entry in index.entries}
    headers = read_headers([paths[file] for file in photos.files], setup.prepare.workers)
    found = [
        *findings.of_problems(problems),
        *(findings.of_spellings(near_equal_names([index])) if refused_spelling else ()),
        *refused,
        *findings.of_identical(photos),
        *findings.of_duplicates(photos, _find_pairs(photos), split),
        *_of_pixels(photos),
        *findings.of_classes(photos),
        *findings.of_positions(photos.files, headers),
    ]
    report = CheckReport(
        title=f"Check of {Path(setup.source.views[0].photos).name}",
        source=setup.source.describe(),
        counts=_counts(photos, split),
        facts=[
            ("Photographs", f"{len(photos):,}"),
            *([("Coding of the masks", photos.mask_coding)] if photos.mask_coding else []),
            *_sizes(headers, setup.inputs.side),
        ],
        leaks=_leaks(setup.split, photos, split, origin),
        findings=found,
        photos=photos,
    )
    out.mkdir(parents=True, exist_ok=True)
    findings.write_findings(out / "check.csv", found)
    write_check_page(report, out / "check.html")
    record_written(out, _WRITTEN)
    _show(report)
    console.say(f"written: {out / 'check.html'}, {out / 'check.csv'}")
    _require_nothing_grave(found, out)
    return found


def _require_nothing_grave(found: list[Finding], out: Path) -> None:
    counts = Counter(finding.kind for finding in found)
    if grave := [f"{kind}: {counts[kind]:,}" for kind in findings.GRAVE if counts[kind]]:
        raise UserError(f"correct before training: {', '.join(grave)}; see {out / 'check.html'}")


def _load(setup: Setup) -> tuple[Index, PhotoSet, list[Problem]]:
    source = replace(setup.source, need_masks=False)
    if source.spelling == "refuse":  # spellings are a finding
        source = replace(source, spelling=TELL)
    [index] = find_data(source, None)
    _require_any(index.entries, index.problems)
    photos, unread = prepare_once(index, replace(setup.prepare, on_bad="skip"))
    if photos.mask_coding:
        console.say(f"masks: {photos.mask_coding}")
    problems = [*index.problems, *unread]
    _require_any(photos.files, problems)
    return index, photos, problems


def _require_any(usable: Sequence[object], problems: Sequence[Problem]) -> None:
    if not usable:
        raise UserError(
            f"no photograph can be used, correct them first:\n{describe_problems(problems, _FEW)}"
        )


def _split(setup: Setup, photos: PhotoSet) -> tuple[NDArray[np.str_] | None, str, list[Finding]]:
    """Split of training, its source ("" if random), and findings if there is none."""
    own = setup.source.own_split
    try:
        return *divide_photos(photos, setup.source, setup.split), []
    except UserError as error:
        return None, own, [Finding(findings.SPLIT, own, "", str(error))]


def _find_pairs(photos: PhotoSet) -> list[DuplicatePair]:
    _, first = np.unique(np.array(photos.sha256, str), return_index=True)
    first.sort()
    with console.progress("pairs compared") as progress:
        pairs = find_duplicates(photos.subset(first).images, progress)
    places = first.tolist()
    return [replace(p, first=places[p.first], second=places[p.second]) for p in pairs]


def _of_pixels(photos: PhotoSet) -> list[Finding]:
    shapes, exposure = measure(photos, _CHUNK)
    of_masks = [*findings.of_coding(shapes), *findings.of_masks(photos, shapes)]
    return [*(of_masks if photos.has_masks else []), *findings.of_exposure(photos, exposure)]


def _counts(
    photos: PhotoSet, split: NDArray[np.str_] | None
) -> tuple[str, list[str], list[list[str]]]:
    if split is not None:
        return count_table(photos, split)
    title, header, rows = count_table(photos, np.full(len(photos), ""))
    return title, [header[0], header[-1]], [[row[0], row[-1]] for row in rows]


def _sizes(headers: list[Header], side: int) -> list[tuple[str, str]]:
    """Image sizes and orientation, and the number below the model's input size."""
    ordered = sorted(((h.width, h.height) for h in headers), key=lambda size: size[0] * size[1])
    named = (("Smallest", 0), ("Median", len(ordered) // 2), ("Largest", -1))
    facts = [(name, "{} × {} pixels".format(*ordered[place])) for name, place in named]
    lying = sum(h.width > h.height for h in headers)
    square = sum(h.width == h.height for h in headers)
    small = sum(min(h.width, h.height) < side for h in headers)
    return [
        *facts,
        (
            "Shape",
            f"{lying:,} lying, {len(headers) - lying - square:,} upright, {square:,} square",
        ),
        (f"A side below {side} pixels", f"{small:,} of {len(headers):,}"),
    ]


def _leaks(
    options: SplitOptions, photos: PhotoSet, split: NDArray[np.str_] | None, origin: str
) -> list[tuple[str, float]]:
    """Fraction of validation images with a nearest training image of their subject, by split."""
    if split is None:
        return []
    splits = {origin or "a split by subject": split}
    if not origin:
        unknown = replace(photos, subjects=("",) * len(photos))
        mixed = make_split(unknown, options.fractions, options.seed)
        splits["a split that ignores subjects"] = mixed
    small = make_thumbnails(photos.images, THUMBNAIL, Image.Resampling.BOX)
    shares = ((name, same_subject(small, photos.subjects, s)) for name, s in splits.items())
    return [(name, share) for name, share in shares if share is not None]


def _show(report: CheckReport) -> None:
    console.table(*report.counts)
    for name, share in report.leaks:
        console.say(
            f"{name}: for {100 * share:.0f} % of the validation photographs the most similar "
            "training photograph is of the same subject"
        )
    counts = Counter(finding.kind for finding in report.findings)
    rows = [
        [kind, f"{count:,}", "grave" if kind in findings.GRAVE else ""]
        for kind, count in counts.most_common()
    ]
    console.table("", ["found", "", ""], rows or [["nothing", "", ""]])

"""Verbs on finished runs: evaluate, explain, report, predict and compare."""

from argparse import Namespace
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from hairjax.cli.configuration import require_keys
from hairjax.cli.places import (
    default_comparison,
    different_runs,
    require_manifest,
    require_outside_runs,
    require_writable,
)
from hairjax.data.sources.masks import mask_folder
from hairjax.data.sources.subjects import compile_subject
from hairjax.system.errors import UserError
from hairjax.system.paths import require_paths, require_run

if TYPE_CHECKING:
    from hairjax.runs.photographs import Selection

# Flags of the rule by which masks are read.
_MASKS = ("mask_value", "mask_name", "mask_category")


def run_evaluate(given: Namespace) -> int:
    """Run ``evaluate``; return its exit status."""
    _check_selection(given)

    from hairjax.commands.evaluate import evaluate_run
    from hairjax.runs.moved import move_runs

    move_runs([Path(given.workdir)], given.moved)
    evaluate_run(given.workdir, _selection(given), given.out, flips=given.flips)
    return 0


def run_explain(given: Namespace) -> int:
    """Run ``explain``; return its exit status."""
    _check_selection(given)
    if given.count < 1:
        raise UserError(f"--count is {given.count}; it must be at least 1")

    from hairjax.commands.explain import explain_run
    from hairjax.runs.moved import move_runs

    move_runs([Path(given.workdir)], given.moved)
    selection = _selection(given)
    explain_run(given.workdir, selection, count=given.count, stage=given.stage, out=given.out)
    return 0


def _selection(given: Namespace) -> "Selection":
    """Images to evaluate a run on."""
    # Here, since it knows runs, which import JAX.
    from hairjax.runs.photographs import Selection

    return Selection(**{field.name: vars(given)[field.name] for field in fields(Selection)})


def _check_selection(given: Namespace) -> None:
    """Check the flags of the image selection and set defaults."""
    if given.manifest and not given.photos:
        raise UserError("--manifest needs --photos, the folder that its paths start from")
    if given.subject and not given.photos:
        raise UserError(
            "--subject needs --photos: of the run's own photographs subjects are in its split.csv"
        )
    _require_masks(given)
    if given.spelling and not given.photos:
        raise UserError("--spelling goes with --photos, for other photographs than the run's")
    require_manifest(given)
    compile_subject(given.subject)
    allowed = ("all",) if given.photos else ("validation", "test", "train")
    given.split = given.split or allowed[0]
    if given.split not in allowed:
        if given.photos:
            raise UserError(
                f"--split is {given.split!r}, and of the photographs of --photos all are judged: "
                "leave --split out"
            )
        raise UserError(
            f"--split is {given.split!r}; here it can be {', '.join(allowed)}, or leave it out and "
            "give --photos"
        )
    require_paths(
        folders={"--photos": given.photos, "--masks": mask_folder(given.masks)},
        files={"--manifest": given.manifest},
    )
    for name in ("workdir", "out"):
        setattr(given, name, vars(given)[name] and str(Path(vars(given)[name]).expanduser()))
    require_run(Path(given.workdir))
    require_keys(Path(given.workdir))
    require_writable("--out", Path(given.out or given.workdir))


def _require_masks(given: Namespace) -> None:
    """Raise if a rule for masks is given without masks."""
    for name in _MASKS:
        if vars(given)[name] and not given.masks:
            raise UserError(f"--{name} needs --masks, the folder of the masks that it speaks of")


def run_report(given: Namespace) -> int:
    """Run ``report``; return its exit status."""
    workdir = Path(given.workdir).expanduser()
    require_run(workdir)
    require_keys(workdir)
    require_writable("--workdir", workdir)

    from hairjax.report.run_report import report_run
    from hairjax.runs.folder import RunFolder
    from hairjax.runs.moved import move_runs

    move_runs([workdir], given.moved)
    folder = RunFolder(workdir)
    report_run(folder)
    print(f"written: {folder.report}")
    return 0


def run_predict(given: Namespace) -> int:
    """Run ``predict``; return its exit status."""
    _require_masks(given)
    workdir = Path(given.workdir).expanduser()
    require_run(workdir)
    require_keys(workdir)
    out = Path(given.out).expanduser()
    if out.is_dir() or out.suffix.lower() != ".csv":
        raise UserError(f"--out={out} must be a file that ends in .csv")
    require_outside_runs("--out", out)
    require_writable("--out", out.parent)
    pages = Path(given.pictures).expanduser() if given.pictures else None
    if pages:
        require_writable("--pictures", pages)
    if not given.overwrite:
        _require_nothing_there(out, pages)

    from hairjax.commands.predict import Unlabelled, predict_files

    names = ("masks", *_MASKS)
    images = Unlabelled(given.others, **{name: vars(given)[name] for name in names})
    predict_files(str(workdir), images, out=out, pictures=pages, flips=given.flips)
    return 0


def _require_nothing_there(out: Path, pages: Path | None) -> None:
    """Raise if the CSV file or pages exist."""
    there = sorted(pages.glob("page_*.png")) if pages else []
    for flag, place, found in (("--out", out, [out][: out.exists()]), ("--pictures", pages, there)):
        if found:
            raise UserError(
                f"{flag}={place}: {found[0]} is there already; give another {flag}, or --overwrite "
                "to replace what is there"
            )


def run_compare(given: Namespace) -> int:
    """Run ``compare``; return its exit status."""
    runs = different_runs("compare", given.others, least=2, example="runs/top runs/rgb")
    out = Path(given.out or default_comparison(runs)).expanduser()
    require_outside_runs("--out", out)
    require_writable("--out", out)

    from hairjax.runs.moved import move_runs
    from hairjax.studies.compare import compare_runs

    move_runs(runs, given.moved)
    compare_runs(
        [str(run) for run in runs], given.split, out=out, thumbnails=given.thumbnails == "true"
    )
    return 0

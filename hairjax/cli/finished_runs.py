"""The verbs that take finished runs: evaluate, explain, report, predict and compare."""

from pathlib import Path
from typing import TYPE_CHECKING

from hairjax.cli.configuration import require_keys
from hairjax.cli.flags import different_runs, parse, require_one_of, whole_number
from hairjax.cli.places import (
    default_comparison,
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

# Flags that say how masks are read.
_MASKS = ("mask_value", "mask_name", "mask_category")
# Flags of other photographs, as `Selection`.
_OTHERS = (
    *("photos", "masks", "manifest", "subject", "mask_value", "spelling"),
    *("mask_name", "mask_category", "columns", "prefix"),
)


def run_evaluate(arguments: list[str]) -> int:
    """``launch.py evaluate``."""
    names = ("workdir", "split", *_OTHERS, "moved", "out")
    given, _ = parse(arguments, names, {}, switches=("flips",))
    if not given["workdir"]:
        raise UserError("evaluate needs --workdir, e.g. --workdir=runs/top")
    _check_selection(given)

    from hairjax.commands.evaluate import evaluate_run
    from hairjax.runs.moved import move_runs

    move_runs([Path(given["workdir"])], given["moved"])
    flips = given["flips"] == "true"
    evaluate_run(given["workdir"], _selection(given), given["out"], flips=flips)
    return 0


def run_explain(arguments: list[str]) -> int:
    """``launch.py explain``."""
    names = ("workdir", "split", *_OTHERS, "moved", "count", "stage", "out")
    given, _ = parse(arguments, names, {})
    if not given["workdir"]:
        raise UserError("explain needs --workdir, e.g. --workdir=runs/top")
    _check_selection(given)
    count = whole_number("--count", given.pop("count") or "32")
    if count < 1:
        raise UserError(f"--count is {count}; it must be at least 1")
    stage = whole_number("--stage", given.pop("stage") or "-1")

    from hairjax.commands.explain import explain_run
    from hairjax.runs.moved import move_runs

    move_runs([Path(given["workdir"])], given["moved"])
    explain_run(given["workdir"], _selection(given), count=count, stage=stage, out=given["out"])
    return 0


def _selection(given: dict[str, str]) -> "Selection":
    """The photographs on which a run is asked."""
    # Here, since it knows runs, which import JAX.
    from hairjax.runs.photographs import Selection

    return Selection(given["split"], *(given[name] for name in _OTHERS))


def _check_selection(given: dict[str, str]) -> None:
    """Check the flags that say which photographs a run judges, and fill in what is left out."""
    if given["manifest"] and not given["photos"]:
        raise UserError("--manifest needs --photos, the folder that its paths start from")
    if given["subject"] and not given["photos"]:
        raise UserError(
            "--subject needs --photos: of the run's own photographs subjects are in its split.csv"
        )
    _require_masks(given)
    if given["spelling"]:
        if not given["photos"]:
            raise UserError("--spelling goes with --photos, for other photographs than the run's")
        require_one_of("spelling", given, ("refuse", "merge", "apart"))
    require_manifest(given)
    elsewhere = bool(given["photos"])
    compile_subject(given["subject"])
    allowed = ("all",) if elsewhere else ("validation", "test", "train")
    given["split"] = given["split"] or allowed[0]
    if given["split"] not in allowed:
        if elsewhere:
            raise UserError(
                f"--split is {given['split']!r}, and of the photographs of --photos all are "
                "judged: leave --split out"
            )
        raise UserError(
            f"--split is {given['split']!r}; here it can be {', '.join(allowed)}, or leave it out "
            "and give --photos"
        )
    require_paths(
        folders={"--photos": given["photos"], "--masks": mask_folder(given["masks"])},
        files={"--manifest": given["manifest"]},
    )
    for name in ("workdir", "out"):
        given[name] = given[name] and str(Path(given[name]).expanduser())
    require_run(Path(given["workdir"]))
    require_keys(Path(given["workdir"]))
    require_writable("--out", Path(given["out"] or given["workdir"]))


def _require_masks(given: dict[str, str]) -> None:
    """Refuse flags that say how masks are read, where none are given."""
    for name in _MASKS:
        if given[name] and not given["masks"]:
            raise UserError(f"--{name} needs --masks, the folder of the masks that it speaks of")


def run_report(arguments: list[str]) -> int:
    """``launch.py report``."""
    given, _ = parse(arguments, ("workdir", "moved"), {})
    if not given["workdir"]:
        raise UserError("report needs --workdir, e.g. --workdir=runs/top")
    workdir = Path(given["workdir"]).expanduser()
    require_run(workdir)
    require_keys(workdir)
    require_writable("--workdir", workdir)

    from hairjax.report.run_report import report_run
    from hairjax.runs.folder import RunFolder
    from hairjax.runs.moved import move_runs

    move_runs([workdir], given["moved"])
    folder = RunFolder(workdir)
    report_run(folder)
    print(f"written: {folder.report}")
    return 0


def run_predict(arguments: list[str]) -> int:
    """``launch.py predict``."""
    paths: list[str] = []
    names = ("workdir", "masks", *_MASKS, "out", "pictures")
    given, _ = parse(arguments, names, {}, paths, switches=("flips", "overwrite"))
    if not given["workdir"] or not paths:
        lacking = "photographs or folders of them" if given["workdir"] else "--workdir"
        raise UserError(f"predict needs {lacking}, e.g. --workdir=runs/top photos/")
    _require_masks(given)
    require_run(Path(given["workdir"]).expanduser())
    require_keys(Path(given["workdir"]).expanduser())
    out = Path(given["out"] or "predictions.csv").expanduser()
    if out.is_dir() or out.suffix.lower() != ".csv":
        raise UserError(f"--out={out} must be a file that ends in .csv")
    require_outside_runs("--out", out)
    require_writable("--out", out.parent)
    pages = Path(given["pictures"]).expanduser() if given["pictures"] else None
    if pages:
        require_writable("--pictures", pages)
    if given["overwrite"] == "false":
        _require_nothing_there(out, pages)

    from hairjax.commands.predict import Unlabelled, predict_files

    masks = {name: given[name] for name in ("masks", *_MASKS)}
    workdir, flips = str(Path(given["workdir"]).expanduser()), given["flips"] == "true"
    predict_files(workdir, Unlabelled(paths, **masks), out=out, pictures=pages, flips=flips)
    return 0


def _require_nothing_there(out: Path, pages: Path | None) -> None:
    """Refuse a CSV file or pages that are there already."""
    there = sorted(pages.glob("page_*.png")) if pages else []
    for flag, place, found in (("--out", out, [out][: out.exists()]), ("--pictures", pages, there)):
        if found:
            raise UserError(
                f"{flag}={place}: {found[0]} is there already; give another {flag}, or --overwrite "
                "to replace what is there"
            )


def run_compare(arguments: list[str]) -> int:
    """``launch.py compare``."""
    workdirs: list[str] = []
    given, _ = parse(arguments, ("split", "moved", "out", "thumbnails"), {}, workdirs)
    runs = different_runs("compare", workdirs, least=2, example="runs/top runs/rgb")
    require_one_of("split", given, ("validation", "test"))
    require_one_of("thumbnails", given, ("true", "false"))
    out = Path(given["out"] or default_comparison(runs)).expanduser()
    require_outside_runs("--out", out)
    require_writable("--out", out)

    from hairjax.runs.moved import move_runs
    from hairjax.studies.compare import compare_runs

    move_runs(runs, given["moved"])
    compare_runs(
        [str(run) for run in runs],
        given["split"],
        out=out,
        thumbnails=given["thumbnails"] == "true",
    )
    return 0

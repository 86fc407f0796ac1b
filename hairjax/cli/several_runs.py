"""The verbs that make something of finished runs: ``ensemble``, ``soup`` and ``probe``."""

from pathlib import Path

from hairjax.builders.validation import check_config
from hairjax.cli.configuration import read_configuration, require_keys
from hairjax.cli.flags import different_runs, parse, require_one_of
from hairjax.cli.places import default_comparison, default_workdir, require_writable
from hairjax.config.load import load_config
from hairjax.system.errors import UserError

_SPLITS = ("validation", "test")
_EXAMPLE = "runs/top runs/again"


def run_ensemble(arguments: list[str]) -> int:
    """``launch.py ensemble``."""
    workdirs: list[str] = []
    given, _ = parse(arguments, ("weights", "by", "split", "moved", "workdir"), {}, workdirs)
    runs = different_runs("ensemble", workdirs, least=1, example=_EXAMPLE)
    require_one_of("split", given, _SPLITS)
    require_one_of("by", given, ("photograph", "subject"))
    alone = len(runs) == 1 and given["by"] == "photograph"
    if alone and not (runs[0] / "fold_0").is_dir():
        raise UserError(
            f"ensemble needs two runs or more, or one folder of folds, not {workdirs[0]}; e.g. "
            f"ensemble {_EXAMPLE}"
        )
    out = _workdir("ensemble", given["workdir"], runs)

    from hairjax.runs.moved import move_runs
    from hairjax.studies.ensemble import ensemble_runs

    move_runs(runs, given["moved"])
    ensemble_runs(
        [str(run) for run in runs],
        weights=given["weights"],
        by=given["by"],
        split=given["split"],
        out=out,
    )
    return 0


def run_soup(arguments: list[str]) -> int:
    """``launch.py soup``."""
    workdirs: list[str] = []
    given, _ = parse(arguments, ("moved", "workdir"), {}, workdirs)
    runs = different_runs("soup", workdirs, least=2, example=_EXAMPLE)
    for run in runs:
        require_keys(run)
    out = _workdir("soup", given["workdir"], runs)

    from hairjax.runs.moved import move_runs
    from hairjax.studies.soup import make_soup

    move_runs(runs, given["moved"])
    make_soup([str(run) for run in runs], out=out)
    return 0


def run_probe(arguments: list[str]) -> int:
    """``launch.py probe``."""
    from_config = any(argument.startswith(("--config", "-config")) for argument in arguments)
    run = None
    if from_config:
        given, config = read_configuration("probe", arguments, "workdir", "split")
        check_config(config)
        source = default_workdir(given["config"])
    else:
        runs: list[str] = []
        given, _ = parse(arguments, ("moved", "workdir", "split"), {}, runs)
        if len(runs) != 1:
            raise UserError(
                f"probe needs one run, or --config, not {', '.join(runs) or 'nothing'}; e.g. probe "
                "runs/top"
            )
        source = run = Path(runs[0]).expanduser()
        require_keys(run)
    require_one_of("split", given, _SPLITS)
    name = Path("runs") / f"probe-{source.resolve().name}"
    out = Path(given["workdir"] or name).expanduser()
    _require_place(out)

    from hairjax.runs.moved import move_runs
    from hairjax.studies.probe import probe_configuration, probe_run

    if run is None:
        probe_configuration(config, split=given["split"], out=out)
    else:
        move_runs([run], given["moved"])
        probe_run(str(run), split=given["split"], out=out)
    return 0


def _workdir(verb: str, given: str, runs: list[Path]) -> Path:
    """Where to write: as given, or runs/VERB-a-b."""
    compared = default_comparison(runs)
    default = compared.with_name(compared.name.replace("compare", verb, 1))
    out = Path(given or default).expanduser()
    _require_place(out)
    return out


def _require_place(out: Path) -> None:
    """Refuse, before anything is computed, where nothing could be written."""
    require_writable("--workdir", out)
    config = out / "config.json"
    made = config.is_file() and "made" in load_config(str(config))
    if not made and out.exists() and any(out.iterdir()):
        raise UserError(
            f"--workdir={out} is neither empty nor what this command has made before; give another"
        )

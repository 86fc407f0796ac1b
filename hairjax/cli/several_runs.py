"""Verbs that combine finished runs: ``ensemble``, ``soup`` and ``probe``."""

from argparse import Namespace
from pathlib import Path

from hairjax.builders.validation import check_config
from hairjax.cli.configuration import read_configuration, require_keys
from hairjax.cli.places import (
    default_comparison,
    default_workdir,
    different_runs,
    require_writable,
)
from hairjax.config.load import load_config
from hairjax.system.errors import UserError

_EXAMPLE = "runs/top runs/again"


def run_ensemble(given: Namespace) -> int:
    """Run ``ensemble``; return its exit status."""
    runs = different_runs("ensemble", given.others, least=1, example=_EXAMPLE)
    single = len(runs) == 1 and given.by == "photograph"
    if single and not (runs[0] / "fold_0").is_dir():
        raise UserError(
            f"ensemble needs two runs or more, or one folder of folds, not {given.others[0]}; e.g. "
            f"ensemble {_EXAMPLE}"
        )
    out = _workdir("ensemble", given.workdir, runs)

    from hairjax.runs.moved import move_runs
    from hairjax.studies.ensemble import ensemble_runs

    move_runs(runs, given.moved)
    places = [str(run) for run in runs]
    ensemble_runs(places, weights=given.weights, by=given.by, split=given.split, out=out)
    return 0


def run_soup(given: Namespace) -> int:
    """Run ``soup``; return its exit status."""
    runs = different_runs("soup", given.others, least=2, example=_EXAMPLE)
    for run in runs:
        require_keys(run)
    out = _workdir("soup", given.workdir, runs)

    from hairjax.runs.moved import move_runs
    from hairjax.studies.soup import make_soup

    move_runs(runs, given.moved)
    make_soup([str(run) for run in runs], out=out)
    return 0


def run_probe(given: Namespace) -> int:
    """Run ``probe``; return its exit status."""
    if len(given.others) != (0 if given.config else 1):
        sources = [f"--config={given.config}"] * bool(given.config) + given.others
        raise UserError(
            f"probe needs one run, or --config, not {', '.join(sources) or 'nothing'}; e.g. probe "
            "runs/top"
        )
    if given.config and given.moved:
        raise UserError("--moved is of a run: with --config give the keys of its new places")
    if given.overrides and not given.config:
        key, value = given.overrides[0]
        raise UserError(f"--config.{key}={value} needs --config: a run has its own configuration")
    if given.config:
        config = read_configuration(given)
        check_config(config)
        source = default_workdir(given.config)
    else:
        source = Path(given.others[0]).expanduser()
        require_keys(source)
    out = Path(given.workdir or Path("runs") / f"probe-{source.resolve().name}").expanduser()
    _require_place(out)

    from hairjax.runs.moved import move_runs
    from hairjax.studies.probe import probe_configuration, probe_run

    if given.config:
        probe_configuration(config, split=given.split, out=out)
    else:
        move_runs([source], given.moved)
        probe_run(str(source), split=given.split, out=out)
    return 0


def _workdir(verb: str, given: str, runs: list[Path]) -> Path:
    """Output folder: as given, or runs/VERB-a-b."""
    compared = default_comparison(runs)
    default = compared.with_name(compared.name.replace("compare", verb, 1))
    out = Path(given or default).expanduser()
    _require_place(out)
    return out


def _require_place(out: Path) -> None:
    """Raise if the output folder cannot be written."""
    require_writable("--workdir", out)
    config = out / "config.json"
    made = config.is_file() and "made" in load_config(str(config))
    if not made and out.exists() and any(out.iterdir()):
        raise UserError(
            f"--workdir={out} is neither empty nor what this command has made before; give another"
        )

"""The verbs that make something of finished runs: ``ensemble``, ``soup`` and ``probe``."""

from collections.abc import Callable, Sequence
from pathlib import Path

from hairjax.check import check_config
from hairjax.config import load_config
from hairjax.errors import UserError
from hairjax.flags import parse
from hairjax.places import default_comparison, default_workdir, require_writable

_SPLITS = ("validation", "test")
# As in `launch`, what a verb runs is imported when its flags are understood.


def run_ensemble(arguments: list[str]) -> int:
    """``launch.py ensemble``."""
    workdirs: list[str] = []
    given, _ = parse(arguments, ("weights", "by", "split", "workdir"), {}, workdirs)
    places = _different("ensemble", workdirs, least=1)
    _require_one_of("split", given, _SPLITS)
    _require_one_of("by", given, ("photograph", "subject"))
    alone = len(places) == 1 and given["by"] == "photograph"
    if alone and not (places[0] / "fold_0").is_dir():
        raise UserError(
            f"ensemble needs two runs or more, or one folder of folds, not {workdirs[0]}; e.g. "
            "ensemble runs/top runs/again"
        )
    out = _workdir("ensemble", given["workdir"], places)

    from hairjax.display import Display
    from hairjax.ensemble import ensemble_runs

    ensemble_runs(
        [str(place) for place in places],
        weights=given["weights"],
        by=given["by"],
        split=given["split"],
        out=out,
        display=Display(),
    )
    return 0


def run_soup(arguments: list[str], require_keys: Callable[[Path], None]) -> int:
    """``launch.py soup``; ``require_keys`` refuses a run of an earlier hairjax."""
    workdirs: list[str] = []
    given, _ = parse(arguments, ("workdir",), {}, workdirs)
    places = _different("soup", workdirs, least=2)
    for place in places:
        require_keys(place)
    out = _workdir("soup", given["workdir"], places)

    from hairjax.display import Display
    from hairjax.soup import make_soup

    make_soup([str(place) for place in places], out=out, display=Display())
    return 0


def run_probe(
    arguments: list[str], read_configuration: Callable, require_keys: Callable[[Path], None]
) -> int:
    """``launch.py probe``; the others are `launch`'s functions of these names."""
    from_config = any(argument.lstrip("-").startswith("config") for argument in arguments)
    run = None
    if from_config:
        given, config, reference = read_configuration("probe", arguments, "workdir", "split")
        check_config(config, reference)
        source = default_workdir(given["config"])
    else:
        runs: list[str] = []
        given, _ = parse(arguments, ("workdir", "split"), {}, runs)
        if len(runs) != 1:
            raise UserError(
                f"probe needs one run, or --config, not {', '.join(runs) or 'nothing'}; e.g. probe "
                "runs/top"
            )
        source = run = Path(runs[0]).expanduser()
        require_keys(run)
    _require_one_of("split", given, _SPLITS)
    name = Path("runs") / f"probe-{source.resolve().name}"
    out = Path(given["workdir"] or name).expanduser()
    _require_place(out)

    from hairjax.display import Display
    from hairjax.probe import probe_configuration, probe_run

    if run is None:
        probe_configuration(config, split=given["split"], out=out, display=Display())
    else:
        probe_run(str(run), split=given["split"], out=out, display=Display())
    return 0


def _different(verb: str, workdirs: Sequence[str], least: int) -> list[Path]:
    places = [Path(workdir).expanduser() for workdir in workdirs]
    if len({place.resolve() for place in places}) < max(least, len(places)):
        raise UserError(
            f"{verb} needs {'two different runs or more' if least > 1 else 'different runs'}, not "
            f"{', '.join(workdirs) or 'none'}; e.g. {verb} runs/top runs/again"
        )
    return places


def _require_one_of(name: str, given: dict[str, str], values: Sequence[str]) -> None:
    """Refuse another value of a flag; the first is the default."""
    given[name] = given[name] or values[0]
    if given[name] not in values:
        raise UserError(f"--{name} is {given[name]!r}; it can be {' or '.join(values)}")


def _workdir(verb: str, given: str, places: list[Path]) -> Path:
    """Where to write: as given, or runs/VERB-a-b."""
    compared = default_comparison(places)
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

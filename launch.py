"""hairjax from the command line: verbs and flags."""

import os
import sys
from pathlib import Path

# Before JAX starts: its own log lines are for its developers.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from ml_collections import ConfigDict

from hairjax.check import check_config, check_keys, require_paths
from hairjax.config import SUFFIXES, flatten, load_config, nearest, split_source, streams
from hairjax.errors import UserError
from hairjax.flags import override, parse
from hairjax.heap import keep_freed_memory
from hairjax.help_text import HELP
from hairjax.launcher import find_place
from hairjax.made_verbs import run_ensemble, run_probe, run_soup
from hairjax.places import default_comparison, default_workdir, require_writable
from hairjax.supervisor import follow_parent, is_child, supervise

# The verbs import what they run only when a command is understood: JAX, scikit-learn, matplotlib
# and orbax take seconds to start, and a mistyped flag is answered without them.

REFERENCE = str(Path(__file__).parent / "configs" / "top.py")  # a configuration with every key


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    if not arguments or {"--help", "-h", "help"} & set(arguments):
        print(HELP, end="")
        return 0
    verbs = {
        "train": run_train,
        "check": run_check,
        "show": run_show,
        "rates": run_rates,
        "evaluate": run_evaluate,
        "report": run_report,
        "folds": run_folds,
        "predict": run_predict,
        "compare": run_compare,
        "ensemble": run_ensemble,
        "soup": lambda given: run_soup(given, require_keys),
        "probe": lambda given: run_probe(given, read_configuration, require_keys),
        "explain": run_explain,
        "convert": run_convert,
    }
    verb = "train"
    if not arguments[0].startswith("-"):
        verb, *arguments = arguments
    try:
        if verb not in verbs:
            file = split_source(verb)[0].suffix in SUFFIXES
            hint = f"did you mean --config={verb}?" if file else nearest(verb, verbs)
            raise UserError(f"there is no verb {verb!r}; {hint}")
        return verbs[verb](arguments)
    except (UserError, OSError, MemoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        if "home directory" not in str(error):  # how pathlib says it
            raise
        print("error: a path begins with ~, and whose home that is is not known", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr)
        return 130


def run_train(arguments: list[str]) -> int:
    """``launch.py [train]``."""
    given, config, reference = read_configuration("train", arguments, "workdir")
    place = find_place(config.devices, os.environ)
    if place and not is_child():
        return supervise([__file__, "train", *arguments], str(place))
    check_config(config, reference)
    workdir = Path(given["workdir"] or default_workdir(given["config"])).expanduser()
    require_writable("--workdir", workdir)
    for run in (workdir, *weights_paths(config)):
        require_keys(run)

    from hairjax import processes
    from hairjax.display import Display
    from hairjax.loop import DivergedError, StoppedError
    from hairjax.train import train

    if place:
        follow_parent()
        processes.join(place)
    try:
        train(config, workdir, Display())
    except DivergedError as error:
        raise UserError(str(error)) from error
    except StoppedError as stopped:
        if processes.is_first():
            print(stopped, file=sys.stderr)
        return 143
    except Exception as error:
        if not (place and (sentence := processes.lost(error))):
            raise
        print(f"error: {sentence}", file=sys.stderr, flush=True)
        os._exit(1)  # to part from the others in good order would take as long as they are missed
    return 0


def run_check(arguments: list[str]) -> int:
    """``launch.py check``."""
    names = ("photos", "masks", "manifest", "subject", "split", "out")
    given, _ = parse(arguments, names, {})
    if not given["photos"]:
        raise UserError("check needs --photos, a folder with a folder per class")
    require_paths(
        folders={"--photos": given["photos"], "--masks": given["masks"]},
        files={"--manifest": given["manifest"], "--split": given["split"]},
    )
    name = Path(given["photos"]).expanduser().absolute().name
    out = Path(given.pop("out") or Path("runs") / f"check-{name}").expanduser()
    require_writable("--out", out)
    # How photographs are read and divided is the recipe's, so that training finds them prepared.
    config = load_config(str(Path(__file__).parent / "configs" / "top.py"))
    config.data.update(given)

    from hairjax.display import Display
    from hairjax.examine import examine

    examine(config, out, Display())
    return 0


def run_show(arguments: list[str]) -> int:
    """``launch.py show``."""
    given, config, reference = read_configuration("show", arguments, "out")
    check_config(config, reference)
    workdir = default_workdir(given["config"])
    out = Path(given["out"] or workdir.with_name(f"{workdir.name}-show")).expanduser()
    require_writable("--out", out)

    from hairjax.display import Display
    from hairjax.show import show

    show(config, out, Display())
    return 0


def run_rates(arguments: list[str]) -> int:
    """``launch.py rates``."""
    given, config, reference = read_configuration("rates", arguments, "out")
    if find_place(config.devices, os.environ):
        raise UserError("rates runs in one process: leave out config.devices.processes")
    check_config(config, reference)
    workdir = default_workdir(given["config"])
    out = Path(given["out"] or workdir.with_name(f"{workdir.name}-rates")).expanduser()
    require_writable("--out", out)
    for run in weights_paths(config):
        require_keys(run)

    from hairjax.display import Display
    from hairjax.rates import find_rates

    find_rates(config, out, Display())
    return 0


def read_configuration(
    verb: str, arguments: list[str], *names: str
) -> tuple[dict[str, str], ConfigDict, ConfigDict]:
    """The flags of a verb that takes a configuration and the flags named, and what it is to run.

    Third comes a configuration with every key, for ``check_config``.
    """
    reference = load_config(REFERENCE)
    given, overrides = parse(arguments, ("config", *names), dict(flatten(reference)))
    if not given["config"]:
        raise UserError(f"{verb} needs --config, e.g. --config=configs/top.py:demo")
    config = load_config(given["config"])
    check_keys(config, reference)
    return given, override(config, overrides), reference


def run_evaluate(arguments: list[str]) -> int:
    """``launch.py evaluate``."""
    names = ("workdir", "split", "photos", "masks", "manifest", "out")
    given, _ = parse(arguments, names, {})
    if not given["workdir"]:
        raise UserError("evaluate needs --workdir, e.g. --workdir=runs/top")
    check_judged(given)

    from hairjax.display import Display
    from hairjax.evaluate import evaluate_run

    evaluate_run(**given, display=Display())
    return 0


def check_judged(given: dict[str, str]) -> None:
    """Check the flags that say which photographs a run judges, and fill in what is left out."""
    if given["manifest"] and not given["photos"]:
        raise UserError("--manifest needs --photos, the folder that its paths start from")
    elsewhere = bool(given["photos"])
    allowed = ("all",) if elsewhere else ("validation", "test", "train")
    given["split"] = given["split"] or allowed[0]
    if given["split"] not in allowed:
        other = "" if elsewhere else ", or leave it out and give --photos"
        raise UserError(
            f"--split is {given['split']!r}; here it can be {', '.join(allowed)}{other}"
        )
    require_paths(
        folders={"--photos": given["photos"], "--masks": given["masks"]},
        files={"--manifest": given["manifest"]},
    )
    for name in ("workdir", "out"):
        given[name] = given[name] and str(Path(given[name]).expanduser())
    require_keys(Path(given["workdir"]))
    if given["out"] or Path(given["workdir"]).is_dir():
        require_writable("--out", Path(given["out"] or given["workdir"]))


def run_report(arguments: list[str]) -> int:
    """``launch.py report``."""
    given, _ = parse(arguments, ("workdir",), {})
    if not given["workdir"]:
        raise UserError("report needs --workdir, e.g. --workdir=runs/top")
    workdir = Path(given["workdir"]).expanduser()
    require_keys(workdir)
    if workdir.is_dir():
        require_writable("--workdir", workdir)

    from hairjax.report_run import report_run
    from hairjax.run import RunFolder

    folder = RunFolder(workdir)
    report_run(folder)
    print(f"written: {folder.report}")
    return 0


def run_folds(arguments: list[str]) -> int:
    """``launch.py folds``."""
    given, config, reference = read_configuration("folds", arguments, "workdir")
    if not config.data.folds:
        raise UserError("folds needs how many, e.g. --config.data.folds=5")
    config.data.fold = 0
    check_config(config, reference)
    if find_place(config.devices, os.environ):
        raise UserError(
            "folds trains in one process; with several, train each fold by itself "
            "(--config.data.fold=0 --workdir=DIR/fold_0, and on), then put them together with "
            "folds --workdir=DIR in one"
        )
    default = default_workdir(given["config"])
    workdir = Path(given["workdir"] or default.with_name(f"{default.name}-folds")).expanduser()
    require_writable("--workdir", workdir)
    if (workdir / "config.json").exists():
        raise UserError(f"--workdir={workdir} is a run; give a folder to hold one for each fold")
    for run in (*sorted(workdir.glob("fold_*")), *weights_paths(config)):
        require_keys(run)

    from hairjax.display import Display
    from hairjax.folds import cross_validate
    from hairjax.loop import DivergedError, StoppedError

    try:
        cross_validate(config, workdir, Display())
    except DivergedError as error:
        raise UserError(str(error)) from error
    except StoppedError as stopped:
        print(stopped, file=sys.stderr)
        return 143
    return 0


def run_predict(arguments: list[str]) -> int:
    """``launch.py predict``."""
    paths: list[str] = []
    given, _ = parse(arguments, ("workdir", "masks", "out", "pictures"), {}, paths)
    if not given["workdir"] or not paths:
        lacking = "photographs or folders of them" if given["workdir"] else "--workdir"
        raise UserError(f"predict needs {lacking}, e.g. --workdir=runs/top photos/")
    require_keys(Path(given["workdir"]).expanduser())
    out = Path(given["out"] or "predictions.csv").expanduser()
    if out.is_dir() or out.suffix.lower() != ".csv":
        raise UserError(f"--out={out} must be a file that ends in .csv")
    if (out.parent / "config.json").exists():
        raise UserError(f"--out={out} is in a run, whose own would be overwritten; give another")
    require_writable("--out", out.parent)
    if given["pictures"]:
        require_writable("--pictures", Path(given["pictures"]).expanduser())

    from hairjax.display import Display
    from hairjax.predict import predict_files

    predict_files(
        str(Path(given["workdir"]).expanduser()),
        paths,
        masks=given["masks"],
        out=out,
        pictures=given["pictures"],
        display=Display(),
    )
    return 0


def run_compare(arguments: list[str]) -> int:
    """``launch.py compare``."""
    workdirs: list[str] = []
    given, _ = parse(arguments, ("split", "out", "thumbnails"), {}, workdirs)
    places = [Path(workdir).expanduser() for workdir in workdirs]
    if len({place.resolve() for place in places}) < max(2, len(places)):
        raise UserError(
            f"compare needs two different runs or more, not {', '.join(workdirs) or 'none'}; "
            "e.g. compare runs/top runs/rgb"
        )
    allowed = {"split": ("validation", "test"), "thumbnails": ("true", "false")}
    for name, values in allowed.items():
        given[name] = given[name] or values[0]
        if given[name] not in values:
            raise UserError(f"--{name} is {given[name]!r}; it can be {' or '.join(values)}")
    out = Path(given["out"] or default_comparison(places)).expanduser()
    if any((folder / "config.json").exists() for folder in (out, *out.absolute().parents)):
        raise UserError(f"--out={out} is in a run, which is left as it is; give another")
    require_writable("--out", out)

    from hairjax.compare import compare_runs
    from hairjax.display import Display

    compare_runs(
        [str(place) for place in places],
        given["split"],
        out=out,
        thumbnails=given["thumbnails"] == "true",
        display=Display(),
    )
    return 0


def run_explain(arguments: list[str]) -> int:
    """``launch.py explain``."""
    names = ("workdir", "split", "photos", "masks", "manifest", "count", "stage", "out")
    given, _ = parse(arguments, names, {})
    if not given["workdir"]:
        raise UserError("explain needs --workdir, e.g. --workdir=runs/top")
    check_judged(given)
    count = whole_number("--count", given.pop("count") or "32")
    if count < 1:
        raise UserError(f"--count is {count}; it must be at least 1")
    stage = whole_number("--stage", given.pop("stage") or "-1")

    from hairjax.display import Display
    from hairjax.explain import explain_run

    explain_run(**given, count=count, stage=stage, display=Display())
    return 0


def whole_number(flag: str, value: str) -> int:
    """The value of a flag that takes a whole number."""
    try:
        return int(value)
    except ValueError:
        raise UserError(f"{flag} is {value!r}; it must be a whole number") from None


def run_convert(arguments: list[str]) -> int:
    """``launch.py convert``."""
    given, _ = parse(arguments, ("weights", "model", "out", "licence"), {})
    if lacking := [f"--{name}" for name in ("weights", "model", "out") if not given[name]]:
        raise UserError(
            f"convert needs {' and '.join(lacking)}, e.g. --weights=best.pth "
            "--model=swin_tiny_patch4_window7_224 --out=best.safetensors"
        )
    out = Path(given["out"]).expanduser()
    require_writable("--out", out.parent)
    require_keys(Path(given["weights"]).expanduser())

    from hairjax.display import Display
    from hairjax.weights.convert import convert

    metadata = convert(given["weights"], given["model"], out, given["licence"])
    display = Display()
    for key, value in ({"licence": "not known; --licence=TEXT adds it"} | metadata).items():
        display.say(f"{key}: {value}")
    display.say(f"written: {out}")
    return 0


def weights_paths(config: ConfigDict) -> list[Path]:
    """Where the weights may be a run."""
    return [Path(stream.source).expanduser() for stream in streams(config)]


def require_keys(folder: Path) -> None:
    """Refuse a run that an earlier hairjax wrote, which had fewer keys; another folder is none."""
    path = folder / "config.json"
    config = load_config(str(path)) if path.is_file() else ConfigDict()
    made = config.made.runs if "made" in config else ()
    for run in made:
        require_keys(folder / run)
    if made or (path.is_file() and (folder / "checkpoints").is_dir()):
        try:
            check_keys(config, load_config(REFERENCE))
        except UserError as error:
            raise UserError(f"{path}: {error}") from error


if __name__ == "__main__":
    keep_freed_memory()
    sys.exit(main(sys.argv[1:]))

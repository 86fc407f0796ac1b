"""hairjax from the command line: verbs and flags."""

import os
import sys
from pathlib import Path

# Before JAX starts: its own log lines are for its developers.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import flags
from ml_collections import ConfigDict, config_flags

from hairjax.config import check_config, flatten, load_config, nearest
from hairjax.display import Display
from hairjax.errors import UserError
from hairjax.evaluate import evaluate_run
from hairjax.loop import DivergedError, StoppedError
from hairjax.train import train

HELP = """\
hairjax: fine-tune a Swin Transformer to grade hair loss from photographs and hair masks

  python launch.py [train]  --config=FILE[:VARIANT] [--workdir=DIR] [--config.KEY=VALUE ...]
  python launch.py evaluate --workdir=DIR [--split=SPLIT] [--photos=DIR --masks=DIR] [--out=DIR]

train (the default): train, keep the best epoch, write a report; the same command resumes.
  python launch.py --config=configs/top.py:demo
  python launch.py --config=configs/top.py --config.data.photos=PHOTOS --config.data.masks=MASKS
  --config          a Python file with get_config, or a run's config.json to run it again
  --config.KEY      any key of the configuration, e.g. --config.optim.peak.late=3e-4
  --workdir         the run's directory; by default runs/ and the configuration's name

evaluate: a run's best model on a split of its photographs, or on another folder.
  python launch.py evaluate --workdir=runs/top --split=test
  --split           validation (the default), test or train; all for every photograph of a folder
  --photos, --masks, --manifest   other photographs than the run's; --split=all then
  --out             where to write; by default inside the run

The configuration's keys, their defaults and what they mean: configs/top.py
"""


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    if not arguments or {"--help", "-h", "help"} & set(arguments):
        print(HELP, end="")
        return 0
    verbs = {"train": run_train, "evaluate": run_evaluate}
    verb = "train"
    if not arguments[0].startswith("-"):
        verb, *arguments = arguments
    try:
        if verb not in verbs:
            raise UserError(f"there is no verb {verb!r}; {nearest(verb, list(verbs))}")
        verbs[verb](arguments)
    except (UserError, DivergedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except StoppedError as stopped:
        print(stopped, file=sys.stderr)
        return 143
    return 0


def run_train(arguments: list[str]) -> None:
    """``launch.py [train]``."""
    given, overrides = parse_flags(arguments, ("config", "workdir"), overrides=True)
    if not given["config"]:
        raise UserError("train needs --config, e.g. --config=configs/top.py:demo")
    config = override(load_config(given["config"]), overrides)
    check_config(config, load_config(str(Path(__file__).parent / "configs" / "top.py")))
    train(config, given["workdir"] or default_workdir(given["config"]), Display())


def run_evaluate(arguments: list[str]) -> None:
    """``launch.py evaluate``."""
    names = ("workdir", "split", "photos", "masks", "manifest", "out")
    given, _ = parse_flags(arguments, names, overrides=False)
    if not given["workdir"]:
        raise UserError("evaluate needs --workdir, e.g. --workdir=runs/top")
    elsewhere = given["photos"] or given["manifest"]
    allowed = ("all",) if elsewhere else ("validation", "test", "train")
    given["split"] = given["split"] or allowed[0]
    if given["split"] not in allowed:
        raise UserError(f"--split is {given['split']!r}; here it can be {', '.join(allowed)}")
    evaluate_run(**given, display=Display())


def default_workdir(source: str) -> Path:
    """configs/top.py:demo → runs/top-demo."""
    name, _, variant = source.partition(":")
    return Path("runs") / "-".join(filter(None, (Path(name).stem, variant)))


def parse_flags(
    arguments: list[str], names: tuple[str, ...], *, overrides: bool
) -> tuple[dict[str, str], list[str]]:
    """The text flags ``names``, and what is left when overrides of a configuration may follow."""
    values = flags.FlagValues()
    values.set_gnu_getopt(True)
    for name in names:
        flags.DEFINE_string(name, "", "", flag_values=values)
    try:
        rest = values(["launch.py", *arguments], known_only=overrides)[1:]
    except flags.UnrecognizedFlagError as error:
        known = [f"--{name}" for name in names]
        raise UserError(
            f"unknown flag --{error.flagname}; {nearest('--' + error.flagname, known)}"
        ) from error
    except flags.Error as error:
        raise UserError(str(error)) from error
    # What names a flag wrongly but is no override of the configuration.
    for argument in rest:
        name = argument.split("=")[0]
        if name.startswith("-") and not name.startswith(("--config.", "-config.")):
            known = [*(f"--{name}" for name in names), "--config.KEY"]
            raise UserError(f"unknown flag {name}; {nearest(name, known)}")
    if rest and not overrides:
        raise UserError(f"unexpected argument {rest[0]!r}; see python launch.py --help")
    return {name: values[name].value for name in names}, rest


def override(config: ConfigDict, arguments: list[str]) -> ConfigDict:
    """Apply ``--config.KEY=VALUE`` arguments, each value by the type of the one it replaces."""
    known = dict(flatten(config))
    for argument in arguments:
        key = argument.split("=")[0].lstrip("-").removeprefix("config.")
        if argument.startswith("-") and key not in known:
            raise UserError(f"unknown key config.{key}; {nearest(key, list(known))}")
    values = flags.FlagValues()
    values.set_gnu_getopt(True)
    argv = ["launch.py", *arguments]
    config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=argv)
    try:
        rest = values(argv)[1:]
    except flags.Error as error:
        raise UserError(str(error)) from error
    if rest:
        raise UserError(f"unexpected argument {rest[0]!r}; see python launch.py --help")
    return values["config"].value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

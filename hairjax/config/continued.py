"""A run trained for more epochs: another run, from the best weights of the first.

The schedule of a run is that of all its epochs: at the last one its rates are at their lowest, and
so is what further epochs would change. So they are a run of their own, as a warm restart is
(Loshchilov and Hutter, "SGDR", ICLR 2017, https://arxiv.org/abs/1608.03983): the split stays, the
head is kept, the optimizer begins without moments, and the rates rise and fall anew.
"""

import re
from pathlib import Path

from ml_collections import ConfigDict

from hairjax.config.load import load_config
from hairjax.system.program import command_line
from hairjax.system.wording import counted


def continued_command(run: Path, epochs: int) -> str:
    """The command that trains a run for so many epochs more, in a directory beside it."""
    config = load_config(str(run / "config.json"))
    keys: dict[str, object] = {"weights.source": run}
    if config.weights.second:
        keys["weights.second"] = ""
    if config.weights.which != "auto":
        keys["weights.which"] = "auto"
    keys["data.split"] = run / "split.csv"
    if config.data.folds:
        keys |= {"data.folds": 0, "data.fold": 0}
    keys["train.epochs"] = epochs
    if config.optim.warmup_epochs >= epochs:
        keys["optim.warmup_epochs"] = epochs - 1
    if (thawed := _thawed(config.optim.finetune)) != config.optim.finetune:
        keys["optim.finetune"] = thawed
    flags = [f"--config={run / 'config.json'}", f"--workdir={run.with_name(f'{run.name}-longer')}"]
    flags += [f"--config.{key}={value}" for key, value in keys.items()]
    return command_line(*flags)


def _thawed(finetune: str) -> str:
    """Give the ``optim.finetune`` that trains from the first epoch on what another does last."""
    if finetune == "gradual":
        return "full"
    return finetune if finetune.startswith("last:") else re.sub(r":\d+", ":1", finetune)


def other_length(run: Path, old: ConfigDict, new: ConfigDict, *, ended: bool) -> str:
    """Why a run cannot have another number of epochs, and what to do instead.

    Args:
        run: its directory.
        old: its configuration.
        new: the configuration that asks for another ``train.epochs``.
        ended: whether it has come to its last epoch.
    """
    epochs, more = old.train.epochs, new.train.epochs - old.train.epochs
    said = (
        f"{run} holds a run of {counted(epochs, 'epoch')}, not of {new.train.epochs} "
        "(config.train.epochs): its rates rise and fall over these"
    )
    if more < 0:
        return (
            f"{said}; end it where it is: its best epoch so far is what evaluate, predict and "
            "--config.weights.source take, or begin a shorter run in another --workdir"
        )
    before = "" if ended else "let it end first, with the number that it began with; then "
    return (
        f"{said}; {before}train {more} more as a run of its own, from its best weights with the "
        "same split, whose rates rise to config.optim.peak and fall anew (a lower peak changes "
        f"less):\n  {continued_command(run, more)}"
    )

"""Continue a finished run for more epochs, as a new run from its best weights.

The cosine schedule ends at its lowest rates, so further epochs are a warm restart (Loshchilov and
Hutter, "SGDR", ICLR 2017, https://arxiv.org/abs/1608.03983): same split and head, fresh optimizer
state and schedule.
"""

import re
from pathlib import Path

from ml_collections import ConfigDict

from hairjax.config.load import load_config
from hairjax.system.program import command_line
from hairjax.system.wording import counted


def continued_command(run: Path, epochs: int) -> str:
    """Command that trains ``epochs`` more epochs of a run, in a directory beside it."""
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
    if (unfrozen := _unfrozen(config.optim.finetune)) != config.optim.finetune:
        keys["optim.finetune"] = unfrozen
    flags = [f"--config={run / 'config.json'}", f"--workdir={run.with_name(f'{run.name}-longer')}"]
    flags += [f"--config.{key}={value}" for key, value in keys.items()]
    return command_line(*flags)


def _unfrozen(finetune: str) -> str:
    """``optim.finetune`` that trains from epoch 1 the parts another setting trains last."""
    if finetune == "gradual":
        return "full"
    return finetune if finetune.startswith("last:") else re.sub(r":\d+", ":1", finetune)


def explain_other_length(run: Path, old: ConfigDict, new: ConfigDict, *, ended: bool) -> str:
    """Error message for resuming a run with another number of epochs: reason and remedy.

    ``run``: run directory; ``old`` and ``new``: its configuration and the given one; ``ended``: the
    run reached its last epoch.
    """
    epochs, more = old.train.epochs, new.train.epochs - old.train.epochs
    reason = (
        f"{run} holds a run of {counted(epochs, 'epoch')}, not of {new.train.epochs} "
        "(config.train.epochs), and its schedule spans these"
    )
    if more < 0:
        return (
            f"{reason}; stop it: evaluate, predict and --config.weights.source use its best epoch "
            "so far; or begin a shorter run in another --workdir"
        )
    before = "" if ended else f"finish it first with its {counted(epochs, 'epoch')}; then "
    return (
        f"{reason}; {before}train {more} more as a new run from its best weights with the same "
        "split; its rates rise to config.optim.peak and fall again (a lower peak changes less):\n"
        f"  {continued_command(run, more)}"
    )

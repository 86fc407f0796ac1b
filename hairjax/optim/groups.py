"""Parameter groups of a model and their first trainable epochs (``optim.finetune``)."""

import itertools
import re
from collections.abc import Mapping
from typing import NamedTuple

from hairjax.optim.options import OptimOptions
from hairjax.system.errors import UserError

GROUPS = ("early", "middle", "late")


class ParameterGroup(NamedTuple):
    """Parts of a model with one learning rate and one first epoch."""

    parts: tuple[str, ...]
    peak: float  # peak learning rate
    first: int  # first epoch of training; 0: always frozen


def parts_of(stages: int) -> tuple[str, ...]:
    """Names of the parts of a model with ``stages`` stages, in forward order."""
    return ("stem", *(f"stages.{i}" for i in range(stages)), "head")


def group_of(part: str, stages: int) -> str:
    """Group (early, middle or late) of a part: ``stem``, ``stages.0`` …, ``head``."""
    if part in ("stem", "stages.0"):
        return "early"
    return "late" if part in (f"stages.{stages - 1}", "head") else "middle"


def make_groups(optim: OptimOptions, stages: int, epochs: int) -> dict[str, ParameterGroup]:
    """Groups early, middle and late of a model with ``stages`` stages.

    A group with parts of different first epochs is split into groups named by part. A part trains
    if its group's peak is above 0 and ``finetune`` includes it.

    Raises:
        UserError: ``finetune`` or ``gradual`` is invalid, or nothing trains in the first epoch.
    """
    finetuned = _first_epochs(optim, stages, epochs)
    first = {}
    for part in parts_of(stages):
        trains = optim.peak[group_of(part, stages)] > 0 and finetuned.get(part, 0) <= epochs
        first[part] = finetuned.get(part, 0) if trains else 0
    if 1 not in first.values():
        raise UserError(
            f"config.optim.finetune={optim.finetune} and the rates of config.optim.peak leave "
            "nothing to train in epoch 1; start a part with a rate above 0 there"
        )
    groups = {}
    for name in GROUPS:
        parts = tuple(part for part in first if group_of(part, stages) == name)
        if len({first[part] for part in parts}) == 1:
            groups[name] = ParameterGroup(parts, optim.peak[name], first[parts[0]])
        else:
            groups |= {
                part: ParameterGroup((part,), optim.peak[name], first[part]) for part in parts
            }
    return groups


def frozen_parts(groups: Mapping[str, ParameterGroup], epoch: int) -> tuple[str, ...]:
    """Parts that are frozen in an epoch."""
    frozen = (group for group in groups.values() if not 0 < group.first <= epoch)
    return tuple(part for group in frozen for part in group.parts)


def phase_starts(groups: Mapping[str, ParameterGroup]) -> list[int]:
    """First epochs of all phases, ascending: epochs at which the set of trained parts changes."""
    return sorted({group.first for group in groups.values() if group.first})


def _first_epochs(optim: OptimOptions, stages: int, epochs: int) -> dict[str, int]:
    parts = parts_of(stages)
    match optim.finetune:
        case "full":
            return dict.fromkeys(parts, 1)
        case "head":
            return {"head": 1}
        case "gradual":
            return _gradual(optim.gradual, stages)
    if last := re.fullmatch(r"last:(\d+)", optim.finetune):
        if not 1 <= int(last[1]) <= stages:
            raise UserError(
                f"config.optim.finetune is {optim.finetune!r}; the model has {stages} stages: give "
                f"last:1 to last:{stages}"
            )
        return dict.fromkeys(parts[-1 - int(last[1]) :], 1)
    return _custom(optim.finetune, stages, epochs)


def _gradual(lengths: tuple, stages: int) -> dict[str, int]:
    """First epochs: the head at 1, one more stage after each length; the last length repeats."""
    if not lengths or any(not isinstance(n, int) or n < 1 for n in lengths):
        raise UserError(
            f"config.optim.gradual is {lengths}; give the epochs before each further stage trains, "
            "whole numbers from 1: 3,3,4"
        )
    repeated = itertools.chain(lengths, itertools.repeat(lengths[-1]))
    unfreeze_epochs = itertools.accumulate(repeated, initial=1)
    backwards = ("head", *(f"stages.{i}" for i in reversed(range(stages))))
    first = dict(zip(backwards, unfreeze_epochs, strict=False))
    return first | {"stem": first["stages.0"]}


def _custom(finetune: str, stages: int, epochs: int) -> dict[str, int]:
    """First epochs from ``head:1,stages.3:4,middle:7`` (parts or groups)."""
    parts = parts_of(stages)
    members = {part: [part] for part in parts}
    members |= {name: [p for p in parts if group_of(p, stages) == name] for name in GROUPS}
    first: dict[str, int] = {}
    for item in finetune.split(","):
        name, _, epoch = item.strip().partition(":")
        if name not in members or not epoch.isdecimal():
            raise UserError(
                f"config.optim.finetune is {finetune!r}; it can be full, head, last:N (N stages), "
                "gradual, or the first epoch of each part that trains, such as head:1,stages."
                f"{stages - 1}:4; the parts are {', '.join(members)}"
            )
        if not 1 <= int(epoch) <= epochs:
            raise UserError(
                f"config.optim.finetune={finetune} lets {name} train from epoch {epoch} of "
                f"config.train.epochs={epochs}; give 1 to {epochs}, or leave it out to freeze it"
            )
        if twice := [part for part in members[name] if part in first]:
            raise UserError(
                f"config.optim.finetune={finetune} names {twice[0]} twice; give it one first epoch"
            )
        first |= dict.fromkeys(members[name], int(epoch))
    return first

"""Which parameters of a file are taken, where it holds those of several models."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from hairjax.system.wording import counted
from hairjax.weights import WeightsError
from hairjax.weights.contents import Contents
from hairjax.weights.naming import Naming

AUTO, TOP = "auto", "top"
RAW, AVERAGED, TEACHER = "raw", "averaged", "a teacher's"
KEYS = {"raw": RAW, "ema": AVERAGED}  # what the key calls them
# Words of a place that say whose parameters stand there.
WORDS = {
    AVERAGED: r"ema|swa|avg|average|averaged|averaging|polyak|shadow",
    TEACHER: r"teacher|momentum|target|encoder_k|key_encoder",
}
# Training's and pretraining's own, beside a model's parameters although behind the same prefix.
TRAINING = re.compile(
    r"(?:\w+_)?(?:criterion|loss|losses|metrics?|optimizers?|optim|schedulers?|scaler|callbacks)"
    r"(?:_\w+)?\.|(?:.+\.)?mask_token$"
)
# Places where arrays of an optimizer may have the parameters' names.
STATE = re.compile(
    r"(?:^|[._])(?:optimizers?|optim|grads?|gradients|exp_avg|exp_avg_sq)(?:_\w+)?\."
)
# Trainers that keep the average where others keep the raw parameters, and these elsewhere: the
# place of the raw ones, and one that tells that it is so.
SWAPPING = (
    ("current_model_state.", r"averaging_state\."),  # Lightning
    ("ema_state_dict.", r"meta\.mmengine_version$|message_hub\."),  # OpenMMLab
)
SWAPPED = "state_dict."


def choose(
    prefixes: Iterable[str], contents: Contents, path: Path, which: str
) -> tuple[str, list[str]]:
    """The prefix of the parameters to take, and a sentence where others might be meant.

    Args:
        prefixes: behind which models' parameters stand, as ``models_in`` gives them.
        contents: what the file holds.
        path: the file, for messages.
        which: ``auto``: the raw parameters, of trainers that keep the average in their place the
            average, and where there are no others whatever there is; ``raw``; ``ema``; ``top``;
            or a name in the place of those to take.

    Raises:
        WeightsError: the file holds none of these, or several.
    """
    raw_place = _place_of_raw(contents)
    roles = {prefix: _role(prefix, raw_place) for prefix in prefixes}
    if which == AUTO:
        order = (AVERAGED, RAW, TEACHER) if raw_place else (RAW, AVERAGED, TEACHER)
        first = next(role for role in order if role in roles.values())
        wanted = [prefix for prefix, role in roles.items() if role == first]
    elif which in KEYS:
        wanted = [prefix for prefix, role in roles.items() if role == KEYS[which]]
    elif (exact := "" if which == TOP else f"{which}.") in roles:
        wanted = [exact]
    else:
        wanted = [prefix for prefix in roles if f".{which}." in f".{prefix}"]
    there = "; ".join(f"{role} parameters at {_shown(prefix)}" for prefix, role in roles.items())
    if not wanted:
        raise WeightsError(
            f"config.weights.which is {which!r}, and {path} holds: {there}; give auto, raw, ema, "
            "or a name in one of these places"
        )
    taken, *others = wanted
    if others and not all(_equal(contents, taken, other) for other in others):
        raise WeightsError(
            f"{path} holds the parameters of several models: {there}; say which with "
            f"--config.weights.which={_telling(taken, roles)}"
        )
    rest = [prefix for prefix in roles if prefix not in wanted]
    if roles[taken] == RAW and not rest:
        return taken, []
    said = f"taken are {roles[taken]} parameters, at {_shown(taken)}"
    if rest:
        said += "; not taken: " + ", ".join(
            f"{roles[prefix]} at {_shown(prefix)} (config.weights.which={_telling(prefix, roles)})"
            for prefix in rest
        )
    return taken, [said]


def models_in(found: Mapping[str, Naming]) -> list[str]:
    """The prefixes of models: where an optimizer keeps arrays by parameters' names is none."""
    return [prefix for prefix in found if not STATE.search(prefix)] or list(found)


def belonging(names: Sequence[str], prefix: str, prefixes: Sequence[str]) -> list[str]:
    """Names behind a prefix that may be of its model: not of one further in, nor training's."""
    inner = [other for other in prefixes if other != prefix and other.startswith(prefix)]
    return [
        name
        for name in names
        if name.startswith(prefix)
        and not any(name.startswith(other) for other in inner)
        and not TRAINING.match(name.removeprefix(prefix))
    ]


def passed_over(names: Sequence[str], prefixes: Sequence[str]) -> list[str]:
    """A sentence that names the arrays which are no parameters of any model; none of none."""
    of_models = {name for prefix in prefixes for name in belonging(names, prefix, prefixes)}
    groups: dict[str, list[str]] = {}
    for name in names:
        if name not in of_models:
            groups.setdefault(_group(name, prefixes), []).append(name)
    if not groups:
        return []
    shown = [
        ", ".join(group) if len(group) <= 2 else f"{counted(len(group), 'array')} of {place}"
        for place, group in groups.items()
    ]
    more = f" and {len(shown) - 6} more" if len(shown) > 6 else ""
    return [f"passed over, no parameters of the model: {', '.join(shown[:6])}{more}"]


def _group(name: str, prefixes: Sequence[str]) -> str:
    """The first part of a name that is not also the beginning of a model's place."""
    parts = name.split(".")
    for i in range(1, len(parts)):
        place = ".".join(parts[:i]) + "."
        if not any(prefix.startswith(place) for prefix in prefixes):
            return place.removesuffix(".")
    return name


def _place_of_raw(contents: Contents) -> str:
    """Where the raw parameters are, in a file whose ``state_dict`` is the average; else ""."""
    places = {*contents.names, *contents.others}
    for place, sign in SWAPPING:
        if any(one.startswith(place) for one in places) and any(re.match(sign, p) for p in places):
            return place
    return ""


def _role(prefix: str, raw_place: str) -> str:
    if raw_place and prefix.startswith((raw_place, SWAPPED)):
        return RAW if prefix.startswith(raw_place) else AVERAGED
    # modelEma and ModelEMA are words apart too.
    words = re.sub("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", prefix).lower()
    for role, pattern in WORDS.items():
        if re.search(rf"(?<![a-z])(?:{pattern})(?![a-z])", words):
            return role
    return RAW


def _equal(contents: Contents, one: str, other: str) -> bool:
    """True if the same arrays stand behind both prefixes."""
    first, second = (
        {name.removeprefix(prefix) for name in contents.names if name.startswith(prefix)}
        for prefix in (one, other)
    )
    return first == second and all(
        np.array_equal(contents.read(one + name), contents.read(other + name)) for name in first
    )


def _telling(prefix: str, roles: Mapping[str, str]) -> str:
    """The value of ``weights.which`` that chooses one of several places."""
    for key, role in KEYS.items():
        if [p for p, r in roles.items() if r == role] == [prefix]:
            return key
    return prefix.removesuffix(".") or TOP


def _shown(prefix: str) -> str:
    return prefix.removesuffix(".") or f"its {TOP}"

"""Choose the parameters to take from a file of several models."""

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
KEYS = {"raw": RAW, "ema": AVERAGED}  # values of weights.which
# Words in a prefix that mark averaged or teacher parameters.
WORDS = {
    AVERAGED: r"ema|swa|avg|average|averaged|averaging|polyak|shadow",
    TEACHER: r"teacher|momentum|target|encoder_k|key_encoder",
}
# Arrays of training and pretraining behind a model's prefix.
TRAINING = re.compile(
    r"(?:\w+_)?(?:criterion|loss|losses|metrics?|optimizers?|optim|schedulers?|scaler|callbacks)"
    r"(?:_\w+)?\.|(?:.+\.)?mask_token$"
)
# Prefixes of optimizer state under parameter names.
STATE = re.compile(
    r"(?:^|[._])(?:optimizers?|optim|grads?|gradients|exp_avg|exp_avg_sq)(?:_\w+)?\."
)
# Trainers with the average in ``state_dict``: prefix of the raw parameters, and a name that
# identifies the trainer.
SWAPPING = (
    ("current_model_state.", r"averaging_state\."),  # Lightning
    ("ema_state_dict.", r"meta\.mmengine_version$|message_hub\."),  # OpenMMLab
)
SWAPPED = "state_dict."


def choose_parameters(
    prefixes: Iterable[str], contents: Contents, path: Path, which: str
) -> tuple[str, list[str]]:
    """Prefix of the parameters to take, and a note if there are others.

    ``which``: ``auto`` (raw parameters; the average of trainers that store it in their place; else
    any), ``raw``, ``ema``, ``top``, or a component of the prefix.

    Raises:
        WeightsError: the file holds none of these, or several.
    """
    raw_prefix = _raw_prefix(contents)
    roles = {prefix: _role(prefix, raw_prefix) for prefix in prefixes}
    if which == AUTO:
        order = (AVERAGED, RAW, TEACHER) if raw_prefix else (RAW, AVERAGED, TEACHER)
        first = next(role for role in order if role in roles.values())
        wanted = [prefix for prefix, role in roles.items() if role == first]
    elif which in KEYS:
        wanted = [prefix for prefix, role in roles.items() if role == KEYS[which]]
    elif (exact := "" if which == TOP else f"{which}.") in roles:
        wanted = [exact]
    else:
        wanted = [prefix for prefix in roles if f".{which}." in f".{prefix}"]
    listing = "; ".join(f"{role} parameters at {_shown(prefix)}" for prefix, role in roles.items())
    if not wanted:
        raise WeightsError(
            f"config.weights.which is {which!r}, and {path} holds: {listing}; give auto, raw, ema, "
            "or a name in one of these places"
        )
    taken, *others = wanted
    if others and not all(_equal(contents, taken, other) for other in others):
        raise WeightsError(
            f"{path} holds the parameters of several models: {listing}; say which with "
            f"--config.weights.which={_selector(taken, roles)}"
        )
    rest = [prefix for prefix in roles if prefix not in wanted]
    if roles[taken] == RAW and not rest:
        return taken, []
    note = f"taking {roles[taken]} parameters at {_shown(taken)}"
    if rest:
        note += "; not taken: " + ", ".join(
            f"{roles[prefix]} at {_shown(prefix)} (config.weights.which={_selector(prefix, roles)})"
            for prefix in rest
        )
    return taken, [note]


def models_in(found: Mapping[str, Naming]) -> list[str]:
    """Prefixes of models, without optimizer state."""
    return [prefix for prefix in found if not STATE.search(prefix)] or list(found)


def model_names(names: Sequence[str], prefix: str, prefixes: Sequence[str]) -> list[str]:
    """Names behind a prefix that may be its model's: no inner prefix, no training state."""
    inner = [other for other in prefixes if other != prefix and other.startswith(prefix)]
    return [
        name
        for name in names
        if name.startswith(prefix)
        and not any(name.startswith(other) for other in inner)
        and not TRAINING.match(name.removeprefix(prefix))
    ]


def ignored_arrays(names: Sequence[str], prefixes: Sequence[str]) -> list[str]:
    """Note on arrays that belong to no model; [] if there are none."""
    of_models = {name for prefix in prefixes for name in model_names(names, prefix, prefixes)}
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
    return [f"ignored, not parameters of the model: {', '.join(shown[:6])}{more}"]


def _group(name: str, prefixes: Sequence[str]) -> str:
    """Shortest leading component of a name that is no prefix of a model."""
    parts = name.split(".")
    for i in range(1, len(parts)):
        place = ".".join(parts[:i]) + "."
        if not any(prefix.startswith(place) for prefix in prefixes):
            return place.removesuffix(".")
    return name


def _raw_prefix(contents: Contents) -> str:
    """Prefix of the raw parameters in a file with the average as ``state_dict``; else ""."""
    places = {*contents.names, *contents.others}
    for place, sign in SWAPPING:
        if any(one.startswith(place) for one in places) and any(re.match(sign, p) for p in places):
            return place
    return ""


def _role(prefix: str, raw_prefix: str) -> str:
    if raw_prefix and prefix.startswith((raw_prefix, SWAPPED)):
        return RAW if prefix.startswith(raw_prefix) else AVERAGED
    # Split camel case: modelEma, ModelEMA.
    words = re.sub("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", prefix).lower()
    for role, pattern in WORDS.items():
        if re.search(rf"(?<![a-z])(?:{pattern})(?![a-z])", words):
            return role
    return RAW


def _equal(contents: Contents, one: str, other: str) -> bool:
    """True if both prefixes hold equal arrays."""
    first, second = (
        {name.removeprefix(prefix) for name in contents.names if name.startswith(prefix)}
        for prefix in (one, other)
    )
    return first == second and all(
        np.array_equal(contents.read(one + name), contents.read(other + name)) for name in first
    )


def _selector(prefix: str, roles: Mapping[str, str]) -> str:
    """Value of ``weights.which`` that selects a prefix."""
    for key, role in KEYS.items():
        if [p for p, r in roles.items() if r == role] == [prefix]:
            return key
    return prefix.removesuffix(".") or TOP


def _shown(prefix: str) -> str:
    return prefix.removesuffix(".") or f"its {TOP}"

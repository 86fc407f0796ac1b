"""Load a configuration, check every value, and compare two."""

import difflib
import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from hairjax.errors import UserError
from hairjax.models import VARIANTS
from hairjax.weights.stem import RULES

CHOICES = {
    "model.name": tuple(VARIANTS),
    "model.in_channels": (3, 6),
    "model.dtype": ("auto", "float32", "bfloat16"),
    "weights.stem": RULES,
    "data.source": ("photos", "synthetic"),
    "data.view": ("top", "side"),
    "data.fit": ("squash", "pad"),
    "data.on_bad": ("refuse", "skip"),
    "keep.best_by": ("accuracy", "quadratic_kappa", "macro_f1", "loss"),
}
# key → (least, most); None: no limit on that side.
RANGES: dict[str, tuple[float, float | None]] = {
    "seed": (0, 2**32 - 1),
    "model.dropout": (0, 0.99),
    "model.drop_path": (0, 0.99),
    "data.count": (40, None),
    "data.image_size": (0, None),
    "data.stored_size": (0, None),
    "augment.rotation": (0, 180),
    "augment.flip": (0, 1),
    "augment.brightness": (0, 1),
    "augment.contrast": (0, 1),
    "augment.saturation": (0, 1),
    "augment.hue": (0, 0.5),
    "augment.crop_scale": (0.05, 1),
    "optim.peak.early": (0, None),
    "optim.peak.middle": (0, None),
    "optim.peak.late": (0, None),
    "optim.start": (0, 1),
    "optim.warmup_epochs": (0, None),
    "optim.floor": (0, 1),
    "optim.weight_decay": (0, None),
    "optim.clip": (0, None),
    "optim.accumulate": (0, None),
    "optim.label_smoothing": (0, 0.99),
    "train.epochs": (1, None),
    "train.batch_size": (1, None),
    "train.log_every": (1, None),
    "devices.mesh": (0, None),
}


def load_config(source: str) -> ConfigDict:
    """A configuration from ``FILE.py``, ``FILE.py:variant``, or a run's ``config.json``.

    Raises:
        UserError: no such file or variant, or the file is not a configuration.
    """
    name, _, variant = source.partition(":")
    path = Path(name)
    if not path.is_file():
        raise UserError(
            f"there is no configuration {name!r}; give a Python file such as configs/top.py or "
            "a run's config.json"
        )
    if path.suffix == ".json":
        try:
            return from_plain(json.loads(path.read_text()))
        except json.JSONDecodeError as error:
            raise UserError(f"{name} is not JSON: {error}") from error
    if path.suffix != ".py":
        raise UserError(f"a configuration is a .py or .json file, not {name!r}")
    get_config = runpy.run_path(str(path)).get("get_config")
    if get_config is None:
        raise UserError(f"{name} has no function get_config")
    try:
        return get_config(variant) if variant else get_config()
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error


def to_plain(config: ConfigDict) -> dict[str, Any]:
    """Nested plain dicts and lists: what ``config.json`` holds."""
    return json.loads(config.to_json())


def from_plain(plain: dict[str, Any]) -> ConfigDict:
    """The inverse of ``to_plain``: lists become tuples, which flags can override."""

    def restore(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: restore(item) for key, item in value.items()}
        return tuple(value) if isinstance(value, list) else value

    return ConfigDict(restore(plain))


def flatten(config: ConfigDict | dict, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every ("section.key", value), in order."""
    for key, value in config.items():
        if isinstance(value, ConfigDict | dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", tuple(value) if isinstance(value, list) else value


def nearest(name: str, known: list[str]) -> str:
    """The end of a sentence: the known name most like a mistyped one, or all of them."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"the known ones are {', '.join(known)}"


def check_config(config: ConfigDict, reference: ConfigDict) -> None:
    """Refuse what cannot work, before anything is read or computed.

    Args:
        config: what will be run.
        reference: a configuration with every key, such as ``configs/top.py``.

    Raises:
        UserError: names the key, the bad value, and the allowed ones.
    """
    values, known = dict(flatten(config)), dict(flatten(reference))
    for key in values.keys() - known.keys():
        raise UserError(f"unknown key config.{key}; {nearest(key, list(known))}")
    for key in known.keys() - values.keys():
        raise UserError(f"the configuration lacks config.{key} (by default {known[key]!r})")
    for key, allowed in CHOICES.items():
        if values[key] not in allowed:
            choices = ", ".join(map(str, allowed))
            raise UserError(f"config.{key} is {values[key]!r}; it can be {choices}")
    for key, (least, most) in RANGES.items():
        if not (least <= values[key] and (most is None or values[key] <= most)):
            limits = f"at least {least}" if most is None else f"between {least} and {most}"
            raise UserError(f"config.{key} is {values[key]}; it must be {limits}")
    _check_together(config)


def _check_together(config: ConfigDict) -> None:
    """What single values do not show."""
    hidden, fractions, optim = config.model.hidden, config.data.fractions, config.optim
    if any(not isinstance(size, int) or size < 1 for size in hidden):
        raise UserError(f"config.model.hidden is {hidden}; give positive whole numbers: 256,")
    bad = len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6
    if bad or fractions[0] == 0 or fractions[1] == 0:
        raise UserError(
            f"config.data.fractions is {fractions}; give the shares of train, validation and test "
            "(only the last may be 0), which add up to 1: 0.8,0.1,0.1"
        )
    if optim.warmup_epochs >= config.train.epochs:
        raise UserError(
            f"config.optim.warmup_epochs is {optim.warmup_epochs} of config.train.epochs="
            f"{config.train.epochs}; warm-up must end before training does"
        )
    if not any(optim.peak.values()):
        raise UserError("every config.optim.peak is 0, so nothing would be trained")
    if config.train.batch_size % max(optim.accumulate, 1):
        raise UserError(
            f"config.train.batch_size={config.train.batch_size} cannot be cut into "
            f"config.optim.accumulate={optim.accumulate} equal parts"
        )
    blind = config.weights.stem in ("zero", "random_mask", "random_all")
    if blind and optim.peak.early == 0 and config.weights.source != "none":
        raise UserError(
            f"config.weights.stem={config.weights.stem} leaves the stem without pretrained weights "
            "for the mask, and config.optim.peak.early=0 freezes it there: give early a rate, or "
            "use the stem rule copy or mean"
        )
    if config.data.source == "photos" and not config.data.photos:
        raise UserError(
            "where are the photographs? Give --config.data.photos=FOLDER (a folder per class) and "
            "--config.data.masks=FOLDER; without photographs, --config=configs/top.py:demo shows "
            "the whole path and --config.data.source=synthetic draws as many as the recipe uses"
        )


# What may differ between a run and the command that resumes it: where things lie, how many
# devices share the work, and what is shown.
FREE_ON_RESUME = (
    "weights.source",
    "data.photos",
    "data.masks",
    "data.manifest",
    "data.split",
    "train.log_every",
    "devices.mesh",
)


def differences(old: ConfigDict, new: ConfigDict) -> list[str]:
    """What keeps ``new`` from resuming a run of ``old``, as "config.key: old → new"."""
    before, after = dict(flatten(old)), dict(flatten(new))
    return [
        f"config.{key}: {before.get(key)!r} → {after.get(key)!r}"
        for key in [*before, *(key for key in after if key not in before)]
        if key not in FREE_ON_RESUME and before.get(key) != after.get(key)
    ]

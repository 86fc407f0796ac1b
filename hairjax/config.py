"""Load a configuration, check every value, and compare two."""

import difflib
import json
import math
import re
import runpy
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from hairjax.errors import UserError

SUFFIXES = (".py", ".json")
CHOICES = {
    "model.in_channels": (3, 6),
    "model.dtype": ("auto", "float32", "bfloat16"),
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
    "data.image_size": (0, 4096),
    "data.stored_size": (0, 4096),
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
    path, variant = split_source(source)
    if not path.is_file():
        beside = [str(file) for file in sorted(path.parent.glob("*")) if file.suffix in SUFFIXES]
        meant = difflib.get_close_matches(str(path), beside, n=1, cutoff=0.8)
        if (path / "config.json").is_file():
            meant = [str(path / "config.json")]
        hint = f"did you mean {meant[0]}?" if meant else "give a .py file or a run's config.json"
        raise UserError(f"there is no configuration file {_placed(path)}; {hint}")
    if path.suffix not in SUFFIXES:
        raise UserError(f"a configuration is a {' or '.join(SUFFIXES)} file, not {str(path)!r}")
    if path.suffix == ".py":
        return _run_python(path, variant)
    if variant:
        raise UserError(f"{path} has no variants such as {variant!r}; only a .py file may")
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    if not isinstance(plain, dict):
        raise UserError(f"{path} is not a configuration: it holds no names with values")
    return from_plain(plain)


def split_source(source: str) -> tuple[Path, str]:
    """``FILE:variant`` → the file and the variant, "" where there is none."""
    path = Path(source).expanduser()
    if path.is_file() or ":" not in source:
        return path, ""
    name, _, variant = source.rpartition(":")
    return Path(name).expanduser(), variant


def _run_python(path: Path, variant: str) -> ConfigDict:
    try:
        get_config = runpy.run_path(str(path)).get("get_config")
        if get_config is None:
            raise UserError(f"{path} has no function get_config")
        config = get_config(variant) if variant else get_config()
    except UserError:
        raise
    except Exception as error:  # whatever the file does
        message = f"{type(error).__name__}: {error}"
        if isinstance(error, ValueError):  # how a configuration refuses a variant
            message = str(error)
        elif not isinstance(error, SyntaxError):  # which says itself where it is
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in frames if frame.filename == str(path)]
            message += f" (line {lines[-1]})" if lines else ""
        raise UserError(f"{path}: {message}") from error
    if not isinstance(config, ConfigDict):
        raise UserError(f"{path}: get_config must return a ConfigDict, not {type(config).__name__}")
    return config


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


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence: the known name most like a mistyped one, or all of them."""
    known = list(known)
    if close := _close(name, known):
        return f"did you mean {' or '.join(close)}?"
    return f"the known ones are {', '.join(known)}"


def _close(name: str, known: list[str]) -> list[str]:
    def last(name: str) -> str:
        return name.lstrip("-").rpartition(".")[2]

    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.8)
    # Or the right name in the wrong section.
    return close or [other for other in known if last(other) == last(name)]


def unknown_key(key: str, known: Iterable[str]) -> str:
    """A sentence for a key that no configuration has."""
    known = list(known)
    inside = [other for other in known if other.startswith(f"{key}.")]
    beside = [other for other in known if other.startswith(f"{key.rpartition('.')[0]}.")]
    if inside:
        return f"config.{key} is a section, not a value; its keys are {_listed(inside)}"
    if close := _close(key, known):
        hint = f"did you mean {_listed(close)}?"
    elif beside:
        hint = f"the keys there are {_listed(beside)}"
    else:
        sections = dict.fromkeys(other.partition(".")[0] for other in known)
        hint = f"it starts with one of {', '.join(sections)}; configs/top.py has every key"
    return f"unknown key config.{key}; {hint}"


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(f"config.{key}" for key in keys)


def kind(default: Any) -> str:
    """What may stand where ``default`` stands, in words."""
    match default:
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a finite number"
        case tuple():
            example = ",".join(map(str, default)) or "256,128, or () for none"
            return f"numbers with commas between, such as {example}"
        case _:
            return "text"


def _is_kind(value: Any, default: Any) -> bool:
    match default:
        case bool():
            return isinstance(value, bool)
        case int():
            return isinstance(value, int) and not isinstance(value, bool)
        case float():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return number and math.isfinite(value)
        case tuple():
            return isinstance(value, tuple) and all(_is_kind(item, 0.0) for item in value)
        case _:
            return isinstance(value, str)


def check_keys(config: ConfigDict, reference: ConfigDict) -> None:
    """Refuse a configuration that has not the keys, and kinds of values, of ``reference``.

    Raises:
        UserError: names the key, and the allowed ones or what its value may be.
    """
    values, known = dict(flatten(config)), dict(flatten(reference))
    for key in values:
        if key not in known:
            raise UserError(unknown_key(key, known))
    if lacking := [f"config.{key}={known[key]!r}" for key in known if key not in values]:
        raise UserError(
            f"the configuration lacks keys; add them, here as in configs/top.py: "
            f"{', '.join(lacking)}"
        )
    for key, value in values.items():
        if not _is_kind(value, known[key]):
            raise UserError(f"config.{key} is {value!r}; it must be {kind(known[key])}")


def check_config(config: ConfigDict, reference: ConfigDict) -> None:
    """Refuse what cannot work, before anything is read or computed.

    Args:
        config: what will be run.
        reference: a configuration with every key, such as ``configs/top.py``.

    Raises:
        UserError: names the key, the bad value, and the allowed ones.
    """
    check_keys(config, reference)
    values = dict(flatten(config))
    for key, (least, most) in RANGES.items():
        if not (least <= values[key] and (most is None or values[key] <= most)):
            limits = f"at least {least}" if most is None else f"between {least} and {most}"
            raise UserError(f"config.{key} is {values[key]}; it must be {limits}")
    for key, allowed in choices().items():
        if values[key] not in allowed:
            raise UserError(
                f"config.{key} is {values[key]!r}; it can be {', '.join(map(str, allowed))}"
            )
    _check_together(config)
    _check_weights(config)
    _check_photographs(config)


def choices() -> dict[str, tuple]:
    """``CHOICES``, and those that the models and their stems offer."""
    # Here, so that a mistyped command is answered before JAX is imported, which takes a second.
    from hairjax.models import VARIANTS
    from hairjax.weights.stem import RULES

    return {"model.name": tuple(VARIANTS), "weights.stem": RULES, **CHOICES}


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
            f"{config.train.epochs}; warm-up must end before training does, or be 0"
        )
    if not any(optim.peak.values()):
        raise UserError("every config.optim.peak is 0, so nothing would be trained")
    batch = config.train.batch_size
    if batch % max(optim.accumulate, 1):
        divisors = (str(parts) for parts in range(1, batch + 1) if batch % parts == 0)
        raise UserError(
            f"config.train.batch_size={batch} cannot be cut into config.optim.accumulate="
            f"{optim.accumulate} equal parts; it can be cut into {', '.join(divisors)}"
        )
    blind = config.weights.stem in ("zero", "random_mask", "random_all")
    if blind and optim.peak.early == 0 and config.weights.source != "none":
        raise UserError(
            f"config.weights.stem={config.weights.stem} leaves the stem without pretrained weights "
            "for the mask, and config.optim.peak.early=0 freezes it there: give early a rate, or "
            "use the stem rule copy or mean"
        )


def weights_source(config: ConfigDict) -> str:
    """Where the pretrained weights are: ``weights.source`` with the model's name filled in."""
    return config.weights.source.replace("{model}", config.model.name)


def _check_weights(config: ConfigDict) -> None:
    """The name of the weights, as far as it tells; the file itself is not touched."""
    source, name = weights_source(config), config.model.name
    if not source or (source.startswith("hf:") and not re.fullmatch("hf://[^/]+/[^/]+", source)):
        raise UserError(
            f"config.weights.source is {source!r}; it can be a file, a folder, a run, "
            "hf://owner/name, or none"
        )
    published = re.match("hf://timm/(swin_[a-z]+)_", source)
    if published and not name.startswith(f"{published[1]}_"):
        raise UserError(
            f"config.weights.source={source} holds the weights of a {published[1]}, not of "
            f"config.model.name={name}; give that model's own (as in hf://timm/MODEL.ms_in22k), or "
            "none"
        )


def _check_photographs(config: ConfigDict) -> None:
    """Whether what the photographs are read from is there."""
    data = config.data
    require_paths(files={"config.data.split": data.split})
    if data.source == "synthetic":
        for key in ("photos", "masks", "manifest"):
            if data[key]:
                raise UserError(
                    f"config.data.{key} is {data[key]!r}, but config.data.source=synthetic draws "
                    "its photographs; add --config.data.source=photos to use yours"
                )
        _check_drawn_size(config)
        return
    if not data.photos:
        raise UserError(
            "where are the photographs? Give --config.data.photos=FOLDER (a folder per class) and "
            "--config.data.masks=FOLDER; without photographs, --config=configs/top.py:demo shows "
            "the whole path and --config.data.source=synthetic draws as many as the recipe uses"
        )
    require_paths(
        folders={"config.data.photos": data.photos, "config.data.masks": data.masks},
        files={"config.data.manifest": data.manifest},
    )


def _check_drawn_size(config: ConfigDict) -> None:
    # Here for the reason given in `choices`.
    from hairjax.data.load import stored_side
    from hairjax.data.synthetic import SIDES

    if not SIDES[0] <= stored_side(config) <= SIDES[1]:
        raise UserError(
            f"synthetic photographs would be {stored_side(config)} pixels a side, and can be "
            f"{SIDES[0]} to {SIDES[1]}; change config.data.image_size or config.data.stored_size"
        )


def require_paths(
    *, folders: Mapping[str, str] | None = None, files: Mapping[str, str] | None = None
) -> None:
    """Refuse a path that was given (is not empty) and is not there.

    Raises:
        UserError: names what the path was given for.
    """
    for name, path in (folders or {}).items():
        if path and not Path(path).expanduser().is_dir():
            raise UserError(f"{name}: there is no folder {_placed(path)}")
    for name, path in (files or {}).items():
        if path and not Path(path).expanduser().is_file():
            raise UserError(f"{name}: there is no file {_placed(path)}")


def _placed(path: str | Path) -> str:
    """The path as given, and where it was looked for."""
    placed = repr(str(path))
    absolute = Path(path).expanduser().is_absolute()
    return placed if absolute else f"{placed} in {Path.cwd()}"


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

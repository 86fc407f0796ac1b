"""What a configuration may hold."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from hairjax.check_streams import check_second, check_views, require_join_trains
from hairjax.config import Stream, flatten, placed, streams, unknown_key
from hairjax.errors import UserError

CHOICES = {
    "model.in_channels": (1, 3, 6),
    "model.second_sees": ("same", "mask", "view"),
    "model.head": ("softmax", "cumulative", "corn"),
    "model.dtype": ("auto", "float32", "bfloat16"),
    "data.source": ("photos", "synthetic", "tfds:NAME"),
    "data.view": ("top", "side"),
    "data.normalise": ("auto", "imagenet", "half", "unit"),
    "data.fit": ("squash", "pad"),
    "data.balance": ("none", "sample", "loss"),
    "data.on_bad": ("refuse", "skip"),
    "data.on_leak": ("refuse", "allow"),
    "keep.best_by": ("accuracy", "quadratic_kappa", "macro_f1", "loss"),
}
# key → (least, most); None: no limit on that side.
RANGES: dict[str, tuple[float, float | None]] = {
    "seed": (0, 2**32 - 1),
    "model.dropout": (0, 0.99),
    "model.drop_path": (0, 0.99),
    "model.fuse_after": (0, None),
    "data.count": (40, None),
    "data.image_size": (0, 4096),
    "data.stored_size": (0, 4096),
    "data.folds": (0, None),
    "data.fold": (0, None),
    "data.memory": (0, None),
    "augment.rotation": (0, 180),
    "augment.flip": (0, 1),
    "augment.brightness": (0, 1),
    "augment.contrast": (0, 1),
    "augment.saturation": (0, 1),
    "augment.hue": (0, 0.5),
    "augment.crop_scale": (0.05, 1),
    "augment.erase": (0, 1),
    "augment.mixup": (0, None),
    "augment.cutmix": (0, None),
    "augment.drop_view": (0, 1),
    "optim.peak.early": (0, None),
    "optim.peak.middle": (0, None),
    "optim.peak.late": (0, None),
    "optim.lora": (0, None),
    "optim.layer_decay": (0.01, 1),
    "optim.start": (0, 1),
    "optim.warmup_epochs": (0, None),
    "optim.floor": (0, 1),
    "optim.weight_decay": (0, None),
    "optim.clip": (0, None),
    "optim.accumulate": (0, None),
    "optim.label_smoothing": (0, 0.99),
    "optim.ema": (0, 0.999999),
    "train.epochs": (1, None),
    "train.batch_size": (1, None),
    "train.log_every": (1, None),
    "report.gallery": (0, 1000),
    "devices.mesh": (0, None),
    "devices.shard": (1, None),
    "devices.processes": (0, None),
    "devices.process": (-1, None),
}


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
    # What was made of runs is their configuration, and how it was made.
    values = {key: v for key, v in flatten(config) if not key.startswith("made.")}
    known = dict(flatten(reference))
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
    if "made" in config:
        raise UserError(
            f"this configuration is of what {config.made.by} made of finished runs "
            f"({', '.join(config.made.runs)}), not of a run: give one of theirs"
        )
    values = dict(flatten(config))
    for key, (least, most) in RANGES.items():
        if not (least <= values[key] and (most is None or values[key] <= most)):
            limits = f"at least {least}" if most is None else f"between {least} and {most}"
            raise UserError(f"config.{key} is {values[key]}; it must be {limits}")
    for key, allowed in choices().items():
        by_name = key == "data.source" and re.fullmatch("tfds:.+", values[key])
        if values[key] not in allowed and not by_name:
            raise UserError(
                f"config.{key} is {values[key]!r}; it can be {', '.join(map(str, allowed))}"
            )
    check_second(config)
    _check_together(config)
    for key, stream in zip(("source", "second"), streams(config), strict=False):
        _check_weights(key, stream)
    _check_photographs(config)
    if config.log.tensorboard:
        # Here for the reason given in `choices`.
        from hairjax.tensorboard import require_tensorboardx

        require_tensorboardx()


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
    folds, fold = config.data.folds, config.data.fold
    if folds in (1, 2) or fold >= max(folds, 1):
        raise UserError(
            f"config.data.fold={fold} of config.data.folds={folds}: give 3 folds or more (one "
            "tests, one selects, the others train) and fold from 0 to folds - 1, or folds=0"
        )
    if folds and config.data.split:
        raise UserError(
            f"config.data.folds={folds} makes a split, and config.data.split gives one; take one"
        )
    if optim.warmup_epochs >= config.train.epochs:
        raise UserError(
            f"config.optim.warmup_epochs is {optim.warmup_epochs} of config.train.epochs="
            f"{config.train.epochs}; warm-up must end before training does, or be 0"
        )
    if not any(optim.peak.values()):
        raise UserError("every config.optim.peak is 0, so nothing would be trained")
    _check_training(config)
    batch = config.train.batch_size
    if batch % max(optim.accumulate, 1):
        divisors = (str(parts) for parts in range(1, batch + 1) if batch % parts == 0)
        raise UserError(
            f"config.train.batch_size={batch} cannot be cut into config.optim.accumulate="
            f"{optim.accumulate} equal parts; it can be cut into {', '.join(divisors)}"
        )


def _check_training(config: ConfigDict) -> None:
    """What trains when, and whether all that must be learnt is."""
    # Here for the reason given in `choices`.
    from hairjax.groups import frozen_parts, make_groups
    from hairjax.models import stage_count

    optim, epochs = config.optim, config.train.epochs
    found = streams(config)
    groups = make_groups(optim, max(stage_count(stream.name) for stream in found), epochs)
    require_join_trains(config, groups)
    sources = dict(zip(("source", "second"), (stream.source for stream in found), strict=False))
    if optim.lora and (drawn := [key for key, source in sources.items() if source == "none"]):
        raise UserError(
            f"config.optim.lora={optim.lora} freezes pretrained matrices, and "
            f"config.weights.{drawn[0]}=none has none: give weights, or use 0"
        )
    rules = {1: ("random_all",), 3: ("random_all",), 6: ("zero", "random_mask", "random_all")}
    stem = config.weights.stem
    blind = any(stem in rules[one.channels] and one.source != "none" for one in found)
    frozen = optim.lora or "stem" in frozen_parts(groups, epochs)
    if blind and frozen:
        why, how = f"config.optim.finetune={optim.finetune}", "let it train"
        if optim.lora:
            why, how = f"config.optim.lora={optim.lora}", "train without it"
        elif optim.peak.early == 0:
            why, how = "config.optim.peak.early=0", "give early a rate"
        raise UserError(
            f"config.weights.stem={config.weights.stem} leaves part of the stem without "
            f"pretrained weights, and {why} freezes it there: {how}, or use the stem rule copy or "
            "mean"
        )


def _check_weights(key: str, stream: Stream) -> None:
    """The name of the weights, as far as it tells; the file itself is not touched."""
    source, name = stream.source, stream.name
    model = "config.model.name" if key == "source" else "config.model.second"
    if not source or (source.startswith("hf:") and not re.fullmatch("hf://[^/]+/[^/]+", source)):
        raise UserError(
            f"config.weights.{key} is {source!r}; it can be a file, a folder, a run, "
            "hf://owner/name, or none"
        )
    # Here for the reason given in `choices`.
    from hairjax.models import SWIN, VARIANTS

    # The default, which is there for the Swins alone.
    if re.fullmatch("hf://timm/.+\\.ms_in22k", source) and VARIANTS[name].family is not SWIN:
        raise UserError(
            f"config.weights.{key}={source} is the name of a Swin's weights, and {model}"
            f" is {name}; give one of its own (docs/models.md), a file, or none"
        )
    published = re.match("hf://timm/(swin_[a-z]+)_", source)
    if published and not name.startswith(f"{published[1]}_"):
        raise UserError(
            f"config.weights.{key}={source} holds the weights of a {published[1]}, not of "
            f"{model}={name}; give that model's own (as in hf://timm/MODEL.ms_in22k), or "
            "none"
        )


def _check_photographs(config: ConfigDict) -> None:
    """Whether what the photographs are read from is there."""
    data = config.data
    require_paths(files={"config.data.split": data.split})
    check_views(config)
    if data.source.startswith("tfds:"):
        for key in ("masks", "manifest", "subject"):
            if data[key]:
                raise UserError(
                    f"config.data.{key} is {data[key]!r}, but config.data.source={data.source} "
                    "has its own; leave it empty"
                )
        require_paths(folders={"config.data.photos": data.photos})
        return
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
        folders={
            f"config.data.{key}": data[key]
            for key in ("photos", "masks", "second_photos", "second_masks")
        },
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
            raise UserError(f"{name}: there is no folder {placed(path)}")
    for name, path in (files or {}).items():
        if path and not Path(path).expanduser().is_file():
            raise UserError(f"{name}: there is no file {placed(path)}")

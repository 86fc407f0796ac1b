"""What each key of a configuration may hold."""

import math
from typing import Any

from ml_collections import ConfigDict

from hairjax.config.keys import unknown_key
from hairjax.config.load import flatten
from hairjax.system.errors import UserError

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

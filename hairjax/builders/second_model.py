"""Rules for a second model."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from hairjax.builders.setup import Setup
from hairjax.models.factory import stage_count
from hairjax.models.table import VARIANTS
from hairjax.models.two_stream import fusion_stages
from hairjax.models.vit import ViT
from hairjax.optim.groups import ParameterGroup, frozen_parts
from hairjax.system.errors import UserError

SECOND_DEFAULTS = {"model.second_sees": "same", "model.fuse_after": 0, "weights.second": ""}
VIEW_DEFAULTS = {"data.second_photos": "", "data.second_masks": "", "augment.drop_view": 0}


def check_second(config: ConfigDict) -> None:
    """Raise if the second model is unknown or cannot be fused as configured.

    Raises:
        UserError: names the key, the bad value, and the allowed ones.
    """
    model = config.model
    if not model.second:
        why, give = "there is no second model", "config.model.second=MODEL"
        _require_unset(config, SECOND_DEFAULTS, why, give)
        return
    if model.second not in VARIANTS:
        raise UserError(
            f"config.model.second is {model.second!r}; it can be empty (no second model), "
            f"{', '.join(VARIANTS)}"
        )
    if model.second_sees == "mask" and model.in_channels != 6:
        raise UserError(
            "config.model.second_sees=mask gives RGB to the first model and the mask to the "
            f"second, and config.model.in_channels={model.in_channels} has not both; use 6"
        )
    _check_fusing(model.name, model.second, model.fuse_after)


def check_views(config: ConfigDict) -> None:
    """Raise if the keys of a second view and the model's inputs contradict each other.

    Raises:
        UserError: names the key, the bad value, and the allowed ones.
    """
    data = config.data
    if config.model.second_sees != "view":
        why = "nothing sees another view"
        give = "config.model.second=MODEL and config.model.second_sees=view"
        _require_unset(config, VIEW_DEFAULTS, why, give)
        return
    if config.model.in_channels == 1:
        raise UserError(
            "config.model.second_sees=view marks a missing view by zeros, and with "
            "config.model.in_channels=1 a mask without hair looks the same: use 6 or 3"
        )
    why = "config.model.second_sees=view pairs photographs of two views by subject"
    if data.source.startswith("tfds:"):
        raise UserError(f"{why}, and config.data.source={data.source} has one view; give folders")
    if data.source == "synthetic":
        for key in ("second_photos", "second_masks"):
            if data[key]:
                raise UserError(
                    f"config.data.{key} is {data[key]!r}, but config.data.source=synthetic "
                    "synthesises both views; leave it out"
                )
    elif data.manifest:
        raise UserError(
            f"{why}, and config.data.manifest={data.manifest} is of one: give folders and "
            "config.data.subject"
        )
    elif not (data.second_photos and data.subject):
        raise UserError(
            f"{why}: give config.data.second_photos=FOLDER (and config.data.second_masks=FOLDER) "
            "and config.data.subject=EXPRESSION, which finds the subject in the paths of both"
        )


def _require_unset(config: ConfigDict, defaults: Mapping[str, Any], why: str, give: str) -> None:
    """Raise if a key that has no effect is set."""
    for key, default in defaults.items():
        section, name = key.split(".")
        if config[section][name] != default:
            raise UserError(
                f"config.{key} is {config[section][name]!r}, and {why}: give {give} too, or leave "
                "it out"
            )


def _check_fusing(first: str, second: str, fuse_after: int) -> None:
    """Raise if the maps of two models cannot be fused after this stage."""
    if not fuse_after:
        return
    counts = [stage_count(name) for name in (first, second)]
    allowed = fusion_stages(*counts)
    if fuse_after not in allowed:
        stages_text = "".join(f"{stage}, " for stage in allowed)
        raise UserError(
            f"config.model.fuse_after is {fuse_after}; with the {counts[0]} stages of {first} and "
            f"the {counts[1]} of {second}, which end together, it can be {stages_text}"
            "0 (at the end)"
        )
    if VARIANTS[first].family.build is ViT:
        raise UserError(
            f"config.model.fuse_after={fuse_after} fuses maps, and config.model.name={first} "
            "continues with tokens; make it the second, or use 0"
        )


def require_trainable_fusion(setup: Setup, groups: dict[str, ParameterGroup]) -> None:
    """Raise if the fusion layer is frozen: it is zero-initialised, so the second stays silent.

    Raises:
        UserError: the fusion layer would never train.
    """
    model, optim = setup.model, setup.optim
    frozen = f"stages.{model.fuse_after}" in frozen_parts(groups, setup.training.epochs)
    if not model.fuse_after or not (frozen or optim.lora):
        return
    why = f"optim.lora={optim.lora}" if optim.lora else f"optim.finetune={optim.finetune}"
    if not optim.lora and optim.finetune == "full":
        why = "a rate of 0 in optim.peak"
    raise UserError(
        f"config.model.fuse_after={model.fuse_after} joins the maps in stages.{model.fuse_after}, "
        f"and config.{why} freezes that: nothing of config.model.second={model.names[1]} would "
        "come through; let it train, or fuse at the end (0)"
    )

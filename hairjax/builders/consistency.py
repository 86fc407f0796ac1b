"""What the values of a configuration must be together."""

import re

from ml_collections import ConfigDict

from hairjax.builders.inputs import stored_side
from hairjax.builders.second_model import check_second, check_views, require_join_trains
from hairjax.config.streams import Stream, streams
from hairjax.models.factory import stage_count
from hairjax.models.table import SWIN, VARIANTS
from hairjax.optim.groups import frozen_parts, make_groups
from hairjax.system.errors import UserError
from hairjax.system.paths import require_paths


def check_consistency(config: ConfigDict) -> None:
    """Refuse what cannot work although each value alone could.

    Args:
        config: each of whose values has been checked.

    Raises:
        UserError: names the keys, their values, and what to do.
    """
    check_second(config)
    hidden = config.model.hidden
    if any(not isinstance(size, int) or size < 1 for size in hidden):
        raise UserError(f"config.model.hidden is {hidden}; give positive whole numbers: 256,")
    _check_shares(config)
    _check_schedule(config)
    for key, stream in zip(("source", "second"), streams(config), strict=False):
        _check_weights(key, stream)
    _check_photographs(config)
    if config.log.tensorboard:
        # Here, since it knows runs, and so imports orbax, which takes seconds.
        from hairjax.system.extras import require_tensorboardx

        require_tensorboardx()


def _check_shares(config: ConfigDict) -> None:
    """How the photographs are divided."""
    fractions = config.data.fractions
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


def _check_schedule(config: ConfigDict) -> None:
    """When and how fast training learns, and into what its batches are cut."""
    optim, batch = config.optim, config.train.batch_size
    if optim.warmup_epochs >= config.train.epochs:
        raise UserError(
            f"config.optim.warmup_epochs is {optim.warmup_epochs} of config.train.epochs="
            f"{config.train.epochs}; warm-up must end before training does, or be 0"
        )
    if not any(optim.peak.values()):
        raise UserError("every config.optim.peak is 0, so nothing would be trained")
    _check_frozen(config)
    for key in ("mixup", "cutmix"):
        if batch == 1 and config.augment[key]:
            raise UserError(
                f"config.augment.{key}={config.augment[key]} mixes each photograph with another of "
                "its batch, and config.train.batch_size=1 has no other; take more, or use 0"
            )
    if batch % max(optim.accumulate, 1):
        divisors = (str(parts) for parts in range(1, batch + 1) if batch % parts == 0)
        raise UserError(
            f"config.train.batch_size={batch} cannot be cut into config.optim.accumulate="
            f"{optim.accumulate} equal parts; it can be cut into {', '.join(divisors)}"
        )


def _check_frozen(config: ConfigDict) -> None:
    """Whether all that must be learnt trains some time."""
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
    stages = (part for group in groups.values() if group.first for part in group.parts)
    if optim.lora and not any(part.startswith("stages.") for part in stages):
        raise UserError(
            f"config.optim.lora={optim.lora} adapts the stages that train, and config.optim."
            f"finetune={optim.finetune} with the rates of config.optim.peak lets none: let one "
            "train, or use 0"
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
    # The default, which is there for the Swins alone.
    if re.fullmatch("hf://timm/.+\\.ms_in22k", source) and VARIANTS[name].family is not SWIN:
        raise UserError(
            f"config.weights.{key}={source} is the name of a Swin's weights, and {model}"
            f" is {name}; give one of its own (docs/models.md), a file, or none"
        )
    # With tf_ or without, parameters have the same names and shapes; paddings and ε differ.
    published = re.match("hf://timm/(swin_[a-z]+|(?:tf_)?(?:efficientnet|mobilenetv3))_", source)
    if published and not name.startswith(f"{published[1]}_"):
        raise UserError(
            f"config.weights.{key}={source} holds the weights of {published[1]}, not of "
            f"{model}={name}; give that model's own (docs/models.md), or none"
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
    # Here, so that other mistakes are answered before what draws photographs is imported.
    from hairjax.data.synthetic import SIDES

    if not SIDES[0] <= stored_side(config) <= SIDES[1]:
        raise UserError(
            f"synthetic photographs would be {stored_side(config)} pixels a side, and can be "
            f"{SIDES[0]} to {SIDES[1]}; change config.data.image_size or config.data.stored_size"
        )

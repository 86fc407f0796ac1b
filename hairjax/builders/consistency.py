"""Consistency rules across the keys of a configuration."""

import re
from collections.abc import Mapping

from ml_collections import ConfigDict

from hairjax.builders.second_model import check_second, check_views, require_trainable_fusion
from hairjax.builders.setup import Setup, resolve
from hairjax.config.streams import Stream
from hairjax.data.options import FOLDERS, SplitOptions
from hairjax.data.sources.columns import EXACT, parse_columns
from hairjax.data.sources.masks import mask_folder
from hairjax.models.factory import stage_count
from hairjax.models.table import SWIN, VARIANTS
from hairjax.optim.groups import frozen_parts, make_groups
from hairjax.system.errors import UserError
from hairjax.system.extras import require_tensorboardx
from hairjax.system.paths import require_paths
from hairjax.weights.choice import AUTO


def check_consistency(config: ConfigDict) -> None:
    """Raise if individually valid values contradict each other.

    Raises:
        UserError: names the keys, their values, and what to do.
    """
    check_second(config)
    setup = resolve(config)
    hidden = setup.model.hidden
    if any(not isinstance(size, int) or size < 1 for size in hidden):
        raise UserError(f"config.model.hidden is {hidden}; give positive whole numbers: 256,")
    _check_shares(setup.split)
    _check_schedule(setup)
    for key, stream in zip(("source", "second"), setup.model.streams, strict=False):
        _check_weights(key, stream)
    _check_which(setup)
    _check_own_split(setup)
    check_views(config)
    _check_photographs(setup)
    if setup.training.tensorboard:
        require_tensorboardx()


def _check_shares(split: SplitOptions) -> None:
    fractions = split.fractions
    bad = len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6
    if bad or fractions[0] == 0 or fractions[1] == 0:
        raise UserError(
            f"config.data.fractions is {fractions}; give the shares of train, validation and test "
            "(only the last may be 0), which add up to 1: 0.8,0.1,0.1"
        )
    folds, fold = split.folds, split.fold
    if folds in (1, 2) or fold >= max(folds, 1):
        raise UserError(
            f"config.data.fold={fold} of config.data.folds={folds}: give 3 folds or more (one "
            "tests, one selects, the others train) and fold from 0 to folds - 1, or folds=0"
        )


def _check_own_split(setup: Setup) -> None:
    source = setup.source
    parse_columns(source.manifest.columns)
    if source.own_split != FOLDERS:
        require_paths(files={"config.data.split": source.own_split})
    elif source.kind != "photos" or source.two_views:
        raise UserError(
            f"config.data.split={FOLDERS} takes folders train, valid and test in "
            "config.data.photos for the split, of one view: leave it empty or give a split.csv"
        )
    for key, value in (("columns", source.manifest.columns), ("prefix", source.manifest.prefix)):
        if value not in ("", EXACT) and not source.manifest.path:
            raise UserError(
                f"config.data.{key} is {value!r}, which says how a manifest is read: give "
                "config.data.manifest too, or leave it empty"
            )


def _check_schedule(setup: Setup) -> None:
    optim, batch, epochs = setup.optim, setup.training.batch_size, setup.training.epochs
    micro_batches = setup.training.accumulate
    if optim.warmup_epochs >= epochs:
        raise UserError(
            f"config.optim.warmup_epochs is {optim.warmup_epochs} of config.train.epochs="
            f"{epochs}; warm-up must end before training does, or be 0"
        )
    if not any(optim.peak.values()):
        raise UserError("every config.optim.peak is 0, so nothing would train; set one above 0")
    _check_frozen(setup)
    for key in ("mixup", "cutmix"):
        if batch == 1 and (amount := getattr(setup.amounts, key)):
            raise UserError(
                f"config.augment.{key}={amount} mixes each photograph with another of "
                "its batch, and config.train.batch_size=1 has no other; take more, or use 0"
            )
    if batch % max(micro_batches, 1):
        divisors = (str(n) for n in range(1, batch + 1) if batch % n == 0)
        raise UserError(
            f"config.train.batch_size={batch} cannot be divided into config.optim.accumulate="
            f"{micro_batches} equal micro-batches; give one of {', '.join(divisors)}"
        )


def _check_frozen(setup: Setup) -> None:
    """Raise if parts that must be trained stay frozen for the whole run."""
    optim, epochs, found = setup.optim, setup.training.epochs, setup.model.streams
    groups = make_groups(optim, max(map(stage_count, setup.model.names)), epochs)
    require_trainable_fusion(setup, groups)
    sources = dict(zip(("source", "second"), (stream.source for stream in found), strict=False))
    if optim.lora and (untrained := [key for key, source in sources.items() if source == "none"]):
        raise UserError(
            f"config.optim.lora={optim.lora} freezes pretrained matrices, and "
            f"config.weights.{untrained[0]}=none has none: give weights, or use 0"
        )
    stages = (part for group in groups.values() if group.first for part in group.parts)
    if optim.lora and not any(part.startswith("stages.") for part in stages):
        raise UserError(
            f"config.optim.lora={optim.lora} adapts the stages that train, and config.optim."
            f"finetune={optim.finetune} with the rates of config.optim.peak lets none: let one "
            "train, or use 0"
        )
    rules = {1: ("random_all",), 3: ("random_all",), 6: ("zero", "random_mask", "random_all")}
    stem = setup.model.stem
    blind = any(stem in rules[one.channels] and one.source != "none" for one in found)
    frozen = optim.lora or "stem" in frozen_parts(groups, epochs)
    if blind and frozen:
        why, how = f"config.optim.finetune={optim.finetune}", "let it train"
        if optim.lora:
            why, how = f"config.optim.lora={optim.lora}", "train without it"
        elif optim.peak["early"] == 0:
            why, how = "config.optim.peak.early=0", "give early a rate"
        raise UserError(
            f"config.weights.stem={stem} leaves part of the stem without "
            f"pretrained weights, and {why} freezes it there: {how}, or use the stem rule copy or "
            "mean"
        )


def _check_weights(key: str, stream: Stream) -> None:
    """Check the name of the pretrained weights; the file itself is not read."""
    source, name = stream.source, stream.name
    model = "config.model.name" if key == "source" else "config.model.second"
    if not source or (source.startswith("hf:") and not re.fullmatch("hf://[^/]+/[^/]+", source)):
        raise UserError(
            f"config.weights.{key} is {source!r}; it can be a file, a folder, a run, "
            "hf://owner/name, or none"
        )
    # The default, published for Swins only.
    if re.fullmatch("hf://timm/.+\\.ms_in22k", source) and VARIANTS[name].family is not SWIN:
        raise UserError(
            f"config.weights.{key}={source} is the name of a Swin's weights, and {model}"
            f" is {name}; give one of its own (docs/models.md), a file, or none"
        )
    # tf_ variants share names and shapes with the others, but not padding and ε.
    published = re.match("hf://timm/(swin_[a-z]+|(?:tf_)?(?:efficientnet|mobilenetv3))_", source)
    if published and not name.startswith(f"{published[1]}_"):
        raise UserError(
            f"config.weights.{key}={source} holds the weights of {published[1]}, not of "
            f"{model}={name}; give that model's own (docs/models.md), or none"
        )


def _check_which(setup: Setup) -> None:
    """Raise if ``weights.which`` is set without a file of weights."""
    which = setup.model.which
    if which != AUTO and all(stream.source == "none" for stream in setup.model.streams):
        raise UserError(
            f"config.weights.which is {which!r}, and config.weights.source=none reads no file with "
            f"parameters to choose from; leave it at {AUTO}, or give a file"
        )


def _check_photographs(setup: Setup) -> None:
    """Raise if sources of photographs are missing or unusable."""
    source, first = setup.source, setup.source.views[0]
    folders = {"photos": first.photos, "masks": first.masks}
    if source.data_set:
        _require_empty(
            {"masks": first.masks, "manifest": source.manifest.path, "subject": source.subject},
            f"config.data.source={source.kind} has its own; leave it empty",
        )
        require_paths(folders={"config.data.photos": first.photos})
        return
    if source.synthetic:
        _require_empty(
            {**folders, "manifest": source.manifest.path, "classes": ",".join(source.classes)},
            "config.data.source=synthetic synthesises its photographs; add "
            "--config.data.source=photos to use yours",
        )
        _check_synthetic_size(setup.prepare.side)
        return
    if not first.photos:
        raise UserError(
            "where are the photographs? Give --config.data.photos=FOLDER (a folder per class) and "
            "--config.data.masks=FOLDER; without photographs, --config=configs/top.py:demo shows "
            "the whole path and --config.data.source=synthetic synthesises as many as the recipe "
            "uses"
        )
    for view in source.views[1:]:
        folders |= {"second_photos": view.photos, "second_masks": view.masks}
    folders |= {key: mask_folder(path) for key, path in folders.items() if key.endswith("masks")}
    require_paths(
        folders={f"config.data.{key}": path for key, path in folders.items()},
        files={"config.data.manifest": source.manifest.path},
    )


def _require_empty(given: Mapping[str, str], why: str) -> None:
    for key, value in given.items():
        if value:
            raise UserError(f"config.data.{key} is {value!r}, but {why}")


def _check_synthetic_size(side: int) -> None:
    # Imported late, so that other mistakes are reported first.
    from hairjax.data.synthetic import SIDES

    if not SIDES[0] <= side <= SIDES[1]:
        raise UserError(
            f"synthetic photographs would be {side} pixels a side, and can be "
            f"{SIDES[0]} to {SIDES[1]}; change config.data.image_size or config.data.stored_size"
        )

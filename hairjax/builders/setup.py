"""Resolve a configuration, once per command, into typed, frozen specifications."""

import os
from dataclasses import dataclass

from ml_collections import ConfigDict

from hairjax.builders.inputs import image_side, input_specification, stored_side
from hairjax.builders.model import ModelSpecification, model_specification
from hairjax.data.augment import Amounts
from hairjax.data.inputs import InputSpecification
from hairjax.data.options import VIEWS, PrepareOptions, SourceOptions, SplitOptions, View
from hairjax.data.prepare.mask_values import parse_hair
from hairjax.data.sources.classes import parse_classes
from hairjax.data.sources.manifest import Manifest
from hairjax.data.sources.mask_names import parse_naming
from hairjax.data.sources.mask_rule import MaskRule
from hairjax.optim.options import OptimOptions


@dataclass(frozen=True)
class TrainingOptions:
    """Length, batches, loss and reporting of training."""

    epochs: int
    patience: int  # epochs without improvement before early stopping; 0: off
    batch_size: int  # photographs per step, over all devices
    accumulate: int  # micro-batches per batch; 0: chosen for the machine
    balance: str  # class balancing: ``none``, ``sample`` or ``loss``
    label_smoothing: float
    ema: float  # decay of the EMA of the parameters; 0: off
    best_by: str  # metric that selects the best epoch
    log_every: int  # steps between reports of the loss
    gallery: int  # errors pictured in the report; 0: a report without photographs
    tensorboard: bool  # write TensorBoard events too


@dataclass(frozen=True)
class DeviceOptions:
    """Mesh and compilation cache."""

    mesh: int  # devices on the data axis; 0: all
    shard: int  # devices on the model axis
    compiled: str  # folder of the compilation cache; "": none


@dataclass(frozen=True)
class Setup:
    """Resolved configuration: one specification per concern."""

    seed: int  # of all randomness
    inputs: InputSpecification
    source: SourceOptions  # source of the photographs
    prepare: PrepareOptions  # decoding, resizing and caching
    split: SplitOptions  # split into train, validation and test
    amounts: Amounts  # augmentation
    model: ModelSpecification  # model and weights
    optim: OptimOptions  # groups, rates, weight decay
    training: TrainingOptions  # length, batches, loss and reporting
    devices: DeviceOptions  # mesh and compilation cache


def resolve(config: ConfigDict) -> Setup:
    """Specifications of a checked configuration."""
    inputs = input_specification(config)
    return Setup(
        seed=config.seed,
        inputs=inputs,
        source=_source(config, need_masks=inputs.masks),
        prepare=_prepare(config),
        split=_split(config),
        amounts=Amounts(**config.augment),
        model=model_specification(config),
        optim=optim_options(config),
        training=_training(config),
        devices=DeviceOptions(
            mesh=config.devices.mesh,
            shard=config.devices.shard,
            compiled=config.devices.compiled,
        ),
    )


def optim_options(config: ConfigDict) -> OptimOptions:
    """Optimizer options of a configuration."""
    optim = config.optim
    return OptimOptions(
        peak=optim.peak.to_dict(),
        finetune=optim.finetune,
        gradual=tuple(optim.gradual),
        lora=optim.lora,
        layer_decay=optim.layer_decay,
        start=optim.start,
        warmup_epochs=optim.warmup_epochs,
        floor=optim.floor,
        weight_decay=optim.weight_decay,
        clip=optim.clip,
    )


def _source(config: ConfigDict, *, need_masks: bool) -> SourceOptions:
    data = config.data
    parse_naming(data.mask_name)
    rule = MaskRule(data.mask_name, data.mask_category)
    views = [View(data.view, data.photos, data.masks, rule)]
    if config.model.second_sees == "view":
        [other] = (name for name in VIEWS if name != data.view)
        views.append(View(other, data.second_photos, data.second_masks, rule))
    return SourceOptions(
        kind=data.source,
        views=tuple(views),
        count=data.count,
        seed=config.seed,
        manifest=Manifest(data.manifest, data.columns, data.prefix),
        subject=data.subject,
        need_masks=need_masks,
        on_conflict=data.on_conflict,
        classes=parse_classes(data.classes),
        spelling=data.spelling,
        ordered_by=_ordered_by(config.model.head, config.keep.best_by),
        own_split=data.split,
        exclude_test=data.folds > 0,
    )


def _ordered_by(head: str, best_by: str) -> str:
    """Key with value that requires ordered classes; "" for none."""
    if head != "softmax":
        return f"config.model.head={head}"
    return f"config.keep.best_by={best_by}" if best_by == "quadratic_kappa" else ""


def _prepare(config: ConfigDict) -> PrepareOptions:
    data = config.data
    return PrepareOptions(
        side=stored_side(data.stored_size, image_side(config)),
        fit=data.fit,
        on_bad=data.on_bad,
        cache=data.cache,
        beam=data.beam,
        memory=data.memory,
        workers=os.cpu_count() or 1,
        hair=parse_hair(data.mask_value),
    )


def _split(config: ConfigDict) -> SplitOptions:
    data = config.data
    return SplitOptions(
        fractions=tuple(data.fractions),
        folds=data.folds,
        fold=data.fold,
        seed=config.seed,
        least=config.train.batch_size,
        on_leak=data.on_leak,
    )


def _training(config: ConfigDict) -> TrainingOptions:
    return TrainingOptions(
        epochs=config.train.epochs,
        patience=config.train.patience,
        batch_size=config.train.batch_size,
        accumulate=config.optim.accumulate,
        balance=config.data.balance,
        label_smoothing=config.optim.label_smoothing,
        ema=config.optim.ema,
        best_by=config.keep.best_by,
        log_every=config.train.log_every,
        gallery=config.report.gallery,
        tensorboard=config.log.tensorboard,
    )

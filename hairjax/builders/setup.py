"""A configuration resolved, once per command, into typed and frozen specifications."""

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
    """Length, batches, loss and reporting of training.

    Attributes:
        epochs: times that every training photograph is seen.
        patience: epochs in a row without a better one after which training ends; 0: off.
        batch_size: photographs in each step, over all devices.
        accumulate: micro-batches of a batch; 0: as many as suit the machine.
        balance: class balancing: ``none``, ``sample`` or ``loss``.
        label_smoothing: share of a label's weight that is spread over all classes.
        ema: decay of the averaged weights; 0: off.
        best_by: metric by which the best epoch is chosen.
        log_every: steps between reports of the loss.
        gallery: mistakes pictured in the report; 0: no photograph in it at all.
        tensorboard: True to write TensorBoard events too.
    """

    epochs: int
    patience: int
    batch_size: int
    accumulate: int
    balance: str
    label_smoothing: float
    ema: float
    best_by: str
    log_every: int
    gallery: int
    tensorboard: bool


@dataclass(frozen=True)
class DeviceOptions:
    """Mesh, and folder of compiled programs.

    Attributes:
        mesh: devices that share each batch, times ``shard``; 0: all.
        shard: devices over which parameters and optimizer state are cut.
        compiled: folder of compiled programs; "" for none.
    """

    mesh: int
    shard: int
    compiled: str


@dataclass(frozen=True)
class Setup:
    """Resolved configuration: one specification per concern.

    Attributes:
        seed: seed of all randomness.
        inputs: input specification of the model.
        source: source of the photographs.
        prepare: decoding, resizing and caching of photographs.
        split: division into train, validation and test.
        amounts: amounts of augmentation.
        model: the model and its weights.
        optim: groups, rates, weight decay.
        training: length, batches, loss and reporting.
        devices: the mesh.
    """

    seed: int
    inputs: InputSpecification
    source: SourceOptions
    prepare: PrepareOptions
    split: SplitOptions
    amounts: Amounts
    model: ModelSpecification
    optim: OptimOptions
    training: TrainingOptions
    devices: DeviceOptions


def resolve(config: ConfigDict) -> Setup:
    """The specifications of a configuration, whose values have been checked."""
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
    """Groups, rates and weight decay of a configuration."""
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
    """The key that needs ordered classes, with its value; "" for none."""
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

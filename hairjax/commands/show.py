"""Show model inputs, image counts and learning rates before training."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from einops import rearrange, repeat
from ml_collections import ConfigDict

from hairjax.builders.data_set import load_data, split_photos
from hairjax.builders.model import abstract_model
from hairjax.builders.setup import Setup, resolve
from hairjax.data.inputs import denormalised, model_inputs
from hairjax.data.overview import count_table, example_photographs
from hairjax.data.photoset import PhotoSet
from hairjax.optim.groups import ParameterGroup, make_groups
from hairjax.optim.schedules import make_schedules
from hairjax.report.figures.contact_sheets import Caption, contact_sheet, schedule_figure, shorten
from hairjax.system import console
from hairjax.system.outputs import record_written, require_replaceable
from hairjax.system.wording import counted

AUGMENTED = 5  # augmented views of each image
POINTS = 2000  # of a plotted schedule


_WRITTEN = ("contact_sheet.png", "schedule.png")


def show_data(config: ConfigDict, out: str | Path) -> None:
    """Write ``contact_sheet.png`` and ``schedule.png``, and print image counts.

    Needs neither weights nor the devices of training.

    Raises:
        UserError: images are unusable, cannot be split, or do not fit the model; nothing is
            written.
    """
    require_replaceable(Path(out), _WRITTEN)
    setup = resolve(config)
    console.say(f"source: {setup.source.describe()}")
    # Validate the model before decoding images.
    _, shapes = abstract_model(setup.model, num_classes=2)
    photos = load_data(setup.source, setup.prepare, None)
    split, _ = split_photos(photos, setup.source, setup.split, None)
    train = np.flatnonzero(split == "train")
    title, header, rows = count_table(photos, split)
    console.table(title, header, rows)
    epochs = setup.training.epochs
    steps = len(train) // setup.training.batch_size
    groups = make_groups(setup.optim, len(shapes["stages"]), epochs)
    schedules = make_schedules(setup.optim, groups, epochs, steps)
    at, rates = sample_rates(schedules, epochs * steps)
    description = ", ".join(_rate(name, group) for name, group in groups.items())
    console.say(f"rates: {description}; {counted(epochs, 'epoch')} of {counted(steps, 'step')}")

    chosen = example_photographs(photos, train, setup.seed)
    rgb, masks = views(photos.images[chosen], setup)
    texts = captions(photos, train, chosen)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    sheet, schedule = out / "contact_sheet.png", out / "schedule.png"
    contact_sheet(rgb, masks, texts, notes(setup, photos, chosen), sheet)
    schedule_figure(at / steps, rates, setup.optim.warmup_epochs, steps, schedule)
    record_written(out, _WRITTEN)
    console.say(f"written: {sheet}, {schedule}")


def _rate(name: str, group: ParameterGroup) -> str:
    """E.g. ``late 0.001``, ``early frozen`` or ``stages.3 0.001 from epoch 4``."""
    if not group.first:
        return f"{name} frozen"
    return f"{name} {group.peak:g}{f' from epoch {group.first}' if group.first > 1 else ''}"


def sample_rates(
    schedules: dict[str, optax.Schedule], total: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Sample steps up to ``total``, int [n], and the learning rates of each group there."""
    at = np.unique(np.linspace(0, total - 1, min(total, POINTS)).round().astype(np.int32))
    return at, {group: np.asarray(jax.vmap(rate)(at)) for group, rate in schedules.items()}


def views(images: np.ndarray, setup: Setup) -> tuple[np.ndarray, np.ndarray | None]:
    """Model inputs as images: the evaluation view, then ``AUGMENTED`` training views.

    For uint8 [n, stored, stored, 4]: RGB float32 [n, 1 + AUGMENTED, side, side, 3] in [0, 1] (for
    one channel, the mask in grey); masks [n, 1 + AUGMENTED, side, side], None without masks beside
    RGB.
    """
    how, amounts = setup.inputs, setup.amounts
    repeated = repeat(images, "n h w c -> (n times) h w c", times=AUGMENTED)
    keys = jax.random.split(jax.random.key(setup.seed), len(repeated))

    denormalise = jax.vmap(jax.vmap(functools.partial(denormalised, normalise=how.normalise[0])))

    @jax.jit
    def render(whole: jax.Array, augmented: jax.Array) -> jax.Array:
        view = model_inputs(whole, None, None, how)
        views = model_inputs(augmented, keys, amounts, how)
        rows = [
            rearrange(view, "n h w c -> n 1 h w c"),
            rearrange(views, "(n times) h w c -> n times h w c", times=AUGMENTED),
        ]
        inputs = jnp.concatenate(rows, axis=1)
        if setup.model.in_channels == 1:
            return repeat(inputs[..., :1], "n times h w 1 -> n times h w c", c=3)
        rgb = denormalise(inputs[..., :3])
        return jnp.concatenate([rgb, inputs[..., 3:]], axis=-1)

    rendered = np.asarray(render(images, repeated))
    return rendered[..., :3].clip(0, 1), rendered[..., 3] if setup.model.in_channels == 6 else None


def captions(photos: PhotoSet, train: np.ndarray, chosen: np.ndarray) -> list[Caption]:
    """Captions of the contact sheet for the images ``chosen``; class sizes are those in ``train``.

    Both are image indices, int [n].
    """
    counts = np.bincount(photos.labels[train], minlength=len(photos.classes))
    return [
        Caption(
            class_name=photos.classes[photos.labels[i]],
            class_size=f"{counts[photos.labels[i]]:,} photographs train",
            file=photos.files[i],
            subject=photos.subjects[i],
        )
        for i in chosen
    ]


def notes(setup: Setup, photos: PhotoSet, chosen: np.ndarray) -> list[str]:
    """Headline and notes of the contact sheet."""
    side = setup.inputs.side
    channels = {1: "the mask alone", 3: "RGB alone", 6: "RGB and the mask"}[setup.model.in_channels]
    if setup.source.two_views:
        channels += ", of two views the first"
    lines = [
        "Inputs of the model",
        f"{setup.model.title}: {side} × {side} pixels, {channels}",
        f"source: {shorten(setup.source.describe(), 72)}",
    ]
    shown, classes = len(set(photos.labels[chosen].tolist())), len(photos.classes)
    if shown < classes:
        lines.append(f"{shown} of {classes} classes are shown")
    return lines

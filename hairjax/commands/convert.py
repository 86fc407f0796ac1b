"""Convert weights of any supported source to hairjax's format."""

import hashlib
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from hairjax import __version__
from hairjax.builders.two_stream_weights import has_streams
from hairjax.models.factory import input_size, model_builder, outline, read_weights
from hairjax.models.options import ModelOptions
from hairjax.models.table import SWIN, VARIANTS
from hairjax.runs.ancestry import ancestry_metadata, source_ancestry
from hairjax.system import console
from hairjax.system.files import replacing
from hairjax.weights import WeightsError
from hairjax.weights.choice import AUTO
from hairjax.weights.contents import files_sha256
from hairjax.weights.fit import STEM, head_layout, require_fit
from hairjax.weights.heads import is_classifier
from hairjax.weights.load import Checkpoint, fetch_from_hub, find_weights, is_run

SUFFIX = ".safetensors"


def convert_weights(
    source: str, name: str, out: Path, licence: str, which: str = AUTO
) -> dict[str, str]:
    """Convert the weights of a model to hairjax's names and layout, float32.

    Channels, classes and hidden layers of the head stay as in the source.

    Args:
        source: a file, a folder, a run directory, or ``hf://owner/name``.
        name: name of the model.
        out: ``.safetensors`` file to write, atomically.
        licence: licence of the weights; "" for the source's.
        which: selection from a file with several models' parameters, see `weights.choice`.

    Returns:
        The metadata written: ``model``, ``source`` (name without folders), ``source_sha256`` (of
        the file, of concatenated shards, or `parameters_sha256` of a run), ``naming``, ``hairjax``
        (version); if applicable ``mask_shifted`` (Swin), ``which``, ``licence``, and ``ancestry``
        (checksums of training images).

    Raises:
        WeightsError: the source is unreadable or does not fit the model, or ``out`` exists or is no
            ``.safetensors``; nothing is written.
        UserError: unknown model, or a run without a finished epoch.
    """
    if out.suffix != SUFFIX:
        raise WeightsError(f"the converted file is written as {SUFFIX}, not as {out.name!r}")
    if out.exists():
        raise WeightsError(f"{out} exists already; remove it or give another file")
    # Check the name before reading.
    abstract_shapes(name, channels=3, classes=1, hidden=(), head="softmax", image_size=None)
    path = find_weights(source)
    checkpoint = read_weights(name, path, which)
    check_source(checkpoint, name)
    for note in checkpoint.notes:
        console.say(note)
    metadata = describe(checkpoint, path, source, name, licence)
    if which != AUTO:
        metadata["which"] = which
    write(checkpoint.arrays, metadata, out)
    return metadata


def check_source(checkpoint: Checkpoint, name: str) -> None:
    """Raise unless the weights are exactly the model's, with or without a classifier.

    Raises:
        WeightsError: missing, unexpected or differently shaped parameters, with examples.
    """
    arrays = checkpoint.arrays
    if has_streams(arrays):
        raise WeightsError(
            "these are the weights of a model with two streams, which convert does not support; "
            "use the run itself: config.weights.source=RUN"
        )
    classes, hidden, head = head_layout(arrays)
    kernel = arrays.get(STEM)
    shapes = abstract_shapes(
        name,
        channels=3 if kernel is None or kernel.ndim != 4 else kernel.shape[2],
        classes=classes or 1,
        hidden=hidden,
        head=head,
        image_size=checkpoint.image_size,
    )
    headless = not any(map(is_classifier, arrays))
    fresh = {path for path in shapes if headless and is_classifier(path)}
    require_fit(arrays, checkpoint.unexpected, shapes, fresh)


def abstract_shapes(
    name: str,
    *,
    channels: int,
    classes: int,
    hidden: tuple[int, ...],
    head: str,
    image_size: int | None,
) -> dict[str, tuple[int, ...]]:
    """Shapes of a model's parameters, by dotted path.

    Raises:
        UserError: unknown model.
    """
    options = ModelOptions(
        image_size=input_size(name, image_size),
        in_channels=channels,
        num_classes=classes,
        dropout=0.0,
        drop_path=0.0,
        hidden=hidden,
        head=head,
        mask_shifted=True,
        dtype=jnp.float32,
        remat=False,
    )
    _, shapes, _ = outline(model_builder(name, options), seed=0)
    return {path: leaf.shape for path, leaf in shapes.items()}


def describe(
    checkpoint: Checkpoint, path: Path, source: str, name: str, licence: str
) -> dict[str, str]:
    """Metadata of a converted file; see `convert_weights`."""
    on_hub = source.startswith("hf://")
    digest = parameters_sha256(checkpoint.arrays) if is_run(path) else files_sha256(path)
    licence = licence or checkpoint.metadata.get("licence", "")
    if not licence and on_hub:
        licence = _licence_on_hub(source.removeprefix("hf://"))
    metadata = {
        "model": name,
        "source": source if on_hub else path.absolute().name,
        "source_sha256": digest,
        "naming": checkpoint.naming,
        "hairjax": __version__,
    }
    if VARIANTS[name].family is SWIN:
        metadata["mask_shifted"] = str(checkpoint.mask_shifted).lower()
    metadata |= ancestry_metadata(source_ancestry(source, path))
    return metadata | ({"licence": licence} if licence else {})


def parameters_sha256(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 over names, shapes and values, in the order of names."""
    digest = hashlib.sha256()
    for path in sorted(arrays):
        digest.update(f"{path} {arrays[path].shape}\n".encode())
        digest.update(np.ascontiguousarray(arrays[path], "<f4").tobytes())
    return digest.hexdigest()


def _licence_on_hub(name: str) -> str:
    """Licence on the repository's card; "" if unknown."""
    import huggingface_hub
    from yaml import YAMLError

    try:
        file = fetch_from_hub(name, "README.md")
    except Exception:  # hub unreachable: no known licence
        return ""
    try:
        return huggingface_hub.ModelCard.load(file).data.license or ""
    except (OSError, ValueError, YAMLError):  # unreadable card
        return ""


def write(arrays: dict[str, np.ndarray], metadata: dict[str, str], out: Path) -> None:
    """Write a ``.safetensors`` file atomically, creating its folder."""
    import safetensors.numpy

    plain = {path: np.ascontiguousarray(arrays[path], np.float32) for path in sorted(arrays)}
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as temporary:
        temporary.write_bytes(safetensors.numpy.save(plain, metadata))

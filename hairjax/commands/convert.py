"""Rewrite weights from any source as a file of ours, which says where it comes from."""

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
    """Write the weights of a model under our names, as float32 in our layout.

    Nothing is adapted: channels, classes and hidden layers of the head stay the source's.

    Args:
        source: a file, a folder, the folder of a run, or ``hf://owner/name``.
        name: the model they are for.
        out: the ``.safetensors`` file to write; it appears whole or not at all.
        licence: licence of the weights, in words; empty to take what the source says.
        which: which parameters of a file with several models', see `weights.choice`.

    Returns:
        The metadata that was written: ``model``, ``source`` (a file's or run's name, without its
        folders), ``source_sha256`` (of the file, of parts one after another; for a run of its
        parameters, see ``parameters_sha256``), ``naming``, ``hairjax`` (the version), of a Swin
        ``mask_shifted``, ``which`` where given, ``licence`` where given or known, and where the
        weights come from a run ``ancestry``: checksums of the photographs that trained it or a run
        before it.

    Raises:
        WeightsError: the source cannot be read, does not fit the model, or ``out`` is there
            already or no ``.safetensors``; nothing was written.
        UserError: an unknown model.
    """
    if out.suffix != SUFFIX:
        raise WeightsError(f"the converted file is written as {SUFFIX}, not as {out.name!r}")
    if out.exists():
        raise WeightsError(f"{out} is there already; remove it or give another file")
    # The name, at once.
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
    """Refuse weights that are not exactly this model's; a body without a classifier is.

    Raises:
        WeightsError: says what is missing, unexpected, or of another shape.
    """
    arrays = checkpoint.arrays
    if has_streams(arrays):
        raise WeightsError(
            "these are the weights of a model with two streams, which is not written as one file; "
            "a run with two streams can be given as it is: config.weights.source=RUN"
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
    """The shape of every parameter of a model, by dotted path.

    Raises:
        UserError: an unknown model.
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
    """The metadata of a converted file; see ``convert``."""
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
    """A checksum over names, shapes and numbers, in the order of the names."""
    digest = hashlib.sha256()
    for path in sorted(arrays):
        digest.update(f"{path} {arrays[path].shape}\n".encode())
        digest.update(np.ascontiguousarray(arrays[path], "<f4").tobytes())
    return digest.hexdigest()


def _licence_on_hub(name: str) -> str:
    """Licence on the repository's card; "" if it cannot be read or names none."""
    import huggingface_hub
    from yaml import YAMLError

    try:
        file = fetch_from_hub(name, "README.md")
    except Exception:  # of a hub out of reach: whoever asked is told that no licence is known
        return ""
    try:
        return huggingface_hub.ModelCard.load(file).data.license or ""
    except (OSError, ValueError, YAMLError):  # a card that cannot be read says nothing
        return ""


def write(arrays: dict[str, np.ndarray], metadata: dict[str, str], out: Path) -> None:
    """Write a ``.safetensors`` file whole or not at all; its folder is made."""
    import safetensors.numpy

    plain = {path: np.ascontiguousarray(arrays[path], np.float32) for path in sorted(arrays)}
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as temporary:
        temporary.write_bytes(safetensors.numpy.save(plain, metadata))

"""Find a file of pretrained weights, read it, and fit every array to a model or say why not."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from jax import Array

from hairjax.errors import UserError
from hairjax.weights import swin_names
from hairjax.weights.stem import expand_stem

SUFFIXES = (".safetensors", ".npz")


class WeightsError(UserError):
    """The weights cannot be found, read, or fitted to the model; the message says what to do."""


def find_weights(source: str) -> Path:
    """The file behind a path, a folder, or ``hf://owner/name`` (asked for only then).

    Raises:
        WeightsError: there is no such file, or the hub cannot be reached.
    """
    if source.startswith("hf://"):
        return _from_hub(source.removeprefix("hf://"))
    path = Path(source).expanduser()
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix in SUFFIXES)
        if len(files) != 1:
            found = ", ".join(f.name for f in files) or "none"
            raise WeightsError(
                f"the folder {source} should hold one file of weights ({' or '.join(SUFFIXES)}); "
                f"found: {found}"
            )
        return files[0]
    if not path.is_file():
        raise WeightsError(
            f"there is no file of weights at {source}; give a {' or '.join(SUFFIXES)} file, a "
            "folder with one, hf://owner/name, or none (--config.weights.source=none)"
        )
    if path.suffix not in SUFFIXES:
        raise WeightsError(
            f"{source} ends in {path.suffix!r}; weights are read from {' and '.join(SUFFIXES)}"
        )
    return path


def _from_hub(name: str) -> Path:
    import huggingface_hub

    file = "model.safetensors"
    verbosity = huggingface_hub.logging.get_verbosity()
    huggingface_hub.logging.set_verbosity_error()  # or it tells of every retry
    try:
        return Path(huggingface_hub.hf_hub_download(name, file))
    except Exception as error:  # among them those of the HTTP library, another in each version
        raise WeightsError(
            f"could not get {file} of {name} from the Hugging Face hub "
            f"({type(error).__name__}). Download https://huggingface.co/{name}/resolve/main/{file} "
            "where there is a network and point to it with --config.weights.source=FILE, or train "
            "from scratch with --config.weights.source=none; --config=configs/top.py:demo needs "
            "no weights at all"
        ) from error
    finally:
        huggingface_hub.logging.set_verbosity(verbosity)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of a ``.safetensors`` or ``.npz`` file, as float32, by its name there.

    Raises:
        WeightsError: the file is not what its suffix says.
    """
    import safetensors.numpy

    try:
        arrays = _read_npz(path) if path.suffix == ".npz" else safetensors.numpy.load_file(path)
        return {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    except Exception as error:  # damaged archives fail in many ways, even zlib's and tokenize's
        raise WeightsError(
            f"{path} cannot be read as {path.suffix} ({error}); is it whole, and the file itself "
            "rather than a web page or a Git LFS pointer to it?"
        ) from error


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("it is not a whole archive of arrays")
        file.seek(0)
        return dict(np.load(file, allow_pickle=False))


def fit_weights(
    arrays: dict[str, np.ndarray],
    shapes: dict[str, jax.ShapeDtypeStruct],
    draw: Callable[[list[str]], dict[str, Array]],
    *,
    windows: dict[str, tuple[int, int]],
    stem: str,
) -> tuple[dict[str, Array], list[str]]:
    """Fit a Swin checkpoint to a model: stem, bias tables and head adapted, the rest exact.

    Args:
        arrays: the checkpoint, by timm's names.
        shapes: shape of every parameter of the model, by dotted path.
        draw: returns freshly initialised parameters for a list of paths.
        windows: the window of every bias table, by the table's path.
        stem: rule for the stem's input channels, see ``expand_stem``.

    Returns:
        Every parameter by path, and a sentence for each thing that was not taken as it is.

    Raises:
        WeightsError: names are missing or unexpected, or shapes differ; all are listed.
    """
    found, unexpected = _translate(arrays)
    notes: list[str] = []
    _resize_tables(found, shapes, windows, notes)
    fresh = _replace_head(found, shapes, notes)
    kernel = "stem.proj.kernel"
    if kernel in found and found[kernel].ndim == 4 and found[kernel].shape[2] == 3:
        drawn = draw([kernel])[kernel]
        if found[kernel].shape[:2] == drawn.shape[:2]:
            found[kernel] = expand_stem(found[kernel], drawn, stem)
            if drawn.shape[2] != 3:
                notes.append(f"stem: RGB kernel fitted to {drawn.shape[2]} channels by {stem!r}")
    missing = sorted(shapes.keys() - found.keys() - set(fresh))
    wrong = [
        f"{path} is {list(found[path].shape)}, the model has {list(shapes[path].shape)}"
        for path in sorted(found.keys() & shapes.keys())
        if found[path].shape != shapes[path].shape
    ]
    _refuse(missing, [*unexpected, *sorted(found.keys() - shapes.keys())], wrong)
    return {**found, **draw(fresh)}, notes


def _translate(arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    found, unexpected = {}, []
    for name, array in arrays.items():
        if swin_names.DERIVED.search(name):
            continue
        translated = swin_names.from_timm(name, array)
        if translated is None:
            unexpected.append(name)
        else:
            found[translated[0]] = translated[1]
    return found, unexpected


def _resize_tables(found: dict, shapes: dict, windows: dict, notes: list[str]) -> None:
    """Resize every bias table made for another (square) window, in place."""
    resized = []
    for path in sorted(windows.keys() & found.keys()):
        table = found[path]
        if table.ndim != 2 or table.shape[1] != shapes[path].shape[1]:
            continue
        side = (round(len(table) ** 0.5) + 1) // 2
        square = (2 * side - 1) ** 2 == len(table)
        if square and windows[path] != (side, side):
            found[path] = swin_names.resize_bias_table(table, windows[path], (side, side))
            resized.append(f"{side} → {windows[path][0]} × {windows[path][1]}")
    if resized:
        changes = ", ".join(sorted(set(resized)))
        notes.append(f"relative-position tables resized in {len(resized)} blocks: {changes}")


def _replace_head(found: dict, shapes: dict, notes: list[str]) -> list[str]:
    """Drop the checkpoint's classifier if the model's is another; returns the paths to draw."""
    classifier = {"head.classifier.kernel", "head.classifier.bias"}
    old = classifier & found.keys()
    new = {path for path in shapes if path.startswith(("head.classifier", "head.hidden"))}
    fits = all(found[path].shape == shapes[path].shape for path in old)
    if old and fits and new == classifier:
        return []
    classes = shapes["head.classifier.bias"].shape[0]
    before = f"{np.atleast_1d(found[min(old)]).shape[-1]:,} classes" if old else "no classes"
    notes.append(f"head: drawn anew for {classes} classes; the checkpoint's has {before}")
    for path in old:
        del found[path]
    return sorted(new)


def _refuse(missing: list[str], unexpected: list[str], wrong: list[str]) -> None:
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": wrong}
    lists = [
        f"{len(names)} {kind}:\n    " + "\n    ".join(names)
        for kind, names in kinds.items()
        if names
    ]
    if lists:
        raise WeightsError(
            "the weights do not fit the model (is model.name the variant they were trained "
            "for?)\n  " + "\n  ".join(lists)
        )

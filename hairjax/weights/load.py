"""Find pretrained weights and read them: a file, a folder, the hub, or a run of ours."""

import json
import os
import threading
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hairjax.config.load import load_config
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.weights import WeightsError
from hairjax.weights.naming import OURS, Naming, recognise, translate
from hairjax.weights.paths import dotted
from hairjax.weights.pth import RefusedError, read_pth

PTH = (".pth", ".pt", ".th", ".bin")
SUFFIXES = (".safetensors", ".npz", *PTH)
ON_HUB = "model.safetensors"
# What the numbers of a ``.safetensors`` file may be: weights; a counter of batches, a table of
# indices (no parameter is either).
FLOATS, BUFFERS = ("F64", "F32", "F16", "BF16"), ("I64", "I32", "BOOL")
PATIENCE = 5  # seconds for the hub's first answer


@dataclass(frozen=True)
class Checkpoint:
    """The weights of one source, by our names.

    Attributes:
        arrays: every parameter, float32 in our layout, by dotted path.
        unexpected: names in the source that stand for nothing in the model.
        naming: whose names they were.
        mask_shifted: True if shifted windows kept opposite borders apart when they were trained.
        classes: what the head's outputs mean, where the source is a run; else nothing.
        image_size: side of the photographs, where the source is a run; None: its model's own.
        metadata: what the file says of itself.
    """

    arrays: dict[str, np.ndarray]
    unexpected: list[str]
    naming: str
    mask_shifted: bool
    classes: tuple[str, ...]
    image_size: int | None
    metadata: dict[str, str]


def find_weights(source: str) -> Path:
    """The file behind a path, a folder, or ``hf://owner/name`` (the hub's cache first).

    For the folder of a run it is the folder itself.

    Raises:
        WeightsError: there is no such file, or the hub cannot be reached.
    """
    if source.startswith("hf://"):
        return _from_hub(source.removeprefix("hf://"))
    path = Path(source).expanduser()
    if is_run(path):
        return path
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix in SUFFIXES)
        if len(files) != 1:
            found = ", ".join(f.name for f in files) or "none"
            raise WeightsError(
                f"the folder {source} should be a run or hold one file of weights "
                f"({', '.join(SUFFIXES)}); found: {found}"
            )
        return files[0]
    if not path.is_file():
        raise WeightsError(
            f"there is no file of weights at {source}; give a file ({', '.join(SUFFIXES)}), a "
            "folder with one, the folder of a run, hf://owner/name, or none "
            "(--config.weights.source=none)"
        )
    if path.suffix not in SUFFIXES:
        raise WeightsError(
            f"{source} ends in {path.suffix!r}; weights are read from {', '.join(SUFFIXES)}"
        )
    return path


def is_run(path: Path) -> bool:
    """True if a path is the folder of a run (transformers' folders have a config.json too)."""
    return (path / "config.json").is_file() and (path / "checkpoints").is_dir()


def _from_hub(name: str) -> Path:
    try:
        return fetch_from_hub(name, ON_HUB)
    except ImportError:
        raise
    except Exception as error:  # among them those of the HTTP library, another in each version
        raise WeightsError(
            f"could not get {ON_HUB} of {name} from the Hugging Face hub "
            f"({type(error).__name__}). Download "
            f"https://huggingface.co/{name}/resolve/main/{ON_HUB} "
            "where there is a network and point to it with --config.weights.source=FILE, or train "
            "from scratch with --config.weights.source=none; --config=configs/top.py:demo needs "
            "no weights at all"
        ) from error


def fetch_from_hub(name: str, file: str) -> Path:
    """A file of a repository on the hub: from the hub's cache without asking, else downloaded.

    Raises:
        ImportError: huggingface_hub is missing.
        Exception: whatever huggingface_hub and its HTTP library raise, or a ``TimeoutError``.
    """
    import huggingface_hub

    verbosity = huggingface_hub.logging.get_verbosity()
    huggingface_hub.logging.set_verbosity_error()  # or it tells of every retry
    try:
        cached = huggingface_hub.try_to_load_from_cache(name, file)
        if isinstance(cached, str):
            return Path(cached)
        console.say(f"asking the Hugging Face hub for {file} of {name}, which is not in its cache")
        _require_answer(huggingface_hub.hf_hub_url(name, file))
        return Path(huggingface_hub.hf_hub_download(name, file))
    finally:
        huggingface_hub.logging.set_verbosity(verbosity)


def _require_answer(url: str) -> None:
    """Raise unless the hub answers within seconds, whatever its answer.

    ``hf_hub_download`` itself asks an unreachable hub seven times, for 24 s where its name is
    unknown and for minutes where packets are lost.
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    # The variable is huggingface_hub's own: for whoever has a slow way to the hub.
    wait = float(os.environ.get("HF_HUB_ETAG_TIMEOUT") or PATIENCE)
    failures: list[Exception] = []

    def ask() -> None:
        try:
            huggingface_hub.get_hf_file_metadata(url, timeout=wait)
        except HfHubHTTPError:  # an answer; the download tells what it means
            pass
        except Exception as error:
            failures.append(error)

    # A thread, since no timeout of the HTTP library ends a look-up of the hub's name.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(wait)
    if asking.is_alive():
        raise TimeoutError(f"no answer within {wait:g} s")
    if failures:
        raise failures[0]


def read_checkpoint(path: Path, family: str, namings: Iterable[Naming]) -> Checkpoint:
    """Weights under our names, whosever names they have where they lie.

    Args:
        path: as ``find_weights`` gives it.
        family: what they should be the parameters of, in words.
        namings: those known for it.

    Raises:
        WeightsError: the file cannot be read, or its names are nobody's that is known.
        UserError: the run has no finished epoch.
    """
    if is_run(path):
        return _read_run(path)
    arrays, metadata = read_arrays(path), read_metadata(path)
    try:
        naming, prefix = recognise(arrays, family, namings)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    found, unexpected = translate(naming, prefix, arrays)
    return Checkpoint(
        arrays=found,
        unexpected=unexpected,
        naming=naming.title,
        mask_shifted=naming.mask_shifted and metadata.get("mask_shifted") != "false",
        classes=(),
        image_size=None,
        metadata=metadata,
    )


def _read_run(path: Path) -> Checkpoint:
    """The best parameters of a run, read from its files: no model is built."""
    # Here: orbax takes seconds to import.
    from hairjax.weights.checkpoint import Checkpoints

    config = load_config(str(path / "config.json"))
    checkpoints = Checkpoints(path / "checkpoints")
    try:
        best = checkpoints.best()
        if best is None:
            raise UserError(f"the run at {path} has not finished its first epoch yet")
        params = checkpoints.read_params(best["step"])
    finally:
        checkpoints.close()
    return Checkpoint(
        arrays=dotted(params),
        unexpected=[],
        naming=OURS.title,
        mask_shifted=config.model.mask_shifted,
        classes=tuple(json.loads((path / "classes.json").read_text())),
        image_size=config.data.image_size or None,
        metadata={},
    )


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of a file, as float32, by its name there.

    Raises:
        WeightsError: the file is not what its suffix says, asks for what no weights need, or holds
            numbers that are no weights.
    """
    try:
        if path.suffix == ".npz":
            arrays = _read_npz(path)
        elif path.suffix in PTH:
            arrays = read_pth(path)
        else:
            arrays = _read_safetensors(path)
        return {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    except RefusedError as error:
        raise WeightsError(f"{path} is refused: {error}") from error
    except Exception as error:  # damaged archives fail in many ways, even zlib's and tokenize's
        raise WeightsError(
            f"{path} cannot be read as {path.suffix} ({error}); is it whole, and the file itself "
            "rather than a web page or a Git LFS pointer to it?"
        ) from error


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    # safetensors asks NumPy for "bfloat16" by name, which knows it once this is imported: by JAX
    # too, on whose import nothing here should depend.
    import ml_dtypes  # noqa: F401
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        names = list(file.keys())
        for name in names:
            dtype = file.get_slice(name).get_dtype()
            if dtype not in FLOATS + BUFFERS:
                raise RefusedError(
                    f"{name} is {dtype}, of which no weights are read, only of "
                    f"{', '.join(FLOATS)}; a quantised number means little without its scale: take "
                    "the file that these were made from, or write one with all in BF16 or F32"
                )
        return {name: file.get_tensor(name) for name in names}


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("it is not a whole archive of arrays")
        file.seek(0)
        return dict(np.load(file, allow_pickle=False))


def read_metadata(path: Path) -> dict[str, str]:
    """Metadata of a ``.safetensors`` file; empty for other files."""
    if path.suffix != ".safetensors":
        return {}
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return file.metadata() or {}

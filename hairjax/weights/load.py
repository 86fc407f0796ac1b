"""Find and read pretrained weights: a file, a folder, the hub, or a run."""

import json
import os
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hairjax.config.load import load_config
from hairjax.system import console
from hairjax.system.errors import UserError, examples
from hairjax.system.program import RECIPE
from hairjax.weights import WeightsError
from hairjax.weights.choice import AUTO, choose_parameters, ignored_arrays, model_names, models_in
from hairjax.weights.contents import Contents, opened, require_numbers, shard_files, shard_names
from hairjax.weights.formats import holds_weights, is_index
from hairjax.weights.heads import foreign_head
from hairjax.weights.naming import OURS, Naming, recognise, translate
from hairjax.weights.paths import dotted

# Suffixes to search in a folder; a given file may have any.
SUFFIXES = (".safetensors", ".npz", ".pth", ".pt", ".th", ".bin", ".ckpt", ".tar")
PART = re.compile(r"-\d+-of-\d+\.")  # in the name of a shard
ON_HUB = "model.safetensors"
_RUNS = 3  # named in a message
PATIENCE = 5  # seconds for the hub's first answer


@dataclass(frozen=True)
class Checkpoint:
    """Weights of one source under hairjax's names."""

    arrays: dict[str, np.ndarray]  # parameters by dotted path, float32, our layout
    unexpected: list[str]  # names in the source without a counterpart
    naming: str  # title of the source's naming
    mask_shifted: bool  # True if trained with masked shifted windows
    classes: tuple[str, ...]  # class names of a run's head; () otherwise
    image_size: int | None  # image size of a run in pixels; None for the model's own
    metadata: dict[str, str]  # metadata of the file
    notes: tuple[str, ...] = ()  # notes on alternatives in the file that were not taken


def find_weights(source: str) -> Path:
    """File behind a path, a folder, or ``hf://owner/name`` (the hub's cache first).

    A run gives its folder, sharded weights their index.

    Raises:
        WeightsError: no such file, not a file of weights, a missing shard, or an unreachable hub.
    """
    path = Path(source).expanduser()
    if source.startswith("hf://"):
        path = _from_hub(source.removeprefix("hf://"))
    elif is_run(path):
        return path
    elif path.is_dir():
        path = _in_folder(path)
    else:
        _require_whole(path, source)
    shard_files(path)
    return path


def _require_whole(path: Path, source: str) -> None:
    """Raise if a file is missing, or is one shard of an index beside it."""
    if not path.is_file():
        raise WeightsError(
            f"there is no file of weights at {source}; give a file ({', '.join(SUFFIXES)}), a "
            "folder with one, the folder of a run, hf://owner/name, or none "
            "(--config.weights.source=none)"
        )
    for index in path.parent.glob("*.index.json") if PART.search(path.name) else ():
        if is_index(index) and path.name in shard_names(index):
            raise WeightsError(f"{source} holds a part of the weights; give the whole: {index}")


def _in_folder(folder: Path) -> Path:
    """The only file of weights, or index of shards, in a folder."""
    inside = sorted(file for file in folder.iterdir() if file.is_file())
    indexes = [f for f in inside if f.name.endswith(".index.json") and is_index(f)]
    parts = {name for index in indexes for name in shard_names(index)}
    whole = [file for file in inside if file.name not in parts]
    found = indexes + [file for file in whole if file.suffix in SUFFIXES]
    found = found or [file for file in whole if holds_weights(file)]
    if len(found) == 1:
        return found[0]
    hint = "; give one of them" if found else _what_it_is(folder)
    if found and all(PART.search(file.name) for file in found):
        hint = "; these are parts of one, and their index (….index.json) is not there"
    raise WeightsError(
        f"the folder {folder} should be a run or hold one file of weights "
        f"({', '.join(SUFFIXES)}); found: {', '.join(file.name for file in found) or 'none'}{hint}"
    )


def _what_it_is(folder: Path) -> str:
    """The end of a sentence where a folder without weights belongs to runs; "" for any other."""
    if run := next((one for one in folder.absolute().parents[:2] if is_run(one)), None):
        return f"; it is inside the run {run}: give that"
    runs = [
        str(path.parent) for path in sorted(folder.glob("*/config.json")) if is_run(path.parent)
    ]
    if runs:
        return f"; it holds the runs {examples(runs, _RUNS)}: give one of them"
    try:
        by = json.loads((folder / "config.json").read_bytes())["made"]["by"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return (
        f"; it is what {by} made of runs, without weights of its own: give one of these, or a soup"
    )


def is_run(path: Path) -> bool:
    """True for a run directory (transformers' folders have a config.json too)."""
    return (path / "config.json").is_file() and (path / "checkpoints").is_dir()


def _from_hub(name: str) -> Path:
    try:
        return fetch_from_hub(name, ON_HUB)
    except ImportError:
        raise
    except Exception as error:  # the HTTP library differs between versions
        raise WeightsError(
            f"could not get {ON_HUB} of {name} from the Hugging Face hub "
            f"({type(error).__name__}). Download "
            f"https://huggingface.co/{name}/resolve/main/{ON_HUB} "
            "where there is a network and point to it with --config.weights.source=FILE, or train "
            f"from scratch with --config.weights.source=none; --config={RECIPE}:demo needs "
            "no weights at all"
        ) from error


def fetch_from_hub(name: str, file: str) -> Path:
    """File of a hub repository: from the local cache, else downloaded.

    Raises:
        ImportError: huggingface_hub is missing.
        Exception: any error of huggingface_hub or its HTTP library, or ``TimeoutError``.
    """
    import huggingface_hub

    verbosity = huggingface_hub.logging.get_verbosity()
    huggingface_hub.logging.set_verbosity_error()  # or it logs every retry
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
    """Raise unless the hub answers within seconds.

    ``hf_hub_download`` retries an unreachable hub seven times: 24 s for an unknown name, minutes
    for lost packets.
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    # huggingface_hub's own variable, for slow connections.
    wait = float(os.environ.get("HF_HUB_ETAG_TIMEOUT") or PATIENCE)
    failures: list[Exception] = []

    def ask() -> None:
        try:
            huggingface_hub.get_hf_file_metadata(url, timeout=wait)
        except HfHubHTTPError:  # an answer; the download reports it
            pass
        except Exception as error:
            failures.append(error)

    # A thread: the HTTP library's timeouts do not cover DNS.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(wait)
    if asking.is_alive():
        raise TimeoutError(f"no answer within {wait:g} s")
    if failures:
        raise failures[0]


def read_checkpoint(
    path: Path, family: str, namings: Iterable[Naming], which: str = AUTO
) -> Checkpoint:
    """Read weights (from ``find_weights``) and translate them to hairjax's names.

    ``which``: see ``choice.choose_parameters``.

    Raises:
        WeightsError: unreadable file, unknown names, or missing requested parameters.
        UserError: a run without a finished epoch.
    """
    if is_run(path):
        check_source(path, family, namings, which)
        return _read_run(path)
    with opened(path) as contents:
        found = _recognised(contents, path, family, namings)
        models = models_in(found)
        prefix, notes = choose_parameters(models, contents, path, which)
        naming = found[prefix]
        names = model_names(contents.names, prefix, models)
        notes += ignored_arrays(contents.names, models)
        taken = {name: contents.read(name) for name in names}
        metadata = contents.metadata
    if head := foreign_head(naming, prefix, taken):
        notes.append(f"a foreign head, not taken: {', '.join(head)}")
        taken = {name: array for name, array in taken.items() if name not in head}
    arrays, unexpected = translate(naming, prefix, taken)
    require_numbers(path, arrays)
    return Checkpoint(
        arrays=arrays,
        unexpected=unexpected,
        naming=naming.title,
        mask_shifted=naming.mask_shifted and metadata.get("mask_shifted") != "false",
        classes=(),
        image_size=None,
        metadata=metadata,
        notes=tuple(notes),
    )


def check_source(path: Path, family: str, namings: Iterable[Naming], which: str) -> None:
    """Check a source by its names, without reading arrays.

    Raises:
        WeightsError: as ``read_checkpoint``.
    """
    if not is_run(path):
        with opened(path) as contents:
            found = _recognised(contents, path, family, namings)
            choose_parameters(models_in(found), contents, path, which)
    elif which != AUTO:
        raise WeightsError(
            f"config.weights.which is {which!r}, and the run at {path} stores the parameters "
            "of its best epoch only: leave it at auto"
        )


def _recognised(
    contents: Contents, path: Path, family: str, namings: Iterable[Naming]
) -> dict[str, Naming]:
    """Naming by prefix, see ``recognise``; errors name the file."""
    try:
        return recognise(contents.names, family, namings)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def _read_run(path: Path) -> Checkpoint:
    """Best parameters of a run, from its files."""
    # Imported late: orbax takes seconds.
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

"""Find pretrained weights and read them: a file, a folder, the hub, or a run of ours."""

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
from hairjax.weights import WeightsError
from hairjax.weights.choice import AUTO, belonging, choose, models_in, passed_over
from hairjax.weights.contents import Contents, listed_parts, opened, parts_of, require_numbers
from hairjax.weights.formats import holds_weights, is_index
from hairjax.weights.heads import other_head
from hairjax.weights.naming import OURS, Naming, recognise, translate
from hairjax.weights.paths import dotted

# By which a file is looked for in a folder; one that is given may have any.
SUFFIXES = (".safetensors", ".npz", ".pth", ".pt", ".th", ".bin", ".ckpt", ".tar")
PART = re.compile(r"-\d+-of-\d+\.")  # in the name of a file that holds a part of the weights
ON_HUB = "model.safetensors"
_RUNS = 3  # named in a message
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
        notes: a sentence for each thing in the file that might be meant and was not taken.
    """

    arrays: dict[str, np.ndarray]
    unexpected: list[str]
    naming: str
    mask_shifted: bool
    classes: tuple[str, ...]
    image_size: int | None
    metadata: dict[str, str]
    notes: tuple[str, ...] = ()


def find_weights(source: str) -> Path:
    """The file behind a path, a folder, or ``hf://owner/name`` (the hub's cache first).

    For the folder of a run it is the folder itself, for weights in parts their index.

    Raises:
        WeightsError: there is no such file, it is no file of weights, a part is missing, or the
            hub cannot be reached.
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
    parts_of(path)
    return path


def _require_whole(path: Path, source: str) -> None:
    """Refuse a file that is not there, or one of the parts that an index beside it names."""
    if not path.is_file():
        raise WeightsError(
            f"there is no file of weights at {source}; give a file ({', '.join(SUFFIXES)}), a "
            "folder with one, the folder of a run, hf://owner/name, or none "
            "(--config.weights.source=none)"
        )
    for index in path.parent.glob("*.index.json") if PART.search(path.name) else ():
        if is_index(index) and path.name in listed_parts(index):
            raise WeightsError(f"{source} holds a part of the weights; give the whole: {index}")


def _in_folder(folder: Path) -> Path:
    """The one file of weights in a folder, or the index of one's parts."""
    inside = sorted(file for file in folder.iterdir() if file.is_file())
    indexes = [f for f in inside if f.name.endswith(".index.json") and is_index(f)]
    parts = {name for index in indexes for name in listed_parts(index)}
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


def read_checkpoint(
    path: Path, family: str, namings: Iterable[Naming], which: str = AUTO
) -> Checkpoint:
    """Weights under our names, whosever names they have where they lie.

    Args:
        path: as ``find_weights`` gives it.
        family: what they should be the parameters of, in words.
        namings: those known for it.
        which: of the parameters of several models in a file, see ``choice.choose``.

    Raises:
        WeightsError: the file cannot be read, its names are nobody's that is known, or it does
            not hold the parameters asked for.
        UserError: the run has no finished epoch.
    """
    if is_run(path):
        check_source(path, family, namings, which)
        return _read_run(path)
    with opened(path) as contents:
        found = _recognised(contents, path, family, namings)
        models = models_in(found)
        prefix, notes = choose(models, contents, path, which)
        naming = found[prefix]
        names = belonging(contents.names, prefix, models)
        notes += passed_over(contents.names, models)
        taken = {name: contents.read(name) for name in names}
        metadata = contents.metadata
    if head := other_head(naming, prefix, taken):
        notes.append(f"a head of other names, not taken: {', '.join(head)}")
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
    """Refuse what ``read_checkpoint`` refuses by names alone: hardly an array is read.

    Raises:
        WeightsError: as ``read_checkpoint``.
    """
    if not is_run(path):
        with opened(path) as contents:
            found = _recognised(contents, path, family, namings)
            choose(models_in(found), contents, path, which)
    elif which != AUTO:
        raise WeightsError(
            f"config.weights.which is {which!r}, and the run at {path} has kept the parameters "
            "of its best epoch only: leave it at auto"
        )


def _recognised(
    contents: Contents, path: Path, family: str, namings: Iterable[Naming]
) -> dict[str, Naming]:
    """Naming by prefix, as ``recognise`` gives it; a refusal names the file."""
    try:
        return recognise(contents.names, family, namings)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


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

"""Images of a tensorflow-datasets set, without TensorFlow.

The set must be prepared as array_record, or have a builder that yields encoded images (only
TensorFlow encodes arrays).
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from hairjax.data.photoset import PhotoSet
from hairjax.data.sources.class_order import recognise_order
from hairjax.data.sources.photos import Entry, Index
from hairjax.data.sources.problems import NO_LABEL, Problem
from hairjax.data.sources.record import Record, Records
from hairjax.data.split import SPLITS, make_split, split_off_part
from hairjax.system import console
from hairjax.system.errors import UserError

_CHUNK = 64  # records per read
_ELSEWHERE = (
    "prepare it where TensorFlow is installed, with file_format='array_record', and name the "
    "folder of data sets with --config.data.photos=FOLDER"
)


def find_records(
    *,
    name: str,
    data_dir: str,
    classes: tuple[str, ...] | None,
    need_masks: bool,
    given: tuple[str, ...] = (),
) -> Index:
    """Find images with label, subject and mask, without decoding.

    Images are named by split: ``train/000123``, or ``train/ID`` with a feature ``id``.

    Args:
        name: ``NAME`` or ``NAME/CONFIG:VERSION``, with the features ``image`` (encoded or uint8),
            ``label``, optionally ``mask``, ``subject`` and ``id``.
        data_dir: folder of data sets; "" for tensorflow-datasets' default.
        classes: class names of a run, which must match; None for the set's, in the inferred or else
            its own order.
        need_masks: True if the model reads masks.
        given: class names ordered by the user; () for the set's own.

    Raises:
        UserError: the set is missing, unreadable, needs TensorFlow, or has other features.
    """
    builder = _open(name, data_dir)
    features, splits = builder.info.features, builder.info.splits
    names = _check_features(name, dict(features.items()), need_masks)
    ordered, how = recognise_order(names)
    order = classes or given or (ordered if how else names)
    if sorted(names) != sorted(order):
        whose = "and the run's are" if classes else "and config.data.classes names"
        raise UserError(
            f"the classes of the data set {name!r} are {', '.join(names)}, {whose} "
            f"{', '.join(order)}: they must be the same"
        )
    places = [order.index(one) for one in names]
    if "train" not in splits:
        raise UserError(
            f"the data set {name!r} has no split train, only {', '.join(splits)}: it cannot be "
            "used here"
        )
    entries: list[Entry] = []
    problems: list[Problem] = []
    try:
        for split in SPLITS:
            if split in splits and splits[split].num_examples:
                _add(_records(builder, split), "mask" in features, places, entries, problems)
    except (OSError, RuntimeError) as error:  # array_record raises RuntimeError
        raise UserError(f"a file of {builder.info.full_name} cannot be read: {error}") from error
    files = {entry.file for entry in entries}
    if len(files) < len(entries):
        raise UserError(f"the data set {name!r} has photographs with the same id: it must differ")
    return Index(tuple(entries), tuple(problems), order, "mask" in features)


def complete_split(photoset: PhotoSet, fractions: Sequence[float], seed: int) -> np.ndarray:
    """Split of a data set, str [n]: its own parts, named by the leading folder of `files`.

    Missing parts are split off train by the `fractions` of both, as `make_split` would.

    Raises:
        UserError: as in `make_split`.
    """
    own = np.array([file.partition("/")[0] for file in photoset.files], f"<U{len('validation')}")
    lacking = [part for part in SPLITS[1:] if part not in own]
    if len(lacking) == 2:
        return make_split(photoset, fractions, seed)
    shares = dict(zip(SPLITS, fractions, strict=True))
    for part in lacking:
        if shares[part]:
            own = split_off_part(photoset, own, part, fractions, seed)
    return own


def _open(name: str, data_dir: str) -> Any:
    """Open a prepared set, preparing it first if possible."""
    # Imported here: it takes a third of a second, needed by no other source.
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.read_only_builder import builder_from_files

    place = {"data_dir": str(Path(data_dir).expanduser())} if data_dir else {}
    try:
        try:
            builder = builder_from_files(name, **place)
        except tfds.core.DatasetNotFoundError:
            console.say(f"data set {name}: not prepared yet, tensorflow-datasets does that now")
            _prepare(name, place)
            builder = builder_from_files(name, **place)
    except tfds.core.DatasetNotFoundError as error:
        raise UserError(
            f"there is no data set {name!r}, neither prepared in "
            f"{data_dir or 'the folder of tensorflow-datasets'} nor known to tensorflow-datasets: "
            "correct --config.data.source or name the folder with --config.data.photos"
        ) from error
    except ImportError as error:
        package = "TensorFlow" if "tensorflow" in str(error) else f"the package {error.name}"
        raise UserError(
            f"the data set {name!r} cannot be prepared without {package}: {_ELSEWHERE}"
        ) from error
    except (ValueError, OSError, RuntimeError, AssertionError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(
            f"tensorflow-datasets cannot open or prepare {name!r}: {first}; correct "
            "--config.data.source, or prepare the set yourself"
        ) from error
    if builder.info.file_format is not tfds.core.FileFormat.ARRAY_RECORD:
        raise UserError(
            f"the data set {builder.info.full_name} is prepared as "
            f"{builder.info.file_format.value}, and only array_record is read here: {_ELSEWHERE}"
        )
    return builder


def _prepare(name: str, place: dict[str, str]) -> None:
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    # Suppress its banners.
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        tfds.builder(name, **place).download_and_prepare(file_format="array_record")


def _check_features(name: str, features: dict[str, Any], need_masks: bool) -> tuple[str, ...]:
    """Class names; raises unless the features are a classifier's."""
    import tensorflow_datasets as tfds

    found = f"its features are {', '.join(sorted(features))}"
    for feature in ("image", *(("mask",) if "mask" in features else ())):
        kind = features.get(feature)
        plain = isinstance(kind, tfds.features.Tensor) and _is_pixels(kind)
        if not plain and not isinstance(kind, tfds.features.Image):
            raise UserError(
                f"the data set {name!r} has no feature {feature!r} that is an Image or a uint8 "
                f"Tensor [height, width, 1 or 3]; {found}"
            )
    label = features.get("label")
    if not isinstance(label, tfds.features.ClassLabel) or label.num_classes < 2:
        raise UserError(
            f"the data set {name!r} has no feature 'label' that is a ClassLabel of two classes or "
            f"more; {found}"
        )
    if need_masks and "mask" not in features:
        raise UserError(
            f"the model reads hair masks, and the data set {name!r} has no feature 'mask'; "
            f"{found}: use the photographs alone with --config.model.in_channels=3"
        )
    return tuple(label.names)


def _is_pixels(tensor: Any) -> bool:
    shape = tensor.shape
    return tensor.np_dtype == np.uint8 and len(shape) == 3 and shape[-1] in (1, 3)


def _records(builder: Any, split: str) -> Records:
    """Records of a split, with encoded images."""
    import tensorflow_datasets as tfds

    skip = {
        name: tfds.decode.SkipDecoding()
        for name, feature in builder.info.features.items()
        if isinstance(feature, tfds.features.Image)
    }
    paths = [Path(path) for path in builder.info.splits[split].filepaths]
    stats = [path.stat() for path in paths]
    return Records(
        source=builder.as_data_source(split=split, decoders=skip),
        folder=Path(builder.data_dir),
        split=split,
        stamp=(sum(stat.st_size for stat in stats), max(stat.st_mtime_ns for stat in stats)),
    )


def _add(
    records: Records,
    masks: bool,
    places: Sequence[int],
    entries: list[Entry],
    problems: list[Problem],
) -> None:
    """Append entries, or problems for records without a label; labels are mapped by `places`."""
    for position, (label, subject, own) in enumerate(_facts(records)):
        image = Record(records, position, "image")
        if not 0 <= label < len(places):
            problems.append(Problem(str(image), NO_LABEL, str(label)))
            continue
        entries.append(
            Entry(
                file=f"{records.split}/{own or f'{position:06}'}",
                path=image,
                mask=Record(records, position, "mask") if masks else None,
                label=places[label],
                subject=subject,
            )
        )


def _facts(records: Records) -> Iterator[tuple[int, str, str]]:
    """Yield label, subject and id of each record; "" if absent."""

    def text(value: Any) -> str:
        return value.decode() if isinstance(value, bytes) else str(value)

    count = len(records.source)
    for start in range(0, count, _CHUNK):
        for record in records.source.__getitems__(range(start, min(start + _CHUNK, count))):
            subject, own = (text(record.get(key, "")) for key in ("subject", "id"))
            yield int(record["label"]), subject, own

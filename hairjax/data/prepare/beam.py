"""Preparation of a large set with Apache Beam, on one machine or a cluster.

tensorflow-datasets builds the pipeline and writes the records. All workers need hairjax and the
same paths to images and cache.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import tensorflow_datasets as tfds
from apache_beam.options.pipeline_options import PipelineOptions

from hairjax.data.options import PrepareOptions
from hairjax.data.prepare.pieces import changed, decode
from hairjax.data.prepare.read import without_warnings
from hairjax.data.prepare.stored import SPLIT
from hairjax.data.sources.photos import Entry, Index
from hairjax.system.errors import UserError

_FACTS = "facts"  # JSON lines: metadata of each image


class _Writer(tfds.core.writer.ExampleWriter):
    """Writer with hairjax's compression; tfds's own takes three times as long to read."""

    def write(self, path: Any, examples: Any) -> None:
        from array_record.python.array_record_module import ArrayRecordWriter

        writer = ArrayRecordWriter(str(path), "group_size:1,snappy")
        for _, record in examples:
            writer.write(record)
        writer.close()


class Photographs(tfds.core.GeneratorBasedBuilder):
    """Dataset builder for the images of an index, in its order."""

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, index: Index, options: PrepareOptions, features: Any, folder: Path):
        self.index, self.options = index, options
        self.described, self.folder = features, folder
        super().__init__(data_dir=str(folder), file_format="array_record")

    def _info(self) -> Any:
        return tfds.core.DatasetInfo(builder=self, features=self.described, disable_shuffling=True)

    def _split_generators(self, dl_manager: Any, pipeline: Any) -> dict[str, Any]:
        decoded = (
            pipeline
            | "photographs" >> beam.Create(list(enumerate(self.index.entries)))
            | "spread over workers" >> beam.Reshuffle()
            | "decode" >> beam.Map(partial(_decode, options=self.options))
        )
        facts = decoded | "facts" >> beam.Map(lambda photo: json.dumps(photo[2]))
        facts | "write facts" >> beam.io.WriteToText(str(self.folder / _FACTS))
        return {SPLIT: decoded | "examples" >> beam.Map(lambda photo: photo[:2])}

    def _generate_examples(self, **_: Any) -> Iterator[Any]:
        raise NotImplementedError("the split's examples are a collection of the pipeline")

    def _example_writer(self) -> Any:
        return _Writer(file_format=self.info.file_format)


def write_with_beam(
    folder: Path, index: Index, features: Any, options: PrepareOptions
) -> tuple[list[Path], list[int], int, dict[str, Any]]:
    """Decode all images and write the records to an existing empty folder.

    `features` are the tfds features of a record; `options.beam` holds Beam's options, separated by
    spaces.

    Returns:
        Record files in order, records per file, their total bytes, and `facts`, `problems` and
        `touched` as in the notes of a prepared set.

    Raises:
        UserError: the pipeline fails.
    """
    builder = Photographs(index, options, features, folder)
    config = tfds.download.DownloadConfig(beam_options=PipelineOptions(options.beam.split()))
    tfds.disable_progress_bar()
    try:
        builder.download_and_prepare(download_config=config)
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"Apache Beam cannot prepare the photographs: {error}; correct --config.data.beam, or "
            "leave it empty"
        ) from error
    split = builder.info.splits[SPLIT]
    facts = sorted(
        (
            json.loads(line)
            for path in folder.glob(f"{_FACTS}-*")
            for line in path.read_text().splitlines()
        ),
        key=lambda fact: fact["photograph"],
    )
    bad = {str(fact["photograph"]): fact for fact in facts if fact["problem"]}
    notes = {
        "facts": [fact["facts"] for fact in facts],
        "problems": {i: fact["problem"] for i, fact in bad.items()},
        "touched": {i: fact["touched"] for i, fact in bad.items()},
    }
    return [Path(path) for path in split.filepaths], split.shard_lengths, split.num_bytes, notes


def _decode(
    numbered: tuple[int, Entry], options: PrepareOptions
) -> tuple[int, dict[str, Any], dict[str, Any]]:
    number, entry = numbered
    touched = changed(entry)
    with without_warnings():
        decoded, problem = decode(entry, options)
    facts = {
        "photograph": number,
        "facts": decoded.facts.to_json(),
        "problem": asdict(problem) if problem else None,
        "touched": touched,
    }
    return number, {"image": decoded.pixels, "file": entry.file}, facts

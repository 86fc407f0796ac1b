"""Environment of a run: one line of ``environment.jsonl`` per start."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from jax.sharding import Mesh

from hairjax.builders.model import ModelSpecification
from hairjax.optim.parts import count_parameters
from hairjax.parallel.compilation import compute_dtype
from hairjax.parallel.mesh import describe_mesh
from hairjax.system.git import code_commit
from hairjax.weights.contents import files_sha256, shard_files
from hairjax.weights.load import is_run

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "pillow", "scikit-learn")


@dataclass(frozen=True)
class Weights:
    """The pretrained weights that were read.

    Attributes:
        source: source as configured.
        file: the name of the file read; "" where the source is a run.
        sha256: SHA-256 of that file; of parts that an index names, one after another.
        size: size of that file or those parts, in bytes.
    """

    source: str
    file: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Start:
    """One start of a run; a resumed run has several.

    Attributes:
        time: UTC, ISO 8601, to the second.
        commit: commit of the code, with ``-dirty`` where its files were changed since; "" where
            the code is in no git repository.
        versions: version by package.
        devices: number and kind of devices, and number of processes.
        processor: processor of the machine that writes.
        memory: memory of that machine, in bytes.
        system: its operating system and architecture.
        precision: dtype in which the model computes.
        parameters: number of parameters of the model.
        weights: what was read; None where nothing was, be it that the parameters were drawn or
            that they came from the run's own checkpoint.
        second_weights: the same for the second of two streams.
    """

    time: str
    commit: str
    versions: dict[str, str]
    devices: str
    processor: str
    memory: int
    system: str
    precision: str
    parameters: int
    weights: Weights | None
    second_weights: Weights | None


def describe_start(
    model: ModelSpecification, mesh: Mesh, params: dict, weights: Sequence[Path | None]
) -> Start:
    """Environment of a start that is made now.

    Args:
        model: model that is trained.
        mesh: devices that share each batch.
        params: parameters of the model, or their shapes.
        weights: the files or runs that were read for it, None for each stream without.
    """
    found = [
        None if path is None else _describe_weights(stream.source, path)
        for stream, path in zip(model.streams, weights, strict=True)
    ]
    return Start(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=code_commit(),
        versions={"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
        devices=describe_mesh(mesh),
        processor=_processor(),
        memory=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.machine()}",
        precision=str(compute_dtype(model.dtype)),
        parameters=count_parameters(params),
        weights=found[0],
        second_weights=found[1] if len(found) > 1 else None,
    )


def to_line(start: Start) -> dict[str, Any]:
    """Start as plain data, for a line of ``environment.jsonl``."""
    return asdict(start)


def from_line(line: dict[str, Any]) -> Start:
    """The inverse of ``to_line``; a line from before there were two streams lacks the second."""
    line = {"second_weights": None} | line
    sources = {key: line[key] for key in ("weights", "second_weights")}
    return Start(**line | {key: found and Weights(**found) for key, found in sources.items()})


def _describe_weights(source: str, path: Path) -> Weights:
    if is_run(path):
        return Weights(source, file="", sha256="", size=0)
    size = sum(part.stat().st_size for part in shard_files(path))
    return Weights(source, path.name, files_sha256(path), size)


def _processor() -> str:
    """The name of the processor, where Linux or Python knows it."""
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}" if names else platform.processor()

"""Environment of each start of a run, stored in ``environment.jsonl``."""

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
    """Pretrained weights of a start."""

    source: str  # source as configured
    file: str  # file name; "" for a run
    sha256: str  # SHA-256 of the file; of sharded files, of their concatenation
    size: int  # total size in bytes


@dataclass(frozen=True)
class Start:
    """Environment of one start of a run; a resumed run has several."""

    time: str  # UTC, ISO 8601, in seconds
    commit: str  # git commit, with ``-dirty`` for modified files; "" outside a repository
    versions: dict[str, str]  # version by package
    devices: str  # number and kind of devices, and number of processes
    processor: str  # processor of the writing machine
    memory: int  # memory of that machine, in bytes
    system: str  # its operating system and architecture
    precision: str  # compute dtype of the model
    parameters: int  # number of parameters of the model
    weights: Weights | None  # pretrained weights; None if initialised at random or resumed
    second_weights: Weights | None  # pretrained weights of the second stream, likewise


def describe_start(
    model: ModelSpecification, mesh: Mesh, params: dict, weights: Sequence[Path | None]
) -> Start:
    """Describe the environment of the current start.

    `params` may be shapes; `weights` are the file or run read for each stream, None for none.
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
    """Serialise for ``environment.jsonl``."""
    return asdict(start)


def from_line(line: dict[str, Any]) -> Start:
    """Deserialise a line of ``environment.jsonl``; earlier versions lack the second stream."""
    line = {"second_weights": None} | line
    sources = {key: line[key] for key in ("weights", "second_weights")}
    return Start(**line | {key: found and Weights(**found) for key, found in sources.items()})


def _describe_weights(source: str, path: Path) -> Weights:
    if is_run(path):
        return Weights(source, file="", sha256="", size=0)
    size = sum(part.stat().st_size for part in shard_files(path))
    return Weights(source, path.name, files_sha256(path), size)


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}" if names else platform.processor()

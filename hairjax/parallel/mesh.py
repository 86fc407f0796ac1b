"""Device mesh and shardings.

Axes ``data`` and ``model``. Batches are sharded over both; parameters and optimizer state over
``model`` (ZeRO, FSDP). Results equal those of replicated parameters.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from hairjax.system.errors import UserError
from hairjax.system.wording import counted

AXES = ("data", "model")
SMALL = 4096  # elements below which sharding an array does not pay


def make_mesh(count: int, shard: int) -> Mesh:
    """Mesh of the first ``count`` (0: all) × ``shard`` devices, axes ``data`` and ``model``.

    Devices are ordered by process: a process reads neighbouring rows of a batch, and shards of an
    array stay within a process where possible.

    Raises:
        UserError: too few devices, or with several processes a device left over.
    """
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    available = f"there {'is' if len(devices) == 1 else 'are'} {counted(len(devices), 'device')}"
    available += f" ({devices[0].platform})"
    if count == 0 and len(devices) % shard:
        raise UserError(
            f"config.devices.shard is {shard}, but {available}, which {shard} does not divide; "
            "take a divisor, or set config.devices.mesh"
        )
    count = count or len(devices) // shard
    if count * shard > len(devices):
        product = f" × config.devices.shard={shard}" if shard > 1 else ""
        raise UserError(f"config.devices.mesh is {count}{product}, but {available}; 0 takes all")
    processes = jax.process_count()
    if processes > 1 and count * shard < len(devices):
        raise UserError(
            f"config.devices.mesh={count} × config.devices.shard={shard} leaves out some of the "
            f"{len(devices)} devices of {processes} processes; 0 takes all"
        )
    if processes * jax.local_device_count() != len(devices):
        raise UserError(
            f"this process has {jax.local_device_count()} of the {len(devices)} devices of "
            f"{processes} processes; all must have equally many"
        )
    grid = np.array(devices[: count * shard]).reshape(count, shard)
    return Mesh(grid, AXES, axis_types=(AxisType.Auto, AxisType.Auto))


def replicated(mesh: Mesh) -> NamedSharding:
    """Sharding of an array replicated on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharded(mesh: Mesh) -> NamedSharding:
    """Sharding of the first axis over all devices."""
    return NamedSharding(mesh, PartitionSpec(AXES))


def shardings(tree: Any, mesh: Mesh) -> Any:
    """Shardings of the arrays (or shapes) in a tree of parameters or train state, as a tree.

    Arrays are sharded over ``model`` along their longest divisible axis; those of fewer than
    ``SMALL`` elements or without such an axis are replicated.
    """
    shards = mesh.shape["model"]

    def place(leaf: Any) -> NamedSharding:
        fitting = [axis for axis, size in enumerate(leaf.shape) if size % shards == 0]
        if shards == 1 or math.prod(leaf.shape) < SMALL or not fitting:
            return replicated(mesh)
        longest = max(fitting, key=lambda axis: leaf.shape[axis])
        return NamedSharding(mesh, PartitionSpec(*[None] * longest, "model"))

    return jax.tree.map(place, tree)


def share(batch_size: int) -> slice:
    """Rows of a batch read by this process; all processes divide ``batch_size``."""
    rows = batch_size // jax.process_count()
    return slice(jax.process_index() * rows, (jax.process_index() + 1) * rows)


def join_shares(rows: np.ndarray, mesh: Mesh) -> jax.Array:
    """Sharded batch from the rows of every process."""
    shape = (len(rows) * jax.process_count(), *rows.shape[1:])
    batch = jax.make_array_from_process_local_data(batch_sharded(mesh), rows, shape)
    # A program with pending inputs is not run inline, whatever `dispatch_inline` set.
    return batch.block_until_ready() if jax.default_backend() == "cpu" else batch


def describe_mesh(mesh: Mesh) -> str:
    """E.g. ``1 × NVIDIA H200`` or ``8 × cpu of 2 processes, parameters sharded over 4``."""
    text = f"{mesh.size} × {mesh.devices.flat[0].device_kind}"
    if jax.process_count() > 1:
        text += f" of {jax.process_count()} processes"
    if mesh.shape["model"] > 1:
        text += f", parameters sharded over {mesh.shape['model']}"
    return text


def on_mesh(shapes: Any, mesh: Mesh) -> Any:
    """Add the mesh's sharding to every shape of a tree."""
    return jax.tree.map(
        lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, jnp.dtype(leaf.dtype), sharding=place),
        shapes,
        shardings(shapes, mesh),
    )

"""The mesh of devices, and how numbers are laid out on it.

Its axes are ``data`` and ``model``. A batch is cut over both, so that no two devices compute the
same. Parameters, and what the optimizer keeps for each, are cut over ``model`` (ZeRO, FSDP): a
device keeps its part of every large array and is sent the rest while it computes. The numbers that
come out are those of whole copies.
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
SMALL = 4096  # numbers in an array; to send the parts of a smaller one costs more than it saves


def make_mesh(count: int, shard: int) -> Mesh:
    """A mesh of the first ``count`` × ``shard`` devices with the axes ``data`` and ``model``.

    Devices stand in the order of their processes: each process has neighbouring rows of a batch,
    and the parts of an array lie, where they can, within one process.

    Args:
        count: on the axis ``data``; 0: as many as there are.
        shard: on the axis ``model``.

    Raises:
        UserError: there are not so many devices, or, in several processes, other than so many.
    """
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    there = f"there {'is' if len(devices) == 1 else 'are'} {counted(len(devices), 'device')}"
    there += f" ({devices[0].platform})"
    if count == 0 and len(devices) % shard:
        raise UserError(
            f"config.devices.shard is {shard}, but {there}, which {shard} does not divide; take a "
            "divisor, or say with config.devices.mesh how many times so many to use"
        )
    count = count or len(devices) // shard
    if count * shard > len(devices):
        product = f" × config.devices.shard={shard}" if shard > 1 else ""
        raise UserError(f"config.devices.mesh is {count}{product}, but {there}; 0 takes all")
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
    """The same numbers on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharded(mesh: Mesh) -> NamedSharding:
    """The first axis cut over all devices."""
    return NamedSharding(mesh, PartitionSpec(AXES))


def layout(tree: Any, mesh: Mesh) -> Any:
    """Sharding on a mesh for every array of a tree of parameters or training state.

    Each is cut over ``model`` along the longest of its axes that this divides. What is small or has
    no such axis is whole on every device.
    """
    parts = mesh.shape["model"]

    def place(leaf: Any) -> NamedSharding:
        fitting = [axis for axis, size in enumerate(leaf.shape) if size % parts == 0]
        if parts == 1 or math.prod(leaf.shape) < SMALL or not fitting:
            return replicated(mesh)
        longest = max(fitting, key=lambda axis: leaf.shape[axis])
        return NamedSharding(mesh, PartitionSpec(*[None] * longest, "model"))

    return jax.tree.map(place, tree)


def share(batch_size: int) -> slice:
    """The rows of each batch that this process reads; ``batch_size`` is divisible by them all."""
    rows = batch_size // jax.process_count()
    return slice(jax.process_index() * rows, (jax.process_index() + 1) * rows)


def join_shares(rows: np.ndarray, mesh: Mesh) -> jax.Array:
    """The batch of which this process, and every other one, gives its rows."""
    shape = (len(rows) * jax.process_count(), *rows.shape[1:])
    batch = jax.make_array_from_process_local_data(batch_sharded(mesh), rows, shape)
    # A program whose inputs are not there yet is not run inline, whatever `dispatch_inline` said.
    return batch.block_until_ready() if jax.default_backend() == "cpu" else batch


def describe_mesh(mesh: Mesh) -> str:
    """E.g. ``1 × NVIDIA H200`` or ``8 × cpu of 2 processes, parameters cut over 4``."""
    text = f"{mesh.size} × {mesh.devices.flat[0].device_kind}"
    if jax.process_count() > 1:
        text += f" of {jax.process_count()} processes"
    if mesh.shape["model"] > 1:
        text += f", parameters cut over {mesh.shape['model']}"
    return text


def on_mesh(shapes: Any, mesh: Mesh) -> Any:
    """Shapes with the sharding that their arrays have on a mesh."""
    return jax.tree.map(
        lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, jnp.dtype(leaf.dtype), sharding=place),
        shapes,
        layout(shapes, mesh),
    )

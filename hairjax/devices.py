"""The devices that share each batch, and how numbers are laid out on them."""

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from hairjax.errors import UserError


def make_mesh(count: int) -> Mesh:
    """A mesh of the first ``count`` devices (0: all) with the one axis ``data``.

    Raises:
        UserError: there are fewer devices.
    """
    devices = jax.devices()
    if count > len(devices):
        raise UserError(
            f"config.devices.mesh is {count}, but there are {len(devices)} devices "
            f"({devices[0].platform}); 0 takes all"
        )
    count = count or len(devices)
    return jax.make_mesh((count,), ("data",), (AxisType.Auto,), devices=devices[:count])


def replicated(mesh: Mesh) -> NamedSharding:
    """The same numbers on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharded(mesh: Mesh) -> NamedSharding:
    """The first axis cut over the devices."""
    return NamedSharding(mesh, PartitionSpec("data"))


def compute_dtype(name: str) -> jnp.dtype:
    """``auto`` is bfloat16 where the hardware is made for it, float32 on a CPU."""
    if name == "auto":
        name = "float32" if jax.default_backend() == "cpu" else "bfloat16"
    return jnp.dtype(name)


def describe(mesh: Mesh) -> str:
    """E.g. ``2 × cpu`` or ``1 × NVIDIA H200``."""
    device = mesh.devices.flat[0]
    return f"{mesh.size} × {device.device_kind}"

"""Compilation cache, XLA options, and the dtype of the computation."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp

from hairjax.system.errors import UserError

COMPILED_SECONDS = 0.1  # minimum compile time of cached programs
COMPILED_BYTES = 2**30  # maximum size of the cache


def dispatch_inline() -> None:
    """Run CPU programs in the calling thread; must precede device discovery.

    In XLA's own thread a step frees its working memory (a gigabyte for Swin-T) only after the next
    one allocates. Several devices keep a thread each.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def keep_compiled(folder: str) -> None:
    """Enable JAX's persistent compilation cache in a folder; "" disables it.

    Must precede any compilation. ``JAX_COMPILATION_CACHE_DIR`` wins. Entries depend on processor
    and JAX version; least recently used ones are evicted.

    Raises:
        UserError: the folder is not writable.
    """
    if not folder or jax.config.values["jax_compilation_cache_dir"]:
        return
    path = Path(folder).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
        writable = os.access(path, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        raise UserError(
            f"config.devices.compiled={folder} cannot be written to; give another folder, or none "
            "(--config.devices.compiled=) to compile anew at every start"
        )
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", COMPILED_SECONDS)
    jax.config.update("jax_compilation_cache_max_size", COMPILED_BYTES)


def compiler_options() -> dict[str, str] | None:
    """XLA options for a large program: retain optimisation barriers on a CPU; None elsewhere.

    Otherwise XLA's CPU pipeline removes those of `jax.lax.optimization_barrier` and
    `jax.checkpoint`.
    """
    if jax.default_backend() != "cpu":
        return None
    return {"xla_disable_hlo_passes": "cse_barrier_expander"}


def compute_dtype(name: str) -> jnp.dtype:
    """Dtype by name; ``auto``: float32 on a CPU, else bfloat16."""
    if name == "auto":
        name = "float32" if jax.default_backend() == "cpu" else "bfloat16"
    return jnp.dtype(name)

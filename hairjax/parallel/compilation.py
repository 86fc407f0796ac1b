"""Compilation: the persistent cache, XLA options, and the dtype of the computation."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp

from hairjax.system.errors import UserError

COMPILED_SECONDS = 0.1  # a program that takes less to compile is not kept
COMPILED_BYTES = 2**30  # of programs that are kept


def dispatch_inline() -> None:
    """Have a CPU run a program in the thread that asks for it; comes before JAX looks for devices.

    In a thread of XLA's a step frees its working memory a moment after its loss is there, and the
    next one takes as much again: a gigabyte for Swin-T. Several devices keep a thread each.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def keep_compiled(folder: str) -> None:
    """Keep compiled programs in a folder, where the next start finds them; "" keeps none.

    Comes before anything is compiled: JAX looks only once where to keep programs.
    A folder that JAX was given by itself (``JAX_COMPILATION_CACHE_DIR``) stays. Programs for
    another processor, or another version of JAX, are others; the oldest give way.

    Raises:
        UserError: the folder cannot be written to.
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
    """XLA compiler options for a large program, or None.

    On a CPU it drops the barriers that `jax.lax.optimization_barrier` and `jax.checkpoint` set,
    and so undoes them; it is told to keep them.
    """
    if jax.default_backend() != "cpu":
        return None
    return {"xla_disable_hlo_passes": "cse_barrier_expander"}


def compute_dtype(name: str) -> jnp.dtype:
    """``auto`` is bfloat16 where the hardware is made for it, float32 on a CPU."""
    if name == "auto":
        name = "float32" if jax.default_backend() == "cpu" else "bfloat16"
    return jnp.dtype(name)

"""Eight devices on any machine, no array of lower rank stretched without a word, one compilation
of every program that several tests or the processes they start have in common.
"""

import atexit
import os
import shutil
import site
import tempfile

# Read when JAX starts: before any test imports it.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)
os.environ["JAX_PLATFORMS"] = "cpu"
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="compiled-")
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
# Prepared photographs go below it: never into that of who runs the tests.
os.environ["PYTHONUSERBASE"] = site.getuserbase()
os.environ["HOME"] = tempfile.mkdtemp(prefix="home-")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.5"

import jax
import pytest

atexit.register(shutil.rmtree, os.environ["HOME"], ignore_errors=True)
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="module")
def quick_compilation():
    """Compile fast rather than well, for modules that run every program once or twice."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)

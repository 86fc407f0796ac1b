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
from hypothesis import settings

from hairjax.models.table import SWIN, VARIANTS, Variant

atexit.register(shutil.rmtree, os.environ["HOME"], ignore_errors=True)
jax.config.update("jax_numpy_rank_promotion", "raise")
# Nearly every program runs once or twice here: to compile it well would take most of the time.
# Those that tests/training/test_resume.py starts are compiled as a user's would be.
jax.config.update("jax_disable_most_optimizations", True)

# Every run draws others; a deadline is missed where an example is the first of its shape.
settings.register_profile("suite", deadline=None, max_examples=40)
settings.load_profile("suite")


@pytest.fixture(scope="module")
def blank_figures():
    """Empty files in place of figures, for modules that look at other things a run leaves.

    Drawing takes a quarter of a second each, and a run or what is made of it has a dozen.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "hairjax.report.figures.style._save", lambda figure, path, **how: path.touch()
        )
        yield


@pytest.fixture(scope="module")
def tiny_swin():
    """``model.name=tiny``: three stages of one block each, traced and compiled in half the time."""
    options = {"dim": 16, "depths": (1, 1, 1), "heads": (1, 2, 4), "window": 4}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(VARIANTS, "tiny", Variant(32, options, SWIN))
        yield

"""Eight devices on any machine, no array of lower rank stretched without a word, one compilation
of every program that several tests or the processes they start have in common, one trained run.
"""

import atexit
import fcntl
import gc
import os
import shutil
import site
import tempfile
from collections import Counter
from pathlib import Path

# Read when JAX starts: before any test imports it; what the environment says comes last and wins.
# Without the emitters of fusions a program is compiled in half the time.
os.environ["XLA_FLAGS"] = (
    "--xla_force_host_platform_device_count=8 --xla_cpu_use_fusion_emitters=false "
    "--xla_cpu_parallel_codegen_split_count=1 " + os.environ.get("XLA_FLAGS", "")
)
os.environ["JAX_PLATFORMS"] = "cpu"
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="compiled-")
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
# Prepared photographs go below it: never into that of who runs the tests.
os.environ["PYTHONUSERBASE"] = site.getuserbase()
os.environ["HOME"] = tempfile.mkdtemp(prefix="home-")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"

import pytest
from hypothesis import settings

atexit.register(shutil.rmtree, os.environ["HOME"], ignore_errors=True)

# Every run draws others; a deadline is missed where an example is the first of its shape.
settings.register_profile("suite", deadline=None, max_examples=40)
settings.load_profile("suite")


def pytest_configure(config):
    """Prepare JAX where tests run: not in the process that waits for the workers."""
    if not hasattr(config, "workerinput") and config.getoption("numprocesses", None):
        return
    import jax

    jax.config.update("jax_numpy_rank_promotion", "raise")
    # Nearly every program runs once or twice here: to compile it well would take most of the time.
    # Those that tests/training/test_resume.py starts are compiled as a user's would be.
    jax.config.update("jax_disable_most_optimizations", True)
    # Tracing makes a million small objects, few of them garbage: to look for it as often as Python
    # does takes a tenth of the time.
    gc.set_threshold(100_000, 20, 50)


def pytest_collection_finish():
    """What is imported by now is never looked at again for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def blank_figures():
    """For modules that look at other things a run leaves, which has a dozen figures."""
    from tests import finished

    with finished.blank_figures():
        yield


@pytest.fixture(scope="module")
def tiny_swin():
    """``model.name=tiny``, traced and compiled in half the time of the smallest that is shipped."""
    from tests import finished

    with finished.tiny_swin():
        yield


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A folder with ``photos/``, ``masks/``, a ``run/`` of one epoch on them, and what that said.

    The first worker that needs it makes it, and the others wait. It is only read: a module may do
    what it likes with a copy (`finished.copy`).
    """
    from tests import finished

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "said.txt").exists():
            finished.make(folder)
    return folder


# --- order and summary

# What takes longest comes first, so that no worker is left alone with it at the end.
FIRST = (
    "training/test_end_to_end.py",
    "training/test_phases.py",
    "training/test_two_views.py",
    "training/test_step.py",
    "commands/test_explain.py",
    "optim/test_lora.py",
    "parallel/test_mesh.py",
    "training/test_resume.py",
    "studies/test_derived.py",
    "models/test_swin.py",
    "models/test_contract.py",
    "commands/test_test_split.py",
    "models/test_families.py",
    "models/test_two_stream.py",
    "models/test_ordinal.py",
    "benchmarks/test_collectives.py",
    "models/test_backbones.py",
    "models/test_batch_norm.py",
    "models/test_linear.py",
)


def pytest_collection_modifyitems(items):
    ranks = {Path(__file__).parent / name: rank for rank, name in enumerate(FIRST)}
    items.sort(key=lambda item: ranks.get(item.path, len(FIRST)))


def pytest_terminal_summary(terminalreporter):
    """What was not tested here, and for want of what."""
    skipped = terminalreporter.stats.get("skipped", ())
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if reasons:
        terminalreporter.section("not tested here")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count} test{'s' * (count > 1)}: {reason}")

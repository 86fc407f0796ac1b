"""Retain freed memory in the process between steps (glibc)."""

import ctypes
import sys
from collections.abc import Callable

# From glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Stop glibc's malloc from returning freed memory to the system; no-op elsewhere.

    XLA allocates gigabytes of working memory per step on a CPU; returned to the system, its pages
    are cleared anew: a quarter of the step time. Per-thread arenas stay, as a shared one is
    fragmented by compilation: a seventh of the step time.
    """
    if mallopt := _of_glibc("mallopt"):
        for parameter, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, NEVER)):
            mallopt(parameter, value)


def give_back_freed_memory() -> None:
    """Return freed memory to the system (glibc), between kinds of work; no-op elsewhere.

    After compiling and training Swin-T: 1.5 GB.
    """
    if malloc_trim := _of_glibc("malloc_trim"):
        malloc_trim(0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None

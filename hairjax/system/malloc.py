"""Memory that is freed stays with the process, for the next step, until it is given back."""

import ctypes
import sys
from collections.abc import Callable

# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Have malloc keep freed memory, where it is glibc's; elsewhere nothing changes.

    XLA takes the working memory of a step, gigabytes on a CPU, from malloc and gives it back at
    its end. By default glibc returns it to the system, which then clears every page of it anew: a
    quarter of the time of a step. Threads keep arenas of their own: where all share one, the crumbs
    that compiling leaves in it are looked through for every block, a seventh of the time of a step.
    """
    if mallopt := _of_glibc("mallopt"):
        for parameter, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, NEVER)):
            mallopt(parameter, value)


def give_back_freed_memory() -> None:
    """Return freed memory to the system, where malloc is glibc's; elsewhere nothing changes.

    For when other work begins: what compiling and training left (1.5 GB for a Swin-T) would lie
    beside what validation takes.
    """
    if malloc_trim := _of_glibc("malloc_trim"):
        malloc_trim(0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    """A function that only glibc has."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None

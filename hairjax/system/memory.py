"""Free memory, within the limits of control groups (containers, SLURM).

https://docs.kernel.org/admin-guide/cgroup-v2.html, and cgroup-v1/memory.html.
"""

from pathlib import Path
from typing import NamedTuple

import psutil


class _Version(NamedTuple):
    """Files of one cgroup version."""

    mount: str
    limit: str
    used: str
    cache: str  # line of memory.stat with reclaimable page cache


_VERSIONS = {
    "v1": _Version(
        "sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
    "v2": _Version("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
}


def free_memory(root: Path) -> int:
    """Free bytes of the machine, or of the tightest control group.

    ``root``: of the file system with the groups, ``/`` except in tests.
    """
    return min([psutil.virtual_memory().available, *_left_in_groups(root)])


def _left_in_groups(root: Path) -> list[int]:
    """Free bytes of each limited group of this process."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # a system without control groups
        return []
    left = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        name = "v2" if not controllers else "v1" if "memory" in controllers.split(",") else ""
        if name:
            version = _VERSIONS[name]
            mount = root / version.mount
            group = mount / path.lstrip("/")
            # In a container the path may be the host's, and the mount the container's own group.
            inside = [group, *group.parents]
            groups = inside[: inside.index(mount) + 1]
            left += [number for g in groups if (number := _left(g, version)) is not None]
    return left


def _left(group: Path, version: _Version) -> int | None:
    """Free bytes of a group; None if absent or unlimited."""
    try:
        limit = (group / version.limit).read_text().strip()
        used = int((group / version.used).read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except OSError:
        return None
    if limit == "max":
        return None
    return max(int(limit) - used + int(stat[version.cache]), 0)

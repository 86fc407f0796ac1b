"""What control groups leave, as kernels write it; and of a real group, where one can be made."""

import psutil
import pytest

from hairjax.data.prepare import load
from hairjax.system.memory import free_memory

GIB = 2**30


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def version_2(folder, limit, used, inactive):
    write(
        folder,
        memory__max=limit,
        memory__current=used,
        memory__stat=f"anon 5\nfile {3 * inactive}\ninactive_anon 7\ninactive_file {inactive}",
    )


def version_1(folder, limit, used, inactive):
    write(
        folder,
        memory__limit_in_bytes=limit,
        memory__usage_in_bytes=used,
        memory__stat=f"cache 9\ninactive_file 1\ntotal_inactive_file {inactive}",
    )


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with 64 GiB free."""
    there = psutil.virtual_memory()._replace(available=64 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: there)


def test_without_groups_the_machine_s_figure_counts(tmp_path):
    assert free_memory(tmp_path) == 64 * GIB


def test_pages_of_files_give_way(tmp_path):
    write(tmp_path / "proc/self", cgroup="0::/job")
    version_2(tmp_path / "sys/fs/cgroup/job", 8 * GIB, 6 * GIB, GIB)
    assert free_memory(tmp_path) == 3 * GIB


def test_the_tightest_of_all_groups_above_counts(tmp_path):
    """The root of a real hierarchy has none of the files."""
    write(tmp_path / "proc/self", cgroup="0::/slurm/job/task")
    version_2(tmp_path / "sys/fs/cgroup/slurm", 100 * GIB, 0, 0)
    version_2(tmp_path / "sys/fs/cgroup/slurm/job", 4 * GIB, GIB, 0)
    version_2(tmp_path / "sys/fs/cgroup/slurm/job/task", "max", 0, 0)
    assert free_memory(tmp_path) == 3 * GIB


def test_version_1_beside_version_2(tmp_path):
    write(tmp_path / "proc/self", cgroup="5:cpu,cpuacct:/\n4:memory:/job\n0::/\n1:name=systemd:/")
    version_1(tmp_path / "sys/fs/cgroup/memory", 2**63 - 4096, 0, 0)
    version_1(tmp_path / "sys/fs/cgroup/memory/job", 2 * GIB, 3 * GIB // 2, GIB // 4)
    assert free_memory(tmp_path) == 3 * GIB // 4


def test_in_a_container_the_path_is_the_host_s(tmp_path):
    write(tmp_path / "proc/self", cgroup="4:memory:/docker/0123")
    version_1(tmp_path / "sys/fs/cgroup/memory", 2 * GIB, GIB, 0)
    assert free_memory(tmp_path) == GIB


def test_a_full_group_leaves_nothing(tmp_path):
    write(tmp_path / "proc/self", cgroup="0::/")
    version_2(tmp_path / "sys/fs/cgroup", GIB, 2 * GIB, 0)
    assert free_memory(tmp_path) == 0


def test_photographs_may_take_half_of_it_shared_by_the_processes_here(monkeypatch):
    monkeypatch.setattr(load, "free_memory", lambda root: 32 * GIB)
    assert load.memory_limit(0) == 16 * GIB
    monkeypatch.setattr(load, "on_this_machine", lambda: 4)
    assert load.memory_limit(0) == 4 * GIB
    assert load.memory_limit(1.5) == 1.5 * GIB

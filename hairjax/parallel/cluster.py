"""Process index among several, from flags or a launcher, without JAX."""

import socket
from collections.abc import Mapping
from typing import NamedTuple

from hairjax.system.errors import UserError

# Variables with the number of processes and the rank. Open MPI first: under SLURM its processes see
# those of the launching step too. SLURM's step, not job: the job's count also holds for a single
# script.
LAUNCHERS = {
    "Open MPI": ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    "SLURM": ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
}


class ProcessOptions(NamedTuple):
    """Coordinator, number and index of processes."""

    coordinator: str  # host:port of process 0; "": the launcher's
    processes: int  # number of processes; 0: from the launcher, else one
    process: int  # index of this process, from 0; -1: from the launcher


class Place(NamedTuple):
    """Coordinator, number and index of a process; None: found by JAX."""

    coordinator: str | None  # host:port
    processes: int | None
    process: int | None

    def __str__(self) -> str:
        """Name of the process in messages."""
        known = self.process is not None
        return f"process {self.process}" if known else f"the process on {socket.gethostname()}"


def find_place(devices: ProcessOptions, environment: Mapping[str, str]) -> Place | None:
    """Place of this process among several, or None for a single one.

    Several if ``devices.processes`` > 1, or at 0 if a launcher's environment says so: Open MPI, a
    SLURM step of several tasks, a TPU slice of several hosts.

    Raises:
        UserError: contradictory options.
    """
    count, number = _launched(environment)
    processes = devices.processes or count
    process: int | None = devices.process
    if devices.process < 0:
        process = number if processes == count else None
    several_hosts = "," in environment.get("TPU_WORKER_HOSTNAMES", "")
    if not processes and (devices.coordinator or devices.process >= 0):
        given = "coordinator" if devices.coordinator else "process"
        raise UserError(
            f"config.devices.{given} is {getattr(devices, given)!r} without a number of processes: "
            "give config.devices.processes too"
        )
    if processes and process is not None and process >= processes:
        raise UserError(
            f"config.devices.process is {process}; with config.devices.processes={processes} it "
            f"can be 0 to {processes - 1}"
        )
    if processes == 1 or not (processes or several_hosts):
        return None
    if devices.coordinator:
        _check_address(devices.coordinator)
        if process is None:
            raise UserError(
                f"the index of this process is missing: give config.devices.process, 0 to "
                f"{processes - 1}"
            )
    return Place(devices.coordinator or None, processes or None, process)


def _launched(environment: Mapping[str, str]) -> tuple[int, int | None]:
    """Number of processes started by a launcher (0: none), and the index of this one."""
    for names in LAUNCHERS.values():
        if all(environment.get(name, "").isdigit() for name in names):
            count, number = (int(environment[name]) for name in names)
            if count > 1:
                return count, number
    return 0, None


def _check_address(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(
            f"config.devices.coordinator is {address!r}; it must be the address of process 0 and a "
            "free port of it, such as 10.0.0.1:7733"
        )

"""Index of this process among several, from flags or a launcher, without JAX."""

import socket
from collections.abc import Mapping
from typing import NamedTuple

from hairjax.system.errors import UserError

# How many processes there are and which one this is, as launchers tell each. Open MPI comes first:
# started under SLURM, its processes also see the variables of the step that started them. SLURM's
# are those of the step: a job's own count holds for a script that runs alone in it too.
LAUNCHERS = {
    "Open MPI": ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    "SLURM": ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
}


class ProcessOptions(NamedTuple):
    """Coordinator, number and index of processes in a configuration.

    Attributes:
        coordinator: host:port of process 0; "" for the launcher's.
        processes: number of processes; 0: as the launcher says, else one.
        process: index of this one, from 0; -1: as the launcher says.
    """

    coordinator: str
    processes: int
    process: int


class Place(NamedTuple):
    """The place of a process among several; None: JAX is to find it out."""

    coordinator: str | None  # host:port
    processes: int | None
    process: int | None

    def __str__(self) -> str:
        """Name of the process in messages."""
        known = self.process is not None
        return f"process {self.process}" if known else f"the process on {socket.gethostname()}"


def find_place(devices: ProcessOptions, environment: Mapping[str, str]) -> Place | None:
    """The place of this process, or None where it is alone.

    It is one of several when ``devices.processes`` is more than 1 or, at 0, when a launcher says
    so: Open MPI, SLURM for a step of several tasks, a TPU slice by its list of several hosts.

    Args:
        devices: what the configuration says of processes.
        environment: the variables of the process.

    Raises:
        UserError: what was given does not go together.
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
            f"config.devices.{given} is {getattr(devices, given)!r}, but how many processes are "
            "there? Give config.devices.processes too"
        )
    if processes and process is not None and process >= processes:
        raise UserError(
            f"config.devices.process is {process}, but of {processes} processes "
            f"(config.devices.processes) the last is {processes - 1}"
        )
    if processes == 1 or not (processes or several_hosts):
        return None
    if devices.coordinator:
        _check_address(devices.coordinator)
        if process is None:
            raise UserError(
                f"which of the {processes} processes is this? Give config.devices.process, from 0 "
                f"to {processes - 1}"
            )
    return Place(devices.coordinator or None, processes or None, process)


def _launched(environment: Mapping[str, str]) -> tuple[int, int | None]:
    """Number of processes that a launcher has started (0: none), and the index of this one."""
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

"""Several processes as one: joined through ``jax.distributed``, and stopped together."""

import hashlib
import os
import re
import socket
import sys
import time
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

from hairjax.parallel.cluster import Place
from hairjax.system.errors import UserError

# Seconds. JAX waits five more for the first.
MEET = 45  # until all processes must have come
HEARTBEAT = 30  # after which a process that is not heard of is lost
LEAVE = 15  # between the first and the last process to end
SHARED = 60  # until a file is seen on every machine: network file systems remember what was not
# What JAX and the libraries below it say when another process is gone.
GONE = re.compile("Gloo|NCCL|coordination service|[Bb]arrier")


def join_processes(place: Place) -> None:
    """Call jax.distributed.initialize; must precede any other JAX call.

    Where no coordinator is given, JAX looks for one: SLURM, Open MPI, Cloud TPU, Kubernetes. What
    is printed is printed by process 0 alone.

    Raises:
        UserError: there is no coordinator, or its port is taken. (When the processes do not find
            each other JAX aborts; see ``supervisor``.)
    """
    if place.coordinator and place.process == 0:
        _require_free(place.coordinator)
    # Stopping is decided in ``loop``; JAX's own service would take SIGTERM for itself.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            *place,
            initialization_timeout=MEET,
            heartbeat_timeout_seconds=HEARTBEAT,
            shutdown_timeout_seconds=LEAVE,
        )
    except ValueError as error:
        raise UserError(
            f"config.devices.processes is {place.processes}, but nothing here says where they meet "
            f"({error}); give config.devices.coordinator, such as 10.0.0.1:7733, and "
            "config.devices.process"
        ) from error
    _quiet()


def _require_free(address: str) -> None:
    port = int(address.rpartition(":")[2])
    try:
        socket.create_server(("", port)).close()
    except OSError as error:
        raise UserError(
            f"config.devices.coordinator={address}: port {port} cannot be used here "
            f"({error.strerror}); give another to all processes"
        ) from error


def _quiet() -> None:
    """Let Python print in process 0 alone, and the libraries below it (gloo does) in none."""
    sys.stdout.flush()
    printed = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    sys.stdout = os.fdopen(printed if is_first() else nowhere, "w", buffering=1)


def is_first() -> bool:
    """True if this process writes and prints: the first, or the only one."""
    return jax.process_index() == 0


def leave_processes() -> None:
    """Part from the other processes: from here on each is alone."""
    jax.distributed.shutdown()


def lost(error: BaseException) -> str:
    """A sentence for an error that comes from another process's end; "" for any other."""
    if not GONE.search(str(error)):
        return ""
    first = str(error).splitlines()[0]
    return (
        f"another process of the run has ended or cannot be reached ({first}); the same commands "
        "go on from the last checkpoint"
    )


def largest(number: int) -> int:
    """The largest of the numbers that the processes give; every process calls this."""
    if jax.process_count() == 1:
        return number
    return int(multihost_utils.process_allgather(np.int32(number)).max())


def on_this_machine() -> int:
    """Number of processes on this machine, this one included; every process calls it."""
    if jax.process_count() == 1:
        return 1
    name = hashlib.sha256(socket.gethostname().encode()).digest()
    names = multihost_utils.process_allgather(np.frombuffer(name, np.uint8))
    return int((names == names[jax.process_index()]).all(axis=1).sum())


def wait_for(path: Path) -> None:
    """Return when a file that process 0 has written is seen here.

    Raises:
        UserError: it is not: the folder is not shared.
    """
    end = time.monotonic() + SHARED
    while not path.exists():
        if time.monotonic() > end:
            raise UserError(
                f"{path}, which process 0 has written, is not here; --workdir must be a folder "
                "that all processes share"
            )
        time.sleep(0.2)

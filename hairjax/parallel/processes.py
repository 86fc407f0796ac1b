"""Several processes as one through ``jax.distributed``."""

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

# Timeouts in seconds. JAX adds five to the first.
MEET = 45  # for all processes to join
HEARTBEAT = 30  # until a silent process counts as lost
LEAVE = 15  # between the first and the last process to end
SHARED = 60  # for a file to appear on every machine (network file systems cache its absence)
# Messages of JAX and its libraries about a lost process.
GONE = re.compile("Gloo|NCCL|coordination service|[Bb]arrier")


def join_processes(place: Place) -> None:
    """Call jax.distributed.initialize; must precede any other JAX call.

    Without a coordinator JAX detects one (SLURM, Open MPI, Cloud TPU, Kubernetes). From here on
    only process 0 prints.

    Raises:
        UserError: no coordinator, or its port is taken. (JAX aborts if the processes do not find
            each other; see ``supervisor``.)
    """
    if place.coordinator and place.process == 0:
        _require_free(place.coordinator)
    # The training loop handles SIGTERM; JAX's own service would intercept it.
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
            f"config.devices.processes is {place.processes}, but no coordinator is known "
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
    """Print from Python in process 0 only, and from native libraries (gloo) in none."""
    sys.stdout.flush()
    printed = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    sys.stdout = os.fdopen(printed if is_first() else nowhere, "w", buffering=1)


def is_first() -> bool:
    """True in the process that writes and prints: index 0, or the only one."""
    return jax.process_index() == 0


def leave_processes() -> None:
    """Call jax.distributed.shutdown."""
    jax.distributed.shutdown()


def lost(error: BaseException) -> str:
    """Sentence about a lost process if the error comes from one; else ""."""
    if not GONE.search(str(error)):
        return ""
    first = str(error).splitlines()[0]
    return (
        f"another process of the run has ended or cannot be reached ({first}); the same commands "
        "resume from the last checkpoint"
    )


def largest(number: int) -> int:
    """Maximum over the processes; a collective."""
    if jax.process_count() == 1:
        return number
    return int(multihost_utils.process_allgather(np.int32(number)).max())


def on_this_machine() -> int:
    """Number of processes on this machine; a collective."""
    if jax.process_count() == 1:
        return 1
    name = hashlib.sha256(socket.gethostname().encode()).digest()
    names = multihost_utils.process_allgather(np.frombuffer(name, np.uint8))
    return int((names == names[jax.process_index()]).all(axis=1).sum())


def wait_for(path: Path) -> None:
    """Wait for a file written by process 0.

    Raises:
        UserError: it does not appear: the folder is not shared.
    """
    end = time.monotonic() + SHARED
    while not path.exists():
        if time.monotonic() > end:
            raise UserError(
                f"{path}, written by process 0, is not here; --workdir must be a folder shared by "
                "all processes"
            )
        time.sleep(0.2)

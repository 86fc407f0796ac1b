"""Two processes on one machine train one model: as one process with their devices would."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from hairjax.data.synthetic import synthesise
from hairjax.parallel.mesh import make_mesh
from hairjax.runs.load import load_run
from hairjax.weights.checkpoint import Checkpoints
from tests.small_disk import small_disk

pytestmark = pytest.mark.multiprocess

ROOT = Path(__file__).parents[2]
COMMAND = [
    sys.executable,
    str(ROOT / "launch.py"),
    f"--config={ROOT}/configs/top.py:demo",
    "--config.data.source=photos",
    f"--config.data.photos={Path.home()}/photos",
    f"--config.data.masks={Path.home()}/masks",
    "--config.data.subject=/(s[0-9]+)_",
    "--config.data.image_size=32",
    "--config.train.epochs=3",
    "--config.train.batch_size=16",
    "--config.train.log_every=1",
    "--config.optim.warmup_epochs=1",
    # What is compiled is less by much; process 1 finds nothing of it in the cache.
    "--config.optim.peak.early=0",
    "--config.optim.peak.middle=0",
    "--config.devices.shard=2",
]
SAME = (
    "metrics.jsonl",
    "metrics.json",
    "predictions.csv",
    "split.csv",
    "groups.txt",
    "classes.json",
    "config.json",
)
DEVICES = "--xla_force_host_platform_device_count"  # the last one counts
AGAIN = "the same commands resume from the last checkpoint"


@pytest.fixture(scope="module", autouse=True)
def photographs():
    """Files, of which the first pair prepares a set together."""
    photos = synthesise("top", 120, 37, 0, 2, lambda done, total: None)
    for image, file in zip(photos.images, photos.files, strict=True):
        for kind, pixels in (("photos", image[..., :3]), ("masks", image[..., 3])):
            path = Path.home() / kind / file
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)


def start(workdir, *more, devices=1, launched=()):
    environment = {
        **os.environ,
        **dict(launched),
        "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} {DEVICES}={devices}",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",
    }
    return subprocess.Popen(
        [*COMMAND, f"--workdir={workdir}", *more],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_pair(workdir):
    port = free_port()
    return [
        start(
            workdir,
            f"--config.devices.coordinator=localhost:{port}",
            "--config.devices.processes=2",
            f"--config.devices.process={process}",
        )
        for process in range(2)
    ]


def start_tasks(workdir, *more):
    """A pair as SLURM starts it; only the second has ``more``."""
    job = {
        "SLURM_JOB_ID": "7",
        "SLURM_NTASKS": "2",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NODELIST": "localhost",
        "JAX_COORDINATOR_PORT": str(free_port()),
    }
    tasks = [job | {"SLURM_PROCID": f"{task}", "SLURM_LOCALID": f"{task}"} for task in range(2)]
    return [start(workdir, launched=tasks[0]), start(workdir, *more, launched=tasks[1])]


def free_port():
    with socket.create_server(("", 0)) as server:
        return server.getsockname()[1]


def finish(processes):
    """What each wrote to stdout and stderr, with its status."""
    outputs = [process.communicate(timeout=280) for process in processes]
    return [(p.returncode, *o) for p, o in zip(processes, outputs, strict=True)]


def wait_for_epoch(processes, workdir, epoch):
    history = workdir / "metrics.jsonl"
    for _ in range(4000):
        if history.exists() and len(history.read_text().splitlines()) >= epoch:
            return
        assert all(process.poll() is None for process in processes), finish(processes)
        time.sleep(0.05)
    raise AssertionError(f"epoch {epoch} never came")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A run of two processes, and what they wrote."""
    workdir = tmp_path_factory.mktemp("runs") / "pair"
    return workdir, finish(start_pair(workdir))


def assert_same(workdir, other):
    for name in SAME:
        assert (workdir / name).read_bytes() == (other / name).read_bytes(), name
    mine, whole = load_run(workdir), load_run(other)
    assert mine.best == whole.best
    jax.tree.map(np.testing.assert_array_equal, mine.params, whole.params)


def test_two_processes_train_as_one_with_two_devices(pair, tmp_path):
    workdir, (first, second) = pair
    assert first[0] == 0, first
    assert second == (0, "", ""), "the other is quiet"
    assert "devices: 2 × cpu of 2 processes, parameters sharded over 2, float32" in first[1]
    assert "read while training" in first[1]
    assert "report.html" in first[1]
    assert first[2] == ""
    alone = tmp_path / "alone"
    [(status, *output)] = finish([start(alone, devices=2)])
    assert status == 0, output
    assert "in memory" in output[0] and "photographs prepared" not in output[0]
    assert_same(workdir, alone)


def test_what_two_processes_trained_is_evaluated_by_one_with_one_device(pair):
    """Here with eight; the mesh below has one."""
    run = load_run(pair[0])
    best = json.loads((pair[0] / "metrics.json").read_text())
    assert run.best["epoch"] == best["epoch"]
    checkpoints = Checkpoints(pair[0] / "checkpoints")
    one = jax.sharding.NamedSharding(make_mesh(1, 1), jax.sharding.PartitionSpec())
    shapes = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=one), run.params
    )
    params = checkpoints.restore_params(run.best["step"], shapes)
    checkpoints.close()
    jax.tree.map(np.testing.assert_array_equal, params, run.params)


def test_killed_and_terminated_it_ends_as_if_it_had_not_been(pair, tmp_path):
    """``kill -9`` of one, SIGTERM to the other after a resume: each time both end, and go on."""
    workdir = tmp_path / "stopped"
    processes = start_pair(workdir)
    wait_for_epoch(processes, workdir, 1)
    processes[1].kill()
    killed = time.monotonic()
    (status, _, text), _ = finish(processes)
    assert time.monotonic() - killed < 60
    assert status == 1
    assert text.startswith("process 0: error: another process of the run has ended"), text
    assert text.endswith(f"{AGAIN}\n")
    assert text.count("\n") == 1

    processes = start_pair(workdir)
    wait_for_epoch(processes, workdir, 2)
    processes[1].send_signal(signal.SIGTERM)
    first, second = finish(processes)
    assert (first[0], second) == (143, (143, "", ""))
    saved = re.search(r"process 0: stopped by SIGTERM after step ([\d,]+): the state is", first[2])
    assert saved, first
    checkpoints = Checkpoints(workdir / "checkpoints")
    assert checkpoints.last_step() == int(saved[1].replace(",", ""))
    checkpoints.close()

    (status, output, text), second = finish(start_pair(workdir))
    assert (status, text) == (0, "")
    assert f"after step {saved[1]}" in output
    assert second == (0, "", "")
    assert_same(workdir, pair[0])


def test_without_the_process_where_they_meet_the_other_ends_in_a_sentence(tmp_path):
    """Where JAX aborts."""
    processes = start_pair(tmp_path / "alone")
    for line in processes[0].stdout:
        if line.startswith("devices: "):
            break
    processes[0].kill()
    killed = time.monotonic()
    _, (status, output, text) = finish(processes)
    assert time.monotonic() - killed < 60
    assert (status, output) == (1, "")
    assert text.startswith("process 1: error: another process of the run has ended"), text
    assert text.endswith(f"{AGAIN}\n")
    assert text.count("\n") == 1


def test_processes_find_each_other_through_a_launcher_and_are_told_in_what_they_differ(tmp_path):
    workdir = tmp_path / "differ"
    other = ("--config.seed=1", "--config.train.batch_size=32", "--config.data.cache=")
    first, second = finish(start_tasks(workdir, *other))
    for process, (status, _, text) in enumerate((first, second)):
        assert status == 1
        assert text == (
            f"process {process}: error: the processes differ in config.seed, "
            "config.train.batch_size (process 1 from process 0); start all with the same "
            "command, code and photographs\n"
        )
    assert not workdir.exists()


def test_a_disk_without_room_is_told_in_every_process(tmp_path):
    """By their own sentence, and not as a process that was lost."""
    with small_disk(tmp_path / "disk", 200_000):
        (status, _, text), second = finish(start_pair(tmp_path / "disk" / "run"))
    assert status == 1
    assert text.startswith("process 0: error: a checkpoint of this run takes"), text
    said = "process 1: error: there is no room for a checkpoint; process 0 says how much\n"
    assert second == (1, "", said)


def test_a_port_that_is_taken_and_processes_that_cannot_meet(tmp_path):
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        taken = start(
            tmp_path / "taken",
            f"--config.devices.coordinator=localhost:{port}",
            "--config.devices.processes=2",
            "--config.devices.process=0",
        )
        nowhere = start(tmp_path / "nowhere", "--config.devices.processes=2")
        (status, _, text), (no_status, _, no_text) = finish([taken, nowhere])
    assert (status, no_status) == (1, 1)
    assert f"process 0: error: config.devices.coordinator=localhost:{port}: port {port}" in text
    assert "give another to all processes" in text
    assert "no coordinator is known" in no_text
    assert "Traceback" not in text + no_text

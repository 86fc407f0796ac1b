import pytest

from hairjax.parallel import processes as module
from hairjax.parallel.cluster import Place, ProcessOptions, find_place
from hairjax.system.errors import UserError

HERE = "localhost:7733"


def place(environment=(), coordinator="", processes=0, process=-1):
    given = ProcessOptions(coordinator, processes, process)
    return find_place(given, dict(environment))


def slurm(tasks, task, step_tasks):
    """What a task sees: of the job, and of its step if srun started one."""
    job = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": f"{tasks}", "SLURM_PROCID": f"{task}"}
    return job | ({"SLURM_STEP_NUM_TASKS": f"{step_tasks}"} if step_tasks else {})


def open_mpi(size, rank):
    return {"OMPI_COMM_WORLD_SIZE": f"{size}", "OMPI_COMM_WORLD_RANK": f"{rank}"}


@pytest.mark.parametrize(
    ("environment", "flags"),
    [
        ({}, {}),
        ({}, {"processes": 1}),
        ({}, {"processes": 1, "process": 0, "coordinator": HERE}),
        (slurm(1, 0, 1), {}),
        (slurm(4, 0, None), {}),  # a batch script that runs it without srun
        (slurm(4, 0, 1), {}),  # an interactive shell in a job of several tasks
        (slurm(4, 2, 4), {"processes": 1}),
        (open_mpi(1, 0), {}),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, {}),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, {}),  # any container there
    ],
)
def test_a_process_is_alone(environment, flags):
    assert place(environment, **flags) is None


@pytest.mark.parametrize(
    ("environment", "flags", "expected"),
    [
        (
            {},
            {"coordinator": HERE, "processes": 2, "process": 1},
            Place(HERE, 2, 1),
        ),
        ({}, {"processes": 4}, Place(None, 4, None)),
        (slurm(4, 2, 4), {}, Place(None, 4, 2)),
        (slurm(4, 2, 4), {"coordinator": HERE}, Place(HERE, 4, 2)),
        (open_mpi(3, 2), {}, Place(None, 3, 2)),
        (slurm(2, 1, 2) | open_mpi(8, 5), {}, Place(None, 8, 5)),  # mpirun starts itself by srun
        ({"TPU_WORKER_HOSTNAMES": "a,b"}, {}, Place(None, None, None)),
    ],
)
def test_a_process_is_one_of_several(environment, flags, expected):
    assert place(environment, **flags) == expected


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"coordinator": HERE},
            r"coordinator is 'localhost:7733' without a number of processes: .*processes too",
        ),
        ({"process": 1}, r"config.devices.process is 1 without a number"),
        (
            {"processes": 2, "process": 2},
            r"process is 2; with config.devices.processes=2 .* 0 to 1",
        ),
        (
            {"processes": 2, "coordinator": HERE},
            r"index of this process is missing.*process, 0 to 1",
        ),
        *(
            ({"processes": 2, "process": 1, "coordinator": text}, "address of process 0 and a free")
            for text in ("localhost", ":7733", "localhost:", "localhost:port", "localhost:70000")
        ),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_sentence(flags, message):
    with pytest.raises(UserError, match=message):
        place(**flags)


def test_messages_name_the_process():
    assert str(Place(HERE, 2, 1)) == "process 1"
    assert str(Place(None, None, None)).startswith("the process on ")


def test_a_folder_that_is_not_shared_is_told(tmp_path, monkeypatch):
    module.wait_for(tmp_path)
    monkeypatch.setattr(module, "SHARED", 0.1)
    with pytest.raises(UserError, match=r"config.json, written by process 0, is not here"):
        module.wait_for(tmp_path / "config.json")

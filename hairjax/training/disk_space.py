"""Disk space of a run: required before the first step, reported when exhausted."""

from pathlib import Path

from hairjax.parallel.processes import is_first, largest
from hairjax.system import console
from hairjax.system.disk import FullDisk, FullDiskError, free
from hairjax.system.wording import in_bytes
from hairjax.training.learner import Learner
from hairjax.training.loop import Plan
from hairjax.weights.checkpoint import last_step, state_bytes


def require_disk_space(plan: Plan, learner: Learner) -> None:
    """Raise if no checkpoint fits on the disk; warn if not all do.

    A collective; process 0 looks.

    Raises:
        FullDiskError: no room for a single checkpoint; in every process, the first says how much.
    """
    lacking = _lacking_room(plan, learner) if is_first() else ""
    if largest(int(bool(lacking))):
        raise FullDiskError(lacking or "there is no room for a checkpoint; process 0 says how much")


def _lacking_room(plan: Plan, learner: Learner) -> str:
    """Sentence if not even one checkpoint fits, else ""; warns if not all do."""
    last = last_step(plan.folder.checkpoints) or 0
    left = plan.setup.training.epochs - last // plan.steps
    if not left:
        return ""
    plan.checkpoints.clean()
    size = state_bytes((learner.shapes.evaluated, learner.shapes.rest()))
    most, room = plan.checkpoints.expected_bytes(size, left), free(plan.folder.checkpoints)
    free_text = f"{in_bytes(room)} are free at {plan.folder.checkpoints}"
    if room < plan.checkpoints.least_bytes(size):
        return (
            f"a checkpoint of this run takes {in_bytes(size)}, and {free_text}: make room, or give "
            "another --workdir"
        )
    if room < most:
        console.say(
            f"the checkpoints of this run take up to {in_bytes(most)} more (best, last, and the "
            f"one being written), and {free_text}: training may end early"
        )
    return ""


def full_disk_message(full: FullDisk, workdir: Path) -> str:
    """Sentence about a full disk: unwritten file, saved state, and how to resume."""
    step = last_step(workdir / "checkpoints")
    saved, how = "nothing was saved before", "starts over"
    if step is not None:
        saved, how = f"the state after step {step:,} and the best before it are saved", "resumes"
    return f"{full.describe()}; {saved}: make room, and the same command {how}"

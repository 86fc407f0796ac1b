"""Room on the disk for a run: required before the first step, and told of where it has run out."""

from pathlib import Path

from hairjax.parallel.processes import is_first, largest
from hairjax.system import console
from hairjax.system.disk import FullDisk, FullDiskError, free
from hairjax.system.wording import in_bytes
from hairjax.training.learner import Learner
from hairjax.training.loop import Plan
from hairjax.weights.checkpoint import last_step, state_bytes


def require_room(plan: Plan, learner: Learner) -> None:
    """Refuse to train where no checkpoint can be saved; say where not all of them may.

    Every process calls this; the first looks.

    Raises:
        FullDiskError: there is no room for one; in every process, and the first says how much.
    """
    lacking = _lacking_room(plan, learner) if is_first() else ""
    if largest(int(bool(lacking))):
        raise FullDiskError(lacking or "there is no room for a checkpoint; process 0 says how much")


def _lacking_room(plan: Plan, learner: Learner) -> str:
    """A sentence where no checkpoint can be saved, else "", and said where not all of them may."""
    last = last_step(plan.folder.checkpoints) or 0
    left = plan.setup.training.epochs - last // plan.steps
    if not left:
        return ""
    plan.checkpoints.clean()
    size = state_bytes((learner.shapes.evaluated, learner.shapes.rest()))
    most, room = plan.checkpoints.expected_bytes(size, left), free(plan.folder.checkpoints)
    there = f"{in_bytes(room)} are free at {plan.folder.checkpoints}"
    if room < plan.checkpoints.least_bytes(size):
        return (
            f"a checkpoint of this run takes {in_bytes(size)}, and {there}: make room, or give "
            "another --workdir"
        )
    if room < most:
        console.say(
            f"the checkpoints of this run take up to {in_bytes(most)} more (the best, the last, "
            f"and the next while it is written), and {there}: training may end before its time"
        )
    return ""


def told_of_full_disk(full: FullDisk, workdir: Path) -> str:
    """One sentence: what could not be written, what of the run is whole, and how it goes on."""
    step = last_step(workdir / "checkpoints")
    kept, how = "nothing was saved before", "begins anew"
    if step is not None:
        kept, how = f"the state after step {step:,} and the best before it are whole", "goes on"
    return f"{full.describe()}; {kept}: make room, and the same command {how}"

"""Go on with a run that another build began, and compare it to the bit with what that makes of it.

python -m benchmarks.resume_across CHECKOUT [CONFIG_FLAG ...]

CHECKOUT is a checkout of the other build. It begins a run of the demo, which is stopped by SIGTERM
in the middle; a copy is finished by either build, in processes of their own on this machine, and
history, predictions and the parameters of the best epoch are compared. Exit status 1 if they
differ.
"""

import hashlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parents[1]
DEMO = ("--config=configs/top.py:demo", "--config.data.count=400", "--config.train.epochs=4")
FILES = ("metrics.jsonl", "predictions.csv", "groups.txt", "split.csv", "classes.json")


def command(workdir: Path, flags: list[str]) -> list[str]:
    """The command that begins or goes on with a run."""
    return [sys.executable, "launch.py", *DEMO, *flags, f"--workdir={workdir}"]


def begin(checkout: Path, workdir: Path, flags: list[str]) -> None:
    """Train in another build until an epoch is done, and stop it soon after."""
    with subprocess.Popen(command(workdir, flags), cwd=checkout, stdout=subprocess.DEVNULL) as run:
        history = workdir / "metrics.jsonl"
        while not (history.exists() and history.stat().st_size):
            if run.poll() is not None:
                raise RuntimeError(f"the run in {checkout} ended with status {run.returncode}")
            time.sleep(0.05)
        time.sleep(0.5)
        run.send_signal(signal.SIGTERM)
    if run.returncode != 143:
        raise RuntimeError(f"the run in {checkout} was not stopped: status {run.returncode}")


def finish(checkout: Path, workdir: Path, flags: list[str]) -> None:
    """Go on with a run to its end."""
    subprocess.run(command(workdir, flags), cwd=checkout, stdout=subprocess.DEVNULL, check=True)


def digests(workdir: Path) -> dict[str, str]:
    """SHA-256 of the files that must not differ, and of the best epoch's parameters."""
    from hairjax.weights.load import read_checkpoint

    found = {name: hashlib.sha256((workdir / name).read_bytes()).hexdigest() for name in FILES}
    digest = hashlib.sha256()
    for path, array in sorted(read_checkpoint(workdir, "this model", ()).arrays.items()):
        digest.update(path.encode() + array.tobytes())
    return found | {"best parameters": digest.hexdigest()}


def main() -> int:
    """Compare; returns the exit status."""
    other, flags = Path(sys.argv[1]).resolve(), sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        begun = Path(folder) / "begun"
        begin(other, begun, flags)
        steps = [path.name for path in (begun / "checkpoints").iterdir()]
        print(f"begun by {other}, stopped at step {max(map(int, steps))}")
        ends = {}
        for name, checkout in (("theirs", other), ("ours", HERE)):
            workdir = shutil.copytree(begun, Path(folder) / name)
            finish(checkout, workdir, flags)
            ends[name] = digests(workdir)
    differ = [name for name, digest in ends["ours"].items() if ends["theirs"][name] != digest]
    for name, digest in ends["ours"].items():
        print(f"{name:16} {digest[:16]} {'differs' if name in differ else 'equal'}")
    return int(bool(differ))


if __name__ == "__main__":
    sys.exit(main())

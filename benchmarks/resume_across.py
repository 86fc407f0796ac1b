"""Resume a run of another build, and compare the result bit by bit with that build's own.

python -m benchmarks.resume_across CHECKOUT [CONFIG_FLAG ...]

CHECKOUT starts a run of the demo, stopped by SIGTERM midway. Each build finishes a copy; history,
predictions and best parameters are compared. Exit status 1 if they differ.
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
    """Command to start or resume a run."""
    return [sys.executable, "launch.py", *DEMO, *flags, f"--workdir={workdir}"]


def begin(checkout: Path, workdir: Path, flags: list[str]) -> None:
    """Train in another build until an epoch is done, then stop it."""
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
    """Resume a run to its end."""
    subprocess.run(command(workdir, flags), cwd=checkout, stdout=subprocess.DEVNULL, check=True)


def digests(workdir: Path) -> dict[str, str]:
    """SHA-256 of the files to compare, and of the best parameters."""
    from hairjax.weights.load import read_checkpoint

    found = {name: hashlib.sha256((workdir / name).read_bytes()).hexdigest() for name in FILES}
    digest = hashlib.sha256()
    for path, array in sorted(read_checkpoint(workdir, "this model", ()).arrays.items()):
        digest.update(path.encode() + array.tobytes())
    return found | {"best parameters": digest.hexdigest()}


def main() -> int:
    """Compare; return the exit status."""
    other, flags = Path(sys.argv[1]).resolve(), sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        original = Path(folder) / "begun"
        begin(other, original, flags)
        steps = [path.name for path in (original / "checkpoints").iterdir()]
        print(f"begun by {other}, stopped at step {max(map(int, steps))}")
        ends = {}
        for name, checkout in (("theirs", other), ("ours", HERE)):
            workdir = shutil.copytree(original, Path(folder) / name)
            finish(checkout, workdir, flags)
            ends[name] = digests(workdir)
    differ = [name for name, digest in ends["ours"].items() if ends["theirs"][name] != digest]
    for name, digest in ends["ours"].items():
        print(f"{name:16} {digest[:16]} {'differs' if name in differ else 'equal'}")
    return int(bool(differ))


if __name__ == "__main__":
    sys.exit(main())

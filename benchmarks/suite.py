"""Duration of `python -m pytest` in several checkouts, wall-clock and CPU.

Runs sequentially on an otherwise idle machine, each with an empty compilation cache.

    python -m benchmarks.suite before after --python=.venv/bin/python
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path


def measure(checkout: Path, python: str, arguments: list[str]) -> tuple[float, float, str]:
    """Wall-clock and CPU seconds, children included, and pytest's last line."""

    def processors() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    start, before = time.monotonic(), processors()
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=checkout, stdout=subprocess.PIPE, text=True)
    lines = done.stdout.strip().splitlines() or [f"status {done.returncode}"]
    return time.monotonic() - start, processors() - before, lines[-1].strip("= ")


def main() -> None:
    """Measure each checkout, relative to the first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkouts", nargs="+", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--arguments", default="", help="more for pytest, separated by spaces")
    options = parser.parse_args()
    # Absolute, as the command starts in the checkout; links to an interpreter are not resolved.
    python = str(Path(options.python).absolute())
    found = [measure(path, python, options.arguments.split()) for path in options.checkouts]
    for path, (wall, processors, summary) in zip(options.checkouts, found, strict=True):
        shares = f"{wall / found[0][0]:.2f} and {processors / found[0][1]:.2f} of the first"
        print(f"{path}: {wall:.0f} s by the clock, {processors:.0f} s of processors; {shares}")
        print(f"    {summary}")


if __name__ == "__main__":
    main()

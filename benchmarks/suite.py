"""How long `python -m pytest` takes in each of some checkouts: by the clock, and of the processors.

One after the other on one machine, which should have nothing else to do; each with its own empty
compilation cache, as after a fresh clone.

    python -m benchmarks.suite before after --python=.venv/bin/python
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path


def measure(checkout: Path, python: str, arguments: list[str]) -> tuple[float, float, str]:
    """Seconds by the clock and of the processors, children included, and pytest's last line."""

    def processors() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    begun, before = time.monotonic(), processors()
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=checkout, stdout=subprocess.PIPE, text=True)
    lines = done.stdout.strip().splitlines() or [f"status {done.returncode}"]
    return time.monotonic() - begun, processors() - before, lines[-1].strip("= ")


def main() -> None:
    """Measure each checkout and say how it compares with the first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkouts", nargs="+", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--arguments", default="", help="more for pytest, separated by spaces")
    given = parser.parse_args()
    # Absolute, as the command starts in the checkout; a link to an interpreter stays one.
    python = str(Path(given.python).absolute())
    found = [measure(path, python, given.arguments.split()) for path in given.checkouts]
    for path, (wall, processors, said) in zip(given.checkouts, found, strict=True):
        shares = f"{wall / found[0][0]:.2f} and {processors / found[0][1]:.2f} of the first"
        print(f"{path}: {wall:.0f} s by the clock, {processors:.0f} s of processors; {shares}")
        print(f"    {said}")


if __name__ == "__main__":
    main()

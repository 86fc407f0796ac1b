"""The command ``hairjax``, and ``python launch.py`` in a checkout."""

import os
import sys

from hairjax.system.interrupt import stop, stop_at_once

GARBAGE = 100_000  # new objects before Python looks for those that only refer to each other


def start() -> int:
    """Run the command of this process; returns the exit status."""
    stop_at_once()
    try:
        import gc

        tune()
        from hairjax.cli.main import main

        status = main(sys.argv[1:])
    except KeyboardInterrupt:
        stop()
    if status:
        gc.collect()  # what an error left half done is ended while Python still can
    return status


def tune() -> None:
    """Tune Python, malloc and JAX for one command; must precede the import of JAX."""
    import gc

    from hairjax.system.malloc import keep_freed_memory

    # JAX's own log lines are for its developers.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Whatever a start makes stays: to look through it for garbage would take a sixth of the time.
    gc.set_threshold(GARBAGE)
    keep_freed_memory()


if __name__ == "__main__":
    sys.exit(start())

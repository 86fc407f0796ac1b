"""hairjax from the command line: the verbs, and how mistakes are told."""

import os
import sys

if __name__ == "__main__":

    def stop(*_: object) -> None:
        """End at once: nothing has begun yet that needs another end."""
        os.write(2, b"stopped by Ctrl-C\n")
        os._exit(130)

    # Before the other imports, which take most of a second: Python ends them by a traceback, and
    # some modules swallow the KeyboardInterrupt.
    try:
        import signal

        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
            signal.signal(signal.SIGINT, stop)
    except KeyboardInterrupt:
        stop()

import gc
import signal
from collections.abc import Callable

# Before JAX starts: its own log lines are for its developers.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from hairjax.cli.before_training import run_check, run_rates, run_show
from hairjax.cli.convert import run_convert
from hairjax.cli.finished_runs import (
    run_compare,
    run_evaluate,
    run_explain,
    run_predict,
    run_report,
)
from hairjax.cli.help_text import HELP
from hairjax.cli.several_runs import run_ensemble, run_probe, run_soup
from hairjax.cli.training import run_folds, run_train
from hairjax.config.load import SUFFIXES, split_source
from hairjax.config.suggestions import nearest
from hairjax.system.disk import full_disk, sentence
from hairjax.system.errors import UserError
from hairjax.system.malloc import keep_freed_memory

GARBAGE = 100_000  # new objects before Python looks for those that only refer to each other

VERBS: dict[str, Callable[[list[str]], int]] = {
    "train": run_train,
    "check": run_check,
    "show": run_show,
    "rates": run_rates,
    "evaluate": run_evaluate,
    "report": run_report,
    "folds": run_folds,
    "predict": run_predict,
    "compare": run_compare,
    "ensemble": run_ensemble,
    "soup": run_soup,
    "probe": run_probe,
    "explain": run_explain,
    "convert": run_convert,
}


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    if not arguments or {"--help", "-h", "help"} & set(arguments):
        print(HELP, end="")
        return 0
    verb = "train"
    if not arguments[0].startswith("-"):
        verb, *arguments = arguments
    try:
        if verb not in VERBS:
            file = split_source(verb)[0].suffix in SUFFIXES
            hint = f"did you mean --config={verb}?" if file else nearest(verb, VERBS)
            raise UserError(f"there is no verb {verb!r}; {hint}")
        return VERBS[verb](arguments)
    except (UserError, OSError, MemoryError) as error:
        print(f"error: {sentence(error)}", file=sys.stderr)
        return 1
    except Exception as error:
        if full_disk(error):
            print(f"error: {sentence(error)}", file=sys.stderr)
            return 1
        if not (isinstance(error, RuntimeError) and "home directory" in str(error)):  # of pathlib
            raise
        given = [one for one in arguments if one.startswith("~") or "=~" in one]
        where = ", ".join(given) or "the configuration"
        print(f"error: whose home is meant by ~ is not known in {where}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr)
        return 130


def tune() -> None:
    """Suit Python and malloc to a process that runs one command; comes before JAX is imported."""
    # Whatever a start makes stays: to look through it for garbage would take a sixth of the time.
    gc.set_threshold(GARBAGE)
    keep_freed_memory()


if __name__ == "__main__":
    tune()
    try:
        if signal.getsignal(signal.SIGINT) is stop:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        status = main(sys.argv[1:])
    except KeyboardInterrupt:
        stop()
    if status:
        gc.collect()  # what an error left half done is ended while Python still can
    sys.exit(status)

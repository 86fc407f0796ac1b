"""Ctrl-C while a command starts: it ends in a sentence, whatever is being imported."""

import os
import signal


def stop(*_: object) -> None:
    """End at once: nothing has begun yet that needs another end."""
    os.write(2, b"stopped by Ctrl-C\n")
    os._exit(130)


def stop_at_once() -> None:
    """Have Ctrl-C end the process without a traceback; modules may swallow a KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
        signal.signal(signal.SIGINT, stop)


def raise_again() -> None:
    """Have Ctrl-C raise KeyboardInterrupt again, now that there may be work to end in order."""
    if signal.getsignal(signal.SIGINT) is stop:
        signal.signal(signal.SIGINT, signal.default_int_handler)

"""Ctrl-C during start-up: exit with a sentence instead of a traceback."""

import os
import signal


def stop(*_: object) -> None:
    """Exit immediately; nothing needs cleaning up yet."""
    os.write(2, b"stopped by Ctrl-C\n")
    os._exit(130)


def stop_at_once() -> None:
    """Let Ctrl-C exit at once; imported modules may swallow a KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
        signal.signal(signal.SIGINT, stop)


def raise_again() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, for an orderly end."""
    if signal.getsignal(signal.SIGINT) is stop:
        signal.signal(signal.SIGINT, signal.default_int_handler)

"""Runs in this process that are stopped in the middle of a step."""

import os
import signal
from contextlib import contextmanager

import hairjax.train
from hairjax.display import Display
from hairjax.loop import StoppedError


class Stopping(Display):
    """Keeps what is said, and sends SIGTERM in the middle of a step."""

    def __init__(self, stop):
        super().__init__()
        self.stop, self.said = stop, []

    def say(self, text):
        self.said.append(text)

    @contextmanager
    def training(self, steps, done):
        def show(step, text):
            if step == self.stop:
                os.kill(os.getpid(), signal.SIGTERM)

        yield show


def run(config, workdir, stop=None):
    """Train, up to a step if one is given; what was said."""
    display = Stopping(stop)
    try:
        hairjax.train.train(config, workdir, display)
    except StoppedError:
        assert stop is not None
    return display.said

"""Runs in this process that are stopped in the middle of a step."""

import os
import signal
from contextlib import contextmanager

import pytest

import hairjax.training.train
from hairjax.system import console
from hairjax.training.stopping import StoppedError
from tests.messages import messages


@contextmanager
def stopped_at(stop):
    """Send SIGTERM in the middle of a step."""

    @contextmanager
    def training(steps, done):
        def show(step, text):
            if step == stop:
                os.kill(os.getpid(), signal.SIGTERM)

        yield show

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console, "training", training)
        yield


def run(config, workdir, stop=None):
    """Train, up to a step if one is given; what was said."""
    with messages() as said, stopped_at(stop):
        try:
            hairjax.training.train.train_run(config, workdir)
        except StoppedError:
            assert stop is not None
    return said

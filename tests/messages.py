"""What hairjax says, as a list instead of lines on a console."""

from contextlib import contextmanager

import pytest

from hairjax.system import console


@contextmanager
def messages():
    """Keep every plain line that is said within the block."""
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console, "say", said.append)
        yield said

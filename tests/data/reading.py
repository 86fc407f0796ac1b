"""Options to read photographs with, and photographs of prepared sets."""

from pathlib import Path

import numpy as np

from hairjax.data.options import PrepareOptions
from hairjax.data.prepare.stored import Stored


def reading(side, **changes):
    usual = {"fit": "squash", "on_bad": "refuse", "cache": "", "beam": ""}
    return PrepareOptions(side=side, **usual | {"memory": 1.0, "workers": 2} | changes)


def stored(records, count, side):
    """So many records, whose levels are as they are."""
    return Stored(records, np.arange(count), np.ones((count, 2), np.float32), side, Path("set"))

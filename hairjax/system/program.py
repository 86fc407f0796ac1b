"""Name of the program: ``python launch.py`` in a checkout, ``hairjax`` once installed."""

import shlex
import sys
from pathlib import Path

_LAUNCH = Path(__file__).parents[2] / "launch.py"
_CHECKOUT = _LAUNCH.is_file() and Path(sys.argv[0]).name != "hairjax"

PROGRAM = "python launch.py" if _CHECKOUT else "hairjax"
RECIPE = "configs/top.py" if _CHECKOUT else "top"  # as given to --config

# Of `sys.executable`, to run commands in a process of its own.
START = [str(_LAUNCH)] if _LAUNCH.is_file() else ["-P", "-m", "hairjax"]


def install_command(extra: str) -> str:
    """Command that installs the packages of an extra with pip."""
    if _LAUNCH.is_file():
        return f"pip install -r requirements-{extra}.txt"
    return f"pip install 'hairjax[{extra}]'"


def command_line(*arguments: str) -> str:
    """Shell-quoted command with these arguments."""
    return f"{PROGRAM} {shlex.join(arguments)}"

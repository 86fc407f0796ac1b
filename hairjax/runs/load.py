"""Load a finished or stopped run, a soup, or an ensemble."""

from pathlib import Path

from hairjax.runs.ensemble import load_ensemble
from hairjax.runs.folder import RunFolder
from hairjax.runs.run import Run, load_trained
from hairjax.system.paths import require_run


def load_run(workdir: str | Path) -> Run:
    """Read a run's configuration and best checkpoint.

    Raises:
        UserError: there is no run, or none of its epochs was validated yet.
    """
    folder = RunFolder(workdir)
    require_run(folder.path)
    config = folder.read_config()
    if "made" in config and config.made.by != "soup":
        return load_ensemble(folder, load_run)
    return load_trained(folder)

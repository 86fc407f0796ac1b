"""Load a finished or stopped run, a soup, or an ensemble."""

from pathlib import Path

from hairjax.runs.derived import has_parameters
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
    if has_parameters(folder.read_config()):
        return load_trained(folder)
    return load_ensemble(folder, load_run)

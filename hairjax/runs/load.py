"""Load a run, a soup or an ensemble."""

from pathlib import Path

from hairjax.runs.derived import has_parameters
from hairjax.runs.ensemble import load_ensemble
from hairjax.runs.folder import RunFolder
from hairjax.runs.run import Run, load_trained
from hairjax.system.paths import require_run


def load_run(workdir: str | Path) -> Run:
    """Load a run's configuration and best checkpoint.

    Args:
        workdir: run directory; the run may be unfinished.

    Returns:
        The run with its best model; for an ensemble, all models behind one predictor.

    Raises:
        UserError: there is no run, or it has no validated epoch.
    """
    folder = RunFolder(workdir)
    require_run(folder.path)
    if has_parameters(folder.read_config()):
        return load_trained(folder)
    return load_ensemble(folder, load_run)

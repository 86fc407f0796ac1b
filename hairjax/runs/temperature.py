"""Temperature scaling, fitted on a run's validation predictions."""

from hairjax.evaluation.metrics.calibration import find_temperature
from hairjax.evaluation.predictions import Predictions
from hairjax.runs.read_predictions import read_run
from hairjax.runs.run import Run
from hairjax.system.errors import UserError


def validation_predictions(run: Run) -> Predictions | str:
    """Read the run's validation predictions; the reason if there are none.

    With flips if the run predicts with flips: averaging reduces the confidence.
    """
    try:
        found = read_run(run.folder.path, "validation", run.flips)
    except UserError as error:
        return str(error)
    if (epoch := found.folder.read_epoch()) != run.best["epoch"]:
        return (
            f"the predictions for validation photographs are of epoch {epoch}, and the best epoch "
            f"is now {run.best['epoch']}"
        )
    return found.predictions


def run_temperature(run: Run) -> tuple[float | None, str]:
    """Fit the calibration temperature of a run.

    Returns:
        (temperature, description of the fit), or (None, reason).
    """
    validation = validation_predictions(run)
    if isinstance(validation, str):
        return None, validation
    value, reason = find_temperature(validation)
    flips = ", also with flips" if run.flips else ""
    fitted = f"fitted on the {len(validation.files):,} validation photographs{flips}"
    return value, reason or fitted

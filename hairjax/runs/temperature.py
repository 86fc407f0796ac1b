"""The temperature of a run: fitted on what its best model says of its validation photographs."""

from hairjax.evaluation.metrics.calibration import find_temperature
from hairjax.evaluation.predictions import Predictions
from hairjax.runs.read_predictions import read_run
from hairjax.runs.run import Run
from hairjax.system.errors import UserError


def validation_predictions(run: Run) -> Predictions | str:
    """The run's predictions for its validation photographs, or in words why there are none.

    With flips where the run predicts with flips: what is averaged is less sure, and a temperature
    that was fitted without would not hold.
    """
    try:
        found = read_run(run.folder.path, "validation", run.flips)
    except UserError as error:
        return str(error)
    if (told := found.folder.read_epoch()) != run.best["epoch"]:
        return (
            f"the predictions for validation photographs are of epoch {told}, and the best epoch "
            f"is now {run.best['epoch']}"
        )
    return found.predictions


def run_temperature(run: Run) -> tuple[float | None, str]:
    """The temperature that calibrates the run's probabilities.

    Returns:
        The temperature and how it was fitted; or None and why there is none.
    """
    validation = validation_predictions(run)
    if isinstance(validation, str):
        return None, validation
    value, reason = find_temperature(validation)
    flips = ", judged with flips too" if run.flips else ""
    fitted = f"fitted on the {len(validation.files):,} validation photographs{flips}"
    return value, reason or fitted

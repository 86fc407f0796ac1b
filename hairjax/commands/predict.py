"""Grade unlabelled images with a run's best model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hairjax.builders.inputs import require_one_view
from hairjax.data.quality.findings import describe_masks
from hairjax.data.sources.photos import Index
from hairjax.data.sources.problems import Problem, describe_problems
from hairjax.data.sources.unlabelled import find_unlabelled
from hairjax.evaluation.metrics.calibration import apply_temperature
from hairjax.evaluation.predictions import Predictions, join_predictions, write_predictions
from hairjax.parallel.compilation import keep_compiled
from hairjax.report.figures.contact_sheets import shorten
from hairjax.report.figures.prediction_pages import PredictionPages
from hairjax.runs.load import load_run
from hairjax.runs.run import Run
from hairjax.runs.temperature import run_temperature
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.wording import counted

SHOWN = 20  # maximum number of images printed one by one
BESIDE = 4  # maximum number of probability columns on a terminal
LETTERS = 12  # maximum length of a class name in a column
_NOTE = "with flips: means over each photograph and its mirror image"


@dataclass(frozen=True)
class Unlabelled:
    """Images to grade.

    Attributes:
        paths: images and folders of images.
        masks: folder of masks, or the mask of a single image; "" for none.
        mask_value: mask value of hair, as ``data.mask_value``; "" for the run's rule.
        mask_name: naming of the masks, as ``data.mask_name``; "" for the run's rule, or inferred.
        mask_category: annotation category of hair; "" likewise.
    """

    paths: Sequence[str]
    masks: str = ""
    mask_value: str = ""
    mask_name: str = ""
    mask_category: str = ""


def predict_files(
    workdir: str, images: Unlabelled, *, out: Path, pictures: Path | None, flips: bool = False
) -> Predictions:
    """Predict, write a CSV file and optionally pages of images, and print.

    Args:
        workdir: run directory.
        images: images and their masks.
        out: CSV file, overwritten: probabilities and, with a temperature, calibrated ones.
        pictures: folder for pages of images with predictions; None for none.
        flips: True to average over flips.

    Returns:
        The predictions written to `out`.

    Raises:
        UserError: there is no such run, images or masks are missing, or some are unusable; the
            predictions of the others are written.
    """
    run = _load(workdir, images, flips)
    rule = run.mask_rule(images.mask_name, images.mask_category)
    index = find_unlabelled(images.paths, images.masks, run.classes, rule)
    console.say(run.describe())
    if index.masks.said:
        console.say(index.masks.said)
    pages = PredictionPages(pictures, _NOTE if flips else "") if pictures else None
    predictions, problems = _predict(run, index, pages)
    if problems and not predictions.files:
        raise UserError(
            f"none of {counted(len(problems), 'photograph')} can be used, and nothing is written:\n"
            f"{describe_problems(problems)}"
        )
    _write(run, predictions, out)
    if pages:
        console.say(f"written: {counted(pages.finish(), 'page')} in {pictures}")
    if problems:
        raise UserError(
            f"{len(problems):,} of {counted(len(problems) + len(predictions.files), 'photograph')} "
            f"cannot be used and are not in {out}:\n{describe_problems(problems)}"
        )
    return predictions


def _load(workdir: str, images: Unlabelled, flips: bool) -> Run:
    """Load the run, checked for images without other views."""
    run = load_run(workdir).with_mask_value(images.mask_value)
    run = run.with_flips() if flips else run
    keep_compiled(run.setup.devices.compiled)
    require_one_view(run.setup.source, "predict")
    run.require_masks(bool(images.masks), "--masks=FOLDER")
    return run


def _predict(
    run: Run, index: Index, pages: PredictionPages | None
) -> tuple[Predictions, list[Problem]]:
    """Predictions and unusable images; adds to the pages."""
    parts: list[Predictions] = []
    problems: list[Problem] = list(index.problems)
    descriptions: list[str] = []
    with console.progress("photographs predicted") as progress:
        for photos, predictions, unread in run.predict_in_parts(index, progress):
            parts.append(predictions)
            problems += unread
            descriptions += describe_masks(photos)
            if pages:
                pages.add(photos, predictions)
    for line in descriptions[:1]:  # the same for all parts
        console.say(line)
    return join_predictions(parts, run.classes), problems


def _write(run: Run, predictions: Predictions, out: Path) -> None:
    """Write the CSV file, calibrated where there is a temperature, and show."""
    temperature, why = run_temperature(run)
    calibrated, said = None, f"no calibrated probabilities: {why}"
    if temperature is not None:
        calibrated = apply_temperature(predictions.probabilities, temperature)
        said = f"calibrated probabilities: temperature {temperature:.2f}, {why}"
    out.parent.mkdir(parents=True, exist_ok=True)
    write_predictions(predictions, out, calibrated=calibrated, flips=run.flips)
    show_predictions(predictions)
    console.say(said)
    console.say(f"written: {out}")


def show_predictions(predictions: Predictions) -> None:
    """Print up to `SHOWN` images, else the counts per class."""
    if len(predictions.files) <= SHOWN:
        names = [shorten(name, LETTERS) for name in predictions.classes]
        every = len(names) <= BESIDE
        rows = [
            [file, names[row.argmax()], *(f"{p:.3f}" for p in (row if every else [row.max()]))]
            for file, row in zip(predictions.files, predictions.probabilities, strict=True)
        ]
        console.table("", ["", "predicted", *(names if every else ["probability"])], rows)
    else:
        counts = np.bincount(predictions.predicted, minlength=len(predictions.classes))
        rows = [[name, f"{n:,}"] for name, n in zip(predictions.classes, counts, strict=True)]
        console.table("", ["predicted", "photographs"], rows)

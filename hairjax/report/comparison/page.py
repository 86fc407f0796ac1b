"""Page of ``launch.py compare``."""

from collections.abc import Mapping
from pathlib import Path

from hairjax.evaluation.metrics.paired import METRICS
from hairjax.report.comparison.summary import (
    HIGHER_IS_BETTER,
    TESTS,
    TESTS_NOTE,
    TITLES,
    UNKNOWN,
    Comparison,
    predicted_class,
)
from hairjax.report.html import write_page

MOST_SHOWN = 24  # photographs that one configuration loses or gains


def write_comparison(
    found: Comparison, forest: Path, pictures: Mapping[int, bytes], no_pictures: str, path: Path
) -> None:
    """Write the page as one HTML file, atomically.

    Args:
        found: the comparison.
        forest: PNG of `figures.comparison.forest_figure`.
        pictures: JPEG thumbnails by position in ``found.files``.
        no_pictures: reason why there are none; "" if there are.
        path: file to write.

    Raises:
        OSError: the figure cannot be read, or the page cannot be written.
    """
    write_page(
        "comparison.html",
        path,
        title=f"{len(found.names)} configurations compared",
        found=found,
        forest=forest,
        pictures=pictures,
        no_pictures=no_pictures,
        several=any(summary.runs > 1 for summary in found.summaries),
        most=MOST_SHOWN,
        metrics=METRICS,
        titles=TITLES,
        higher_is_better=HIGHER_IS_BETTER,
        unknown=UNKNOWN,
        tests=TESTS,
        tests_note=TESTS_NOTE,
        predicted_class=predicted_class,
    )

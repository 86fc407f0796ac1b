"""Gallery of the most confident errors."""

from typing import Any

from hairjax.report.contents import Report
from hairjax.report.explanation import METHODS
from hairjax.report.gallery import read_gallery
from hairjax.runs.folder import RunFolder


def errors_section(report: Report) -> dict[str, Any]:
    """The run's gallery (None if there is none) and its method of explanation maps."""
    folder = RunFolder(report.folder).gallery
    return {"folder": folder, "gallery": read_gallery(folder), "method": METHODS[report.method]}

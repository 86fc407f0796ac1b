"""The runs from which an ensemble, a soup or a probe was derived."""

from pathlib import Path

from hairjax.runs.folder import RunFolder


def source_runs(folder: RunFolder) -> list[Path]:
    """The runs of which a folder's contents were made."""
    return [folder.path / run for run in folder.read_config().made.runs]

"""Folders derived from runs: an ensemble, a soup or a probe."""

from pathlib import Path

from ml_collections import ConfigDict

from hairjax.runs.folder import RunFolder


def source_runs(folder: RunFolder) -> list[Path]:
    """The runs of which a folder's contents were made."""
    return [folder.path / run for run in folder.read_config().made.runs]


def has_parameters(config: ConfigDict) -> bool:
    """Whether a folder with this configuration has parameters of its own: a run or a soup."""
    return "made" not in config or config.made.by == "soup"

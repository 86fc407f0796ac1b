"""Derived runs: ensembles, soups and probes."""

from pathlib import Path

from ml_collections import ConfigDict

from hairjax.runs.folder import RunFolder


def source_runs(folder: RunFolder) -> list[Path]:
    """Source runs of a derived run."""
    return [folder.path / run for run in folder.read_config().made.runs]


def has_parameters(config: ConfigDict) -> bool:
    """True for a run or soup, with parameters of its own."""
    return "made" not in config or config.made.by == "soup"

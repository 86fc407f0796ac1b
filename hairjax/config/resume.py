"""Keys that may differ between a run and the command that resumes it."""

from typing import Any

from ml_collections import ConfigDict

from hairjax.config.recipe import known_keys
from hairjax.config.schema import flatten


def free_on_resume() -> tuple[str, ...]:
    """Keys that may differ between a run and the command that resumes it."""
    return tuple(name for name, key in known_keys().items() if key.free)


def free_by_process() -> tuple[str, ...]:
    """Keys that may differ between the processes of a run: locations and process index."""
    return tuple(name for name, key in known_keys().items() if key.free == "process")


def differences(old: ConfigDict, new: ConfigDict) -> list[str]:
    """Differences that forbid resuming, as "config.key: old → new"."""
    before, after = dict(flatten(old)), dict(flatten(new))
    return [
        f"config.{key}: {before.get(key)!r} → {after.get(key)!r}"
        for key in [*before, *(key for key in after if key not in before)]
        if before.get(key) != after.get(key)
        and not _may_differ(key, before.get(key), after.get(key))
    ]


def _may_differ(key: str, *values: Any) -> bool:
    # A file of weights may have moved; none, or another on the hub, is a different one.
    named = "none" in values or all(str(value).startswith("hf:") for value in values)
    return key in free_on_resume() and not (key.startswith("weights.") and named)

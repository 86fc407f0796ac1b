"""Which keys may differ between a run and the command that resumes it."""

from typing import Any

from ml_collections import ConfigDict

from hairjax.config.load import flatten

# What may differ between the processes of a run: where things lie on a machine, and which it is.
OF_A_PROCESS = (
    "weights.source",
    "weights.second",
    "data.photos",
    "data.masks",
    "data.second_photos",
    "data.second_masks",
    "data.manifest",
    "data.split",
    "data.cache",
    "data.beam",
    "data.memory",
    "devices.coordinator",
    "devices.processes",
    "devices.process",
    "devices.compiled",
)
# What may differ between a run and the command that resumes it: that, how many devices share the
# work, and what is shown.
FREE_ON_RESUME = (
    *OF_A_PROCESS,
    "train.log_every",
    "devices.mesh",
    "devices.shard",
    "log.tensorboard",
    "report.gallery",
)


def differences(old: ConfigDict, new: ConfigDict) -> list[str]:
    """What keeps ``new`` from resuming a run of ``old``, as "config.key: old → new"."""
    before, after = dict(flatten(old)), dict(flatten(new))
    return [
        f"config.{key}: {before.get(key)!r} → {after.get(key)!r}"
        for key in [*before, *(key for key in after if key not in before)]
        if before.get(key) != after.get(key)
        and not _may_differ(key, before.get(key), after.get(key))
    ]


def _may_differ(key: str, *values: Any) -> bool:
    """Whether a run may be of one of two values and the command that resumes it of the other."""
    # A file of weights may lie elsewhere; none at all, or another on the hub, is not the same one.
    named = "none" in values or all(str(value).startswith("hf:") for value in values)
    return key in FREE_ON_RESUME and not (key.startswith("weights.") and named)

"""Check a whole configuration before anything is read or computed."""

import re

from ml_collections import ConfigDict

from hairjax.config.load import flatten
from hairjax.config.schema import CHOICES, RANGES, check_keys
from hairjax.system.errors import UserError


def check_config(config: ConfigDict, reference: ConfigDict) -> None:
    """Refuse what cannot work, before anything is read or computed.

    Args:
        config: what will be run.
        reference: a configuration with every key, such as ``configs/top.py``.

    Raises:
        UserError: names the key, the bad value, and the allowed ones.
    """
    check_keys(config, reference)
    if "made" in config:
        raise UserError(
            f"this configuration is of what {config.made.by} made of finished runs "
            f"({', '.join(config.made.runs)}), not of a run: give one of theirs"
        )
    values = dict(flatten(config))
    for key, (least, most) in RANGES.items():
        if not (least <= values[key] and (most is None or values[key] <= most)):
            limits = f"at least {least}" if most is None else f"between {least} and {most}"
            raise UserError(f"config.{key} is {values[key]}; it must be {limits}")
    for key, allowed in choices().items():
        by_name = key == "data.source" and re.fullmatch("tfds:.+", values[key])
        if values[key] not in allowed and not by_name:
            raise UserError(
                f"config.{key} is {values[key]!r}; it can be {', '.join(map(str, allowed))}"
            )
    # Here for the reason given in `choices`.
    from hairjax.builders.consistency import check_consistency

    check_consistency(config)


def choices() -> dict[str, tuple]:
    """``CHOICES``, and those that the models and their stems offer."""
    # Here, so that a mistyped command is answered before JAX is imported, which takes a second.
    from hairjax.models.table import VARIANTS
    from hairjax.weights.stem import RULES

    return {"model.name": tuple(VARIANTS), "weights.stem": RULES, **CHOICES}
